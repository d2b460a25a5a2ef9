// SPDX-License-Identifier: Apache-2.0

import CFaults
import Glibc
import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("A peer that the own kernel sends nothing to", .timeLimit(.minutes(1)))
    struct RefusedSendTests {
        /// Method: packets of all lengths are on their way to the refused peer all the time, and its calls end at their
        /// deadline. Calls to the other one must each be answered.
        @Test("calls to others are answered while the kernel has no room for one peer", arguments: [ENOBUFS, ENOMEM])
        func others(error: Int32) async throws {
            try await withEcho { _, good in
                try await withEcho { refusedNode, refused in
                    try await withHomaNode(loopback()) { client in
                        homa_fail_sends_to(refusedNode.udpPort, error)
                        defer { homa_fail_sends_to(refusedNode.udpPort, 0) }
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            for length in [1, 100, 5000, 300_000] {
                                group.addTask {
                                    let failed = await code {
                                        _ = try await client.call(
                                            refused, sending: pattern(length), deadline: .milliseconds(300))
                                    }
                                    #expect(failed == .deadlineExceeded)
                                }
                            }
                            for number in 0..<50 {
                                let bytes = pattern([1, 1400, 60_000, 200_000][number % 4], seed: number)
                                let answer = try await client.call(good, sending: bytes, deadline: .seconds(20))
                                #expect(answer.copyBytes() == bytes)
                            }
                            try await group.waitForAll()
                        }
                        #expect(client.statistics.network.droppedNoRoom > 0)
                        // The peer is there again as soon as the kernel has room.
                        homa_fail_sends_to(refusedNode.udpPort, 0)
                        #expect(try await client.ask(refused, pattern(100)) == pattern(100))
                        #expect(client.rpcs().isEmpty)
                    }
                }
            }
        }
    }
}
