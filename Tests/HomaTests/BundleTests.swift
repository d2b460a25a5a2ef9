// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    /// Short messages of many lengths share datagrams.
    @Suite("Bundles", .timeLimit(.minutes(1)))
    struct BundleTests {
        /// Calls of 1 … 900 bytes, many at once, on the node's own thread; every byte of every answer is checked.
        private static func calls(_ client: HomaNode, _ server: HomaAddress) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<60 {
                    group.addTask(executorPreference: client.executors[0]) {
                        for round in 0..<20 {
                            let bytes = pattern(1 + (worker * 37 + round * 101) % 900, seed: worker + round)
                            let answer = try await client.ask(server, bytes)
                            #expect(answer == bytes)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }

        @Test("requests and responses go in bundles, and are the same as alone", arguments: [1500, 9000])
        func both(mtu: Int) async throws {
            var configuration = loopback()
            configuration.mtu = mtu
            // Nothing is to be sent twice.
            configuration.endpoint.memoryProbation = .zero
            try await withEcho(configuration) { server, address in
                try await withHomaNode(configuration) { client in
                    try await Self.calls(client, address)
                    for node in [client, server] {
                        #expect(node.statistics.bundlesReceived > 20)
                        #expect(node.statistics.network.bundledPackets > 200)
                        #expect(node.statistics.malformedTotal == 0)
                    }
                    #expect(client.statistics.endpoint.packetsRetransmitted == 0)
                }
            }
        }

        @Test("a node with several shards gets none, and one with one does")
        func shards() async throws {
            var configuration = loopback()
            configuration.shards = 2
            try await withEcho(configuration) { server, address in
                try await withHomaNode(loopback()) { client in
                    try await Self.calls(client, address)
                    #expect(server.statistics.bundlesReceived == 0)
                    #expect(client.statistics.network.bundledPackets == 0)
                    #expect(client.statistics.bundlesReceived > 0)
                }
            }
        }
    }
}
