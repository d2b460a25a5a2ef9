// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

/// A limit for what happens at once, generous towards busy machines. That it was not the timeout is told by the code;
/// how many round trips it takes is tested in the core, where time is exact.
private let soon = Duration.seconds(5)

extension LoopbackTests {
    @Suite("Failures", .timeLimit(.minutes(1)))
    struct FailureTests {
        @Test("cancelling the task ends its call at once, before, during and without a server")
        func cancellation() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    let address = server.address(port: 100)
                    let task = Task { await code { _ = try await client.call(address, sending: [1]) } }
                    let request = try await socket.nextRequest()
                    let start = ContinuousClock.now
                    task.cancel()
                    #expect(await task.value == .cancelled)
                    #expect(ContinuousClock.now - start < soon)
                    #expect(client.rpcs().isEmpty)
                    try? request.respond([1])

                    let early = Task {
                        withUnsafeCurrentTask { $0?.cancel() }
                        return await code { _ = try await client.call(address, sending: [1]) }
                    }
                    #expect(await early.value == .cancelled)
                }
            }
        }

        @Test("a deadline ends the call in time, and the error says which")
        func deadline() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    let start = ContinuousClock.now
                    do throws(HomaError) {
                        _ = try await client.call(server.address(port: 100), sending: [1], deadline: .milliseconds(30))
                        Issue.record("the call should not have succeeded")
                    } catch {
                        #expect(error.code == .deadlineExceeded)
                        #expect(error.peer == server.address(port: 100))
                        #expect(error.description.contains("0.03 seconds"))
                    }
                    let taken = ContinuousClock.now - start
                    #expect(taken >= .milliseconds(29) && taken < soon)
                }
                socket.close()
            }
        }

        @Test("a dropped request is reported to its client at once")
        func dropped() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    // The first contact teaches the client's node that the server speaks our extensions.
                    async let first = client.call(server.address(port: 100), sending: [1])
                    try await socket.nextRequest().respond([2])
                    _ = try await first
                    let call = Task {
                        await code { _ = try await client.call(server.address(port: 100), sending: [1]) }
                    }
                    let start: ContinuousClock.Instant
                    do {
                        let request = try await socket.nextRequest()
                        start = .now
                        request.decline()
                    }
                    #expect(await call.value == .requestDropped)
                    #expect(ContinuousClock.now - start < soon)
                }
            }
        }

        @Test("even the first request to a server is reported when dropped")
        func droppedAtFirstContact() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    let call = Task {
                        await code { _ = try await client.call(server.address(port: 100), sending: [1]) }
                    }
                    _ = try await socket.nextRequest()
                    let start = ContinuousClock.now
                    #expect(await call.value == .requestDropped)
                    #expect(ContinuousClock.now - start < soon)
                }
            }
        }

        @Test("a second answer through a shared request throws")
        func sharedTwice() async throws {
            try await withHomaNode(loopback()) { node in
                let socket = try node.openSocket(port: 100)
                async let reply = node.ask(node.address(port: 100), [1])
                for await request in socket.requests {
                    try request.respond([7])
                    #expect(throws: HomaError.self) { try request.respond([8]) }
                    do throws(HomaError) { try request.decline() } catch { #expect(error.code == .alreadyAnswered) }
                    break
                }
                let answer = try await reply
                #expect(answer == [7])
            }
        }

        @Test("shutting a node down fails its open calls and waits, and later ones")
        func shutdown() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                let client = try HomaNode(configuration: loopback())
                let address = server.address(port: 100)
                let call = Task { await code { _ = try await client.call(address, sending: [1]) } }
                let own = try client.openSocket(port: 5)
                let wait = Task { await code { _ = try await own.nextRequest() } }
                let sleep = Task { await code { try await client.sleep(for: .seconds(50)) } }
                let request = try await socket.nextRequest()
                await client.shutdown()
                await client.shutdown()
                #expect(await call.value == .nodeClosed)
                #expect(await wait.value == .socketClosed)
                #expect(await sleep.value == .nodeClosed)
                #expect(await code { _ = try await client.call(address, sending: [1]) } == .nodeClosed)
                #expect(await code { _ = try client.openSocket(port: 6) } == .nodeClosed)
                #expect(client.statistics.endpoint.callsStarted == 1)
                try? request.respond([1])
            }
        }

        @Test("a message outlives its node")
        func messageOutlivesNode() async throws {
            let message = try await withEcho { node, server in try await node.call(server, sending: pattern(300_000)) }
            #expect(message.copyBytes() == pattern(300_000))
        }

        @Test("a node that does not exist is reported quickly", arguments: [HomaConfiguration.Spin.never, .forever])
        func deadServer(spin: HomaConfiguration.Spin) async throws {
            let unused = try await withHomaNode(loopback()) { $0.localAddress }
            var configuration = loopback()
            configuration.spin = spin
            try await withHomaNode(configuration) { client in
                let start = ContinuousClock.now
                #expect(
                    await code { _ = try await client.call(HomaAddress(node: unused, port: 100), sending: [1]) }
                        == .portUnreachable)
                #expect(ContinuousClock.now - start < soon)
            }
        }

        @Test("a Homa port without a socket is reported quickly")
        func noSocket() async throws {
            try await withHomaNode(loopback()) { server in
                try await withHomaNode(loopback()) { client in
                    let start = ContinuousClock.now
                    #expect(
                        await code { _ = try await client.call(server.address(port: 9), sending: [1]) } == .noSuchPort)
                    #expect(ContinuousClock.now - start < soon)
                }
            }
        }

        @Test("messages of no length and of too great a length are refused before anything is sent")
        func lengths() async throws {
            try await withHomaNode(loopback()) { node in
                let address = node.address(port: 1)
                #expect(await code { _ = try await node.call(address, sending: []) } == .messageEmpty)
                #expect(
                    await code { _ = try await node.call(address, sending: [UInt8](repeating: 0, count: 1_000_001)) }
                        == .messageTooLong)
                #expect(node.statistics.endpoint.callsStarted == 0)
            }
        }
    }
}
