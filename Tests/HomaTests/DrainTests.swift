// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("Drain", .timeLimit(.minutes(1)))
    struct DrainTests {
        @Test("a node that drains answers what it has, refuses what is new, and says when nothing is left")
        func drain() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                let address = server.address(port: 100)
                try await withHomaNode(loopback()) { client in
                    let inHand = Task { try await client.ask(address, [1]) }
                    let first = try await socket.nextRequest()
                    let waiting = Task { try await client.ask(address, [2]) }
                    while server.statistics.endpoint.requestsDelivered < 2 {
                        try await Task.sleep(for: .milliseconds(1))
                    }

                    #expect(await server.drain(for: .zero).unansweredRequests == 2)
                    let draining = Task { await server.drain(for: .seconds(30)) }
                    do throws(HomaError) {
                        _ = try await client.call(address, sending: [3])
                        Issue.record("the call should not have succeeded")
                    } catch {
                        #expect(error.code == .serverDraining && !error.mayHaveRun)
                    }
                    #expect(await code { try await client.send([4], to: address) } == .serverDraining)

                    try first.respond(pattern(500_000))
                    try await socket.nextRequest().respond([9])
                    #expect(try await inHand.value == pattern(500_000))
                    #expect(try await waiting.value == [9])
                    #expect(await draining.value.isNothing)
                    #expect(server.statistics.endpoint.drops(for: .draining) >= 2)
                }
            }
        }

        @Test("a drain that comes to its limit says what is left, and so does one that is cancelled")
        func limit() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                let address = server.address(port: 100)
                let call = Task { try await server.ask(address, [1]) }
                let request = try await socket.nextRequest()
                let start = ContinuousClock.now
                let left = await server.drain(for: .milliseconds(30))
                #expect(left.unansweredRequests == 1 && left.unacknowledgedMessages == 0)
                #expect(ContinuousClock.now - start >= .milliseconds(29))
                let draining = Task { await server.drain(for: .seconds(3600)) }
                draining.cancel()
                #expect(await draining.value.unansweredRequests == 1)
                try request.respond([5])
                #expect(try await call.value == [5])
            }
        }

        @Test("handlers of a node that drains can make calls", arguments: [1, 3])
        func handlersCall(shards: Int) async throws {
            var configuration = loopback()
            configuration.shards = shards
            try await withEcho { _, echo in
                try await withHomaNode(configuration) { server in
                    let socket = try server.openSocket(port: 100)
                    try await withHomaNode(loopback()) { client in
                        let call = Task { [address = server.address(port: 100)] in try await client.ask(address, [1]) }
                        let request = try await socket.nextRequest()
                        let draining = Task { await server.drain(for: .seconds(30)) }
                        let answer = try await server.ask(echo, [1, 2, 3])
                        try request.respond(answer)
                        #expect(try await call.value == [1, 2, 3])
                        #expect(await draining.value.isNothing)
                    }
                }
            }
        }

        @Test("a node that ends tells the servers of its calls, so that they need not work for nothing")
        func clientEnds() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                let client = try HomaNode(configuration: loopback())
                let call = Task { [address = server.address(port: 100)] in
                    await code { _ = try await client.call(address, sending: [1]) }
                }
                let request = try await socket.nextRequest()
                await client.shutdown()
                #expect(await call.value == .nodeClosed)
                while !request.isAbandoned { try await Task.sleep(for: .milliseconds(1)) }
            }
        }

        @Test("to drain a node that has ended leaves nothing")
        func ended() async throws {
            let node = try HomaNode(configuration: loopback())
            await node.shutdown()
            #expect(await node.drain(for: .seconds(60)).isNothing)
        }
    }
}
