// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("The end of a node", .timeLimit(.minutes(1)))
    struct ShutdownTests {
        /// Method: a server answers one request and ends at once, as one that is told to stop does.
        @Test(
            "the last answer arrives, though its server ends as soon as it is given",
            arguments: [100, 50_000, 200_000, 1_000_000])
        func lastAnswer(length: Int) async throws {
            try await withHomaNode(loopback()) { client in
                for seed in 0..<5 {
                    let answer = try await withHomaNode(loopback()) { server in
                        let socket = try server.openSocket(port: 100)
                        let address = server.address(port: 100)
                        let asked = Task { try await client.call(address, sending: [1]).copyBytes() }
                        try await socket.nextRequest().respond(pattern(length, seed: seed))
                        return asked
                    }
                    let bytes = try await answer.value
                    #expect(bytes == pattern(length, seed: seed))
                }
            }
        }

        @Test("a one-way message that is under way when its node ends is delivered")
        func lastMessage() async throws {
            try await withHomaNode(loopback()) { receiver in
                let socket = try receiver.openSocket(port: 100)
                let address = receiver.address(port: 100)
                try await withHomaNode(loopback()) { sender in
                    async let answer = sender.ask(address, [9])
                    try await socket.nextRequest().respond([9])
                    _ = try await answer
                    let sending = Task { try await sender.send(pattern(800_000), to: address) }
                    while sender.statistics.endpoint.messagesStarted == 0 { await Task.yield() }
                    await sender.shutdown()
                    _ = try await sending.value
                }
                let bytes = try await socket.nextRequest().message.copyBytes()
                #expect(bytes == pattern(800_000))
            }
        }

        @Test(
            "a client that has vanished holds the end no longer than the limit, and no longer than it is believed alive"
        )
        func vanished() async throws {
            for limit in [Duration.milliseconds(50), .seconds(30)] {
                let server = try HomaNode(configuration: loopback())
                let socket = try server.openSocket(port: 100)
                let client = try HomaNode(configuration: loopback())
                let asked = Task { [address = server.address(port: 100)] in
                    await code { _ = try await client.call(address, sending: [1]) }
                }
                let request = try await socket.nextRequest()
                await client.shutdown(within: .zero)
                #expect(await asked.value == .nodeClosed)
                try? request.respond(pattern(500_000))
                let start = ContinuousClock.now
                await server.shutdown(within: limit)
                // Far less than the longer limit: the client is given up after 0.4 seconds.
                #expect(ContinuousClock.now - start < .seconds(15))
            }
        }

        @Test("requests that come while a node ends are refused, and what was begun before is brought to its end")
        func refused() async throws {
            let server = try HomaNode(configuration: loopback())
            let socket = try server.openSocket(port: 100)
            let address = server.address(port: 100)
            try await withHomaNode(loopback()) { client in
                async let first = client.ask(address, [1])
                let request = try await socket.nextRequest()
                try request.respond(pattern(1_000_000))
                let ending = Task { await server.shutdown() }
                let answer = try await first
                #expect(answer == pattern(1_000_000))
                await ending.value
                let failed = await code { _ = try await client.call(address, sending: [2], deadline: .seconds(10)) }
                #expect(failed == .portUnreachable || failed == .serverDraining || failed == .timedOut)
            }
        }

        @Test("a client that ends tells its servers what it has received, so that they can end at once")
        func acknowledges() async throws {
            try await withEcho { server, address in
                try await withHomaNode(loopback()) { client in
                    for seed in 0..<3 { _ = try await client.ask(address, pattern(10, seed: seed)) }
                }
                while !server.rpcs().isEmpty { try await Task.sleep(for: .milliseconds(1)) }
                #expect(server.statistics.endpoint.clientsLost == 0)
            }
        }

        @Test("run() ends when its task is cancelled, after the last answers have arrived")
        func cancelledRun() async throws {
            let server = try HomaNode(configuration: loopback())
            let socket = try server.openSocket(port: 100)
            let running = Task { try await server.run() }
            try await withHomaNode(loopback()) { client in
                async let answer = client.ask(server.address(port: 100), [1])
                try await socket.nextRequest().respond(pattern(300_000))
                running.cancel()
                let bytes = try await answer
                #expect(bytes == pattern(300_000))
                await #expect(throws: CancellationError.self) { try await running.value }
            }
        }
    }
}
