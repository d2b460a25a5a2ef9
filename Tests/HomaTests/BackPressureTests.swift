// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("Back-pressure", .timeLimit(.minutes(1)))
    struct BackPressureTests {
        @Test("an application that holds messages makes senders wait, and they go on when it lets go")
        func heldMessages() async throws {
            var small = loopback()
            small.pool = PoolConfiguration(regionLength: 16 << 16, reservedPages: 0)
            try await withHomaNode(small) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    try await withThrowingTaskGroup(of: Int.self) { group in
                        for seed in 0..<24 {
                            group.addTask {
                                try await client.call(server.address(port: 100), sending: pattern(65_536, seed: seed))
                                    .count
                            }
                        }
                        var held: [SharedHomaRequest] = []
                        for _ in 0..<16 { held.append(.sharing(try await socket.nextRequest())) }
                        while server.statistics.waitingForBuffers == 0 { try await Task.sleep(for: .milliseconds(1)) }
                        #expect(server.statistics.pool.leasesLive == 16)
                        for request in held { try request.respond([1]) }
                        held.removeAll()
                        for _ in 0..<8 { try await socket.nextRequest().respond([1]) }
                        var answers = 0
                        for try await count in group { answers += count }
                        #expect(answers == 24)
                    }
                    #expect(server.statistics.pool.leasesLive == 0)
                }
            }
        }

        @Test("many long messages through a tiny region all arrive")
        func tinyRegion() async throws {
            var tiny = loopback()
            tiny.pool = PoolConfiguration(regionLength: 17 << 16, reservedPages: 1)
            try await withEcho(tiny) { server, address in
                try await withHomaNode(tiny) { client in
                    try await withThrowingTaskGroup(of: Bool.self) { group in
                        for seed in 0..<24 {
                            group.addTask {
                                let bytes = pattern(350_000, seed: seed)
                                return try await client.ask(address, bytes) == bytes
                            }
                        }
                        for try await isRight in group { #expect(isRight) }
                    }
                    #expect(server.statistics.pool.leasesLive == 0)
                }
            }
        }
    }
}
