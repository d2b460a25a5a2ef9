// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("Echo", .timeLimit(.minutes(1)))
    struct EchoTests {
        @Test("what is sent comes back", arguments: [1, 100, 1400, 1500, 65_536, 65_537, 500_000, 1_000_000])
        func sizes(count: Int) async throws {
            try await withEcho { _, server in
                try await withHomaNode(loopback()) { client in
                    let bytes = pattern(count)
                    let reply = try await client.call(server, sending: bytes)
                    #expect(reply.count == count)
                    #expect(reply.copyBytes() == bytes)
                    #expect(reply.isContiguous == (count <= 65_536))
                }
            }
        }

        @Test("with copy-after-complete what is sent comes back in one piece", arguments: [1, 1500, 65_537, 1_000_000])
        func copyAfterComplete(count: Int) async throws {
            var configuration = loopback()
            configuration.receiveMode = .copyAfterComplete
            try await withEcho(configuration) { server, address in
                try await withHomaNode(configuration) { client in
                    let bytes = pattern(count)
                    let reply = try await client.call(address, sending: bytes)
                    #expect(reply.count == count && reply.isContiguous)
                    #expect(reply.copyBytes() == bytes)
                    // The copy is the application's own: the region holds nothing of it.
                    #expect(client.statistics.pool.leasesLive == 0)
                    var pieces: [Int] = []
                    reply.withFragments { pieces.append($0.byteCount) }
                    #expect(pieces == [count])
                }
            }
        }

        @Test("IPv6 works like IPv4", arguments: [100, 200_000])
        func version6(count: Int) async throws {
            try await withEcho(loopback("::1")) { node, _ in
                try await withHomaNode(loopback("::1")) { client in
                    let bytes = pattern(count, seed: 6)
                    let reply = try await client.call(
                        "[::1]:\(node.udpPort)/100", sending: bytes, deadline: .seconds(10))
                    #expect(reply.copyBytes() == bytes)
                }
            }
        }

        @Test("a node with both families calls servers of either")
        func dualStack() async throws {
            var configuration = loopback()
            configuration.bindAddress = nil
            try await withEcho { four, _ in
                try await withEcho(loopback("::1")) { six, _ in
                    try await withHomaNode(configuration) { client in
                        let answer1 = try await client.ask("127.0.0.1:\(four.udpPort)/100", [4])
                        #expect(answer1 == [4])
                        let answer2 = try await client.ask("[::1]:\(six.udpPort)/100", [6])
                        #expect(answer2 == [6])
                    }
                }
            }
        }

        @Test("a node can call itself")
        func itself() async throws {
            try await withEcho { node, server in
                let answer3 = try await node.ask(server, pattern(5000))
                #expect(answer3 == pattern(5000))
            }
        }

        /// Method: all engines sleep as soon as they can, so that a socket they do not watch would hang the calls.
        @Test("calls go on when the busiest peer gets a socket of its own, and other peers' calls with them")
        func busiestPeer() async throws {
            try await withEcho { node, server in
                try await withHomaNode(loopback()) { busy in
                    try await withHomaNode(loopback()) { other in
                        for round in 0..<300 {
                            let short = try await busy.ask(server, pattern(300, seed: round))
                            #expect(short == pattern(300, seed: round))
                            guard round % 25 == 0 else { continue }
                            let long = pattern(200_000, seed: round)
                            let others = try await other.ask(server, long)
                            let own = try await busy.ask(server, long)
                            #expect(others == long && own == long)
                        }
                        #expect(busy.statistics.network.connections == 1)
                        #expect(node.statistics.network.connections == 1)
                    }
                }
            }
        }

        @Test("many calls at once each get their own response", arguments: [(200, 300), (16, 100_000)])
        func concurrent(calls: Int, count: Int) async throws {
            try await withEcho { _, server in
                try await withHomaNode(loopback()) { client in
                    try await withThrowingTaskGroup(of: Bool.self) { group in
                        for seed in 0..<calls {
                            group.addTask {
                                let bytes = pattern(count, seed: seed)
                                return try await client.ask(server, bytes) == bytes
                            }
                        }
                        for try await isRight in group { #expect(isRight) }
                    }
                    #expect(client.statistics.endpoint.callsCompleted == UInt64(calls))
                    #expect(client.rpcs().isEmpty)
                }
            }
        }

        @Test("a buffer handed over can be sent again, also to several servers at once")
        func buffers() async throws {
            try await withEcho { _, first in
                try await withEcho { _, second in
                    try await withHomaNode(loopback()) { client in
                        let buffer = HomaBuffer(count: 70_000) { output in
                            for index in 0..<1000 { output.append(UInt8(truncatingIfNeeded: index), as: UInt8.self) }
                        }
                        async let one = client.call(first, sending: buffer)
                        async let two = client.call(second, sending: buffer)
                        let replies = try await [one, two]
                        #expect(replies[0] == replies[1])
                        let bytes = replies[0].copyBytes()
                        #expect(bytes[999] == 231 && bytes[1000...].allSatisfy { $0 == 0 })
                    }
                }
            }
        }

        @Test("bytes are read in place, by fragment, or copied")
        func reading() async throws {
            try await withEcho { node, server in
                let short = try await node.call(server, sending: pattern(1000))
                #expect(short.withContiguousBytes { $0.byteCount } == 1000)
                let long = try await node.call(server, sending: pattern(200_000))
                var pieces: [Int] = []
                long.withFragments { pieces.append($0.byteCount) }
                #expect(pieces == [65_536, 65_536, 65_536, 3392])
                #expect(
                    long.withBytes { span in span.unsafeLoad(fromByteOffset: 199_999, as: UInt8.self) }
                        == pattern(200_000)[199_999])
                var target = [UInt8](repeating: 0, count: 200_000)
                var span = target.mutableSpan
                var raw = span.mutableBytes
                long.copy(into: &raw)
                #expect(target == pattern(200_000))
            }
        }

        @Test("all buffers are back once nobody holds a message")
        func noLeaks() async throws {
            try await withEcho { node, server in
                for count in [1, 100, 100_000, 1_000_000] { _ = try await node.call(server, sending: pattern(count)) }
                #expect(node.statistics.pool.leasesLive == 0)
                #expect(node.statistics.waitingForBuffers == 0)
            }
        }
    }
}
