// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    /// Trains of packets that the kernel puts straight into the region.
    @Suite("In place", .timeLimit(.minutes(1)))
    struct InPlaceTests {
        @Test("most of a long message is never copied in user space")
        func alone() async throws {
            try await withEcho(small(8972)) { server, address in
                try await withHomaNode(small(8972)) { client in
                    for seed in 0..<20 {
                        let bytes = pattern(900_000, seed: seed)
                        let answer = try await client.ask(address, bytes)
                        #expect(answer == bytes)
                    }
                    for node in [client, server] {
                        let statistics = node.statistics
                        let all = statistics.bytesInPlace + statistics.bytesCopied
                        #expect(all >= 20 * 900_000)
                        #expect(statistics.bytesInPlace > all / 2, "\(statistics.bytesInPlace) of \(all) bytes")
                    }
                }
            }
        }

        @Test("by default everything is copied")
        func copied() async throws {
            try await withEcho { server, address in
                try await withHomaNode(loopback()) { client in
                    let answer = try await client.ask(address, pattern(900_000))
                    #expect(answer == pattern(900_000))
                    #expect(client.statistics.bytesInPlace == 0 && client.statistics.bytesCopied >= 900_000)
                }
            }
        }

        /// Method: messages of many lengths from three nodes at once, so that what comes next is often not what was
        /// expected; every byte of every message is checked. Packets of two sizes, as paths of two MTUs have.
        @Test("messages that come in between are taken for what they are", arguments: [1400, 4000, 8972])
        func between(packetBytes: Int) async throws {
            let configuration = small(packetBytes)
            try await withEcho(configuration) { server, address in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for client in 0..<3 { group.addTask { try await run(client, configuration, address) } }
                    try await group.waitForAll()
                }
                let statistics = server.statistics
                #expect(statistics.trainsInPlace > 0)
                #expect(statistics.trainsMisplaced > 0)
            }
        }

        /// With trains in place, and packets no longer than this.
        private func small(_ packetBytes: Int) -> HomaConfiguration {
            var configuration = HomaConfiguration()
            configuration.bindAddress = "127.0.0.1"
            configuration.endpoint.packetBytesCap = packetBytes
            configuration.receivesInPlace = true
            return configuration
        }

        private func run(_ number: Int, _ configuration: HomaConfiguration, _ address: HomaAddress) async throws {
            try await withHomaNode(configuration) { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for call in 0..<60 {
                        group.addTask {
                            let length = [70, 5_000, 40_000, 300_000, 65_536 * 3][call % 5] + 1009 * call
                            let bytes = pattern(length, seed: number * 100 + call)
                            let answer = try await client.ask(address, bytes)
                            #expect(answer == bytes)
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }

        /// Method: while answers arrive in place their calls are cancelled, so that the places of an expected train
        /// become another message's.
        @Test("calls given up in the middle leave no bytes in others' messages")
        func cancelled() async throws {
            try await withEcho(small(8972)) { _, address in
                try await withHomaNode(small(8972)) { client in
                    for round in 0..<30 {
                        let calls = (0..<4).map { index in
                            Task { try await client.ask(address, pattern(800_000, seed: round * 10 + index)) }
                        }
                        try await client.sleep(for: .microseconds(200 + 40 * round))
                        for index in [0, 2] { calls[index].cancel() }
                        for index in [1, 3] {
                            let answer = try await calls[index].value
                            #expect(answer == pattern(800_000, seed: round * 10 + index))
                        }
                    }
                }
            }
        }
    }
}
