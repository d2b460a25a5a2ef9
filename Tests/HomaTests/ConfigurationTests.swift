// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("Configuration")
    struct ConfigurationTests {
        typealias Change = @Sendable (inout HomaConfiguration) -> Void

        static let impossible: [(String, Change)] = [
            ("mtu", { $0.mtu = 100 }),
            ("packetsPerRound", { $0.packetsPerRound = 0 }),
            ("receiveBufferBytes", { $0.receiveBufferBytes = 0 }),
            ("sendBufferBytes", { $0.sendBufferBytes = -1 }),
            ("bindAddress", { $0.bindAddress = "example" }),
            ("bindAddress", { $0.bindAddress = "" }),
            ("core", { $0.core = -1 }),
            ("pool", { $0.pool.bpageSize = 5000 }),
            ("shards", { $0.shards = 0 }),
            ("shards", { $0.shards = 65 }),
            ("pool.shards", { $0.pool.shards = 2 }),
            ("priorityLevels", { $0.endpoint.priorityLevels = 9 }),
            ("regionBacking", { $0.regionBacking = .memoryFile(name: "") }),
        ]

        @Test("a setting that cannot work is refused and named", arguments: impossible)
        func refused(name: String, change: Change) {
            var configuration = loopback()
            change(&configuration)
            do {
                _ = try HomaNode(configuration: configuration)
                Issue.record("should have been refused")
            } catch {
                #expect(error.code == .configuration)
                #expect(error.description.contains(name))
            }
        }

        @Test("a UDP port in use is a system error that names the address")
        func portInUse() async throws {
            try await withHomaNode(loopback()) { node in
                var configuration = loopback()
                configuration.udpPort = node.udpPort
                #expect(await code { _ = try HomaNode(configuration: configuration) } == .system)
            }
        }

        @Test("the UDP port is free again when the node has been shut down")
        func rebinding() async throws {
            let port = try await withHomaNode(loopback()) { $0.udpPort }
            try await withHomaNode(loopback(), listening: port) { #expect($0.udpPort == port) }
        }

        @Test(
            "every way of waiting and every backing works",
            arguments: [
                { $0.spin = .never }, { $0.spin = .forever }, { $0.regionBacking = .memoryFile(name: "homa-test") },
                { $0.usesSegmentationOffload = false }, { $0.usesReceiveOffload = false }, { $0.mtu = 1500 },
                { $0.publishesMetrics = true }, { $0.packetsPerRound = 1 },
            ] as [Change])
        func variants(change: Change) async throws {
            var configuration = loopback()
            change(&configuration)
            try await withEcho(configuration) { _, server in
                try await withHomaNode(configuration) { client in
                    for count in [100, 400_000] {
                        let answer1 = try await client.ask(server, pattern(count))
                        #expect(answer1 == pattern(count))
                    }
                }
            }
        }

        @Test("run returns when the node is shut down, and shuts it down when cancelled")
        func running() async throws {
            let node = try HomaNode(configuration: loopback())
            let running = Task { try await node.run() }
            running.cancel()
            await #expect(throws: CancellationError.self) { try await running.value }
            #expect(await code { _ = try node.openSocket(port: 1) } == .nodeClosed)

            let other = try HomaNode(configuration: loopback())
            let waiting = Task { try await other.run() }
            await other.shutdown()
            try await waiting.value
        }
    }
}
