// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("Errors of the application", .timeLimit(.minutes(1)))
    struct ApplicationErrorTests {
        /// What a call fails with.
        private func failure(_ body: () async throws -> Void) async -> HomaError? {
            do { try await body() } catch { return error as? HomaError }
            return nil
        }

        @Test("a request that fails fails its call with the application's bytes, which are no answer")
        func bytes() async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                let address = node.address(port: 100)
                for length in [1, 1_000, 200_000] {
                    let call = Task { await failure { _ = try await node.call(address, sending: [1]) } }
                    try await socket.nextRequest().fail(pattern(length))
                    let error = try #require(await call.value)
                    #expect(error.code == .applicationError && error.mayHaveRun && error.peer == address)
                    #expect(error.response?.copyBytes() == pattern(length))
                }
                #expect(node.statistics.endpoint.failuresSent == 3 && node.statistics.endpoint.failuresReceived == 3)
            }
        }

        @Test("a text is part of the error's message, and other bytes are not")
        func text() async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                let address = node.address(port: 100)
                let told = Task { await failure { _ = try await node.call(address, sending: [1]) } }
                try await socket.nextRequest().fail("no such key: größe")
                let error = try #require(await told.value)
                #expect(error.message == "the server's application failed: no such key: größe")
                let plain = Task { await failure { _ = try await node.call(address, sending: [1]) } }
                try await SharedHomaRequest.sharing(socket.nextRequest()).fail([0, 0xFF])
                #expect(await plain.value?.message == "the server's application failed (2 bytes, see response)")
            }
        }

        @Test("what a handler throws is not told to the client")
        func thrown() async throws {
            struct Secret: Error {}
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                let serving = Task { try await socket.serve { _ in throw Secret() } }
                let error = await failure { _ = try await node.call(node.address(port: 100), sending: [1]) }
                #expect(error?.code == .requestDropped && error?.response == nil)
                #expect(error?.description.contains("Secret") == false)
                socket.close()
                try await serving.value
            }
        }

        @Test("every failure says whether the request may have run")
        func mayHaveRun() async throws {
            try await withHomaNode(loopback()) { server in
                try await withHomaNode(loopback()) { client in
                    let closed = await failure { _ = try await client.call(server.address(port: 9), sending: [1]) }
                    #expect(closed?.code == .noSuchPort && closed?.mayHaveRun == false)
                    let empty = await failure { _ = try await client.call(server.address(port: 9), sending: []) }
                    #expect(empty?.mayHaveRun == false)
                    let socket = try server.openSocket(port: 100)
                    let late = await failure {
                        _ = try await client.call(server.address(port: 100), sending: [1], deadline: .milliseconds(20))
                    }
                    #expect(late?.code == .deadlineExceeded && late?.mayHaveRun == true)
                    socket.close()
                }
            }
        }
    }
}
