// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    /// Nodes with several threads.
    @Suite("Sharded nodes", .timeLimit(.minutes(1)))
    struct ShardedNodeTests {
        private func sharded(_ shards: Int, _ address: String = "127.0.0.1") -> HomaConfiguration {
            var configuration = loopback(address)
            configuration.shards = shards
            return configuration
        }

        /// Method: clients and servers of different numbers of shards, so that acknowledgements travel with other
        /// shards' packets; every byte of every answer is checked, and nothing may be left at the end.
        @Test(
            "calls of all lengths between nodes of any number of shards", arguments: [(1, 2), (2, 1), (2, 2), (3, 2)])
        func calls(clients: Int, servers: Int) async throws {
            try await withEcho(sharded(servers)) { server, address in
                try await withHomaNode(sharded(clients)) { client in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for call in 0..<300 {
                            group.addTask {
                                let length = [1, 100, 1400, 9000, 70_000, 400_000][call % 6] + call
                                let bytes = pattern(length, seed: call)
                                let answer = try await client.ask(address, bytes)
                                #expect(answer == bytes)
                            }
                        }
                        try await group.waitForAll()
                    }
                    #expect(server.statistics.endpoint.requestsDelivered == 300)
                    #expect(client.statistics.endpoint.callsCompleted == 300)
                    for _ in 0..<200 where !server.rpcs().isEmpty { try await client.sleep(for: .milliseconds(10)) }
                    #expect(server.rpcs().isEmpty)
                    #expect((server.statistics.acksPassedOn > 0) == (servers > 1 && clients % servers != 0))
                }
            }
        }

        /// Method: no batches of packets. The kernel looks at the first packet of a batch only, and a client of one
        /// shard that is late puts acknowledgements of several RPCs, so of several of the server's shards, into one.
        @Test("the kernel gives every shard the packets of its own RPCs", arguments: ["127.0.0.1", "::1"])
        func steering(address: String) async throws {
            var serving = sharded(3, address)
            var calling = sharded(1, address)
            serving.usesReceiveOffload = false
            calling.usesSegmentationOffload = false
            try await withEcho(serving) { server, _ in
                try await withHomaNode(calling) { client in
                    let host = address.contains(":") ? "[\(address)]" : address
                    for call in 0..<60 {
                        let answer = try await client.ask("\(host):\(server.udpPort)/100", pattern(100, seed: call))
                        #expect(answer == pattern(100, seed: call))
                    }
                    #expect(server.statistics.packetsPassedOn == 0)
                    #expect(server.statistics.misdirectedPackets == 0)
                }
            }
        }

        /// Method: handlers on the threads of both shards ask for everything that is answered by all of them.
        @Test("handlers on several of a node's threads may ask the node about itself at the same time")
        func inquiries() async throws {
            try await withHomaNode(sharded(2)) { server in
                let socket = try server.openSocket(port: 100)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await socket.serveInline { request in
                            _ = server.statistics
                            _ = server.rpcs()
                            let port = UInt16(1000 + request.id.rawValue / 2 % 1000)
                            (try? server.openSocket(port: port))?.close()
                            try? request.respondWithRequest()
                        }
                    }
                    // The server is silent while its threads answer each other.
                    var calling = sharded(2)
                    calling.endpoint.timeout = .seconds(20)
                    try await withHomaNode(calling) { client in
                        try await withThrowingTaskGroup(of: Void.self) { calls in
                            for number in 0..<400 {
                                calls.addTask {
                                    let bytes = pattern(100, seed: number)
                                    let answer = try await client.ask(server.address(port: 100), bytes)
                                    #expect(answer == bytes)
                                }
                            }
                            try await calls.waitForAll()
                        }
                    }
                    socket.close()
                    try await group.waitForAll()
                }
            }
        }

        @Test("one-way messages arrive at sharded nodes", arguments: [1, 2])
        func messages(clients: Int) async throws {
            try await withHomaNode(sharded(2)) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(sharded(clients)) { client in
                    async let sending: Void = {
                        for seed in 0..<50 {
                            try await client.send(pattern(5000, seed: seed), to: server.address(port: 100))
                        }
                    }()
                    // Shards do not wait for each other, so that messages may overtake.
                    var arrived: [[UInt8]] = []
                    for _ in 0..<50 {
                        let request = try await socket.nextRequest()
                        arrived.append(request.message.copyBytes())
                        if !request.isOneWay { try request.respond([0]) }
                    }
                    try await sending
                    let isComplete = Set(arrived) == Set((0..<50).map { pattern(5000, seed: $0) })
                    #expect(isComplete)
                }
            }
        }

        @Test("a port that is closed is closed at every shard, and can be opened again")
        func closing() async throws {
            try await withHomaNode(sharded(2)) { server in
                try await withHomaNode(loopback()) { client in
                    for _ in 0..<3 {
                        let socket = try server.openSocket(port: 100)
                        #expect(throws: HomaError.self) { try server.openSocket(port: 100) }
                        socket.close()
                        for _ in 0..<4 {
                            let failure = await code {
                                _ = try await client.call(server.address(port: 100), sending: [1])
                            }
                            // A shard that has not come round to closing drops what nobody will take.
                            #expect(failure == .noSuchPort || failure == .requestDropped)
                        }
                        try await client.sleep(for: .milliseconds(20))
                        for _ in 0..<4 {
                            let failure = await code {
                                _ = try await client.call(server.address(port: 100), sending: [1])
                            }
                            #expect(failure == .noSuchPort)
                        }
                    }
                }
            }
        }

        @Test("more shards than a driver can have are refused in words")
        func refused() {
            var configuration = sharded(2)
            configuration.driver = .packet
            #expect(throws: HomaError.self) { try HomaNode(configuration: configuration) }
            #expect(throws: HomaError.self) { try HomaNode(configuration: sharded(65)) }
            #expect(throws: HomaError.self) { try HomaNode(configuration: sharded(0)) }
        }

        @Test("messages outlive a sharded node, and give their buffers back")
        func outliving() async throws {
            var kept: [HomaMessage] = []
            try await withEcho(sharded(2)) { _, address in
                try await withHomaNode(sharded(2)) { client in
                    for seed in 0..<8 {
                        kept.append(try await client.call(address, sending: pattern(90_000, seed: seed)))
                    }
                }
            }
            for (seed, message) in kept.enumerated() { #expect(message.copyBytes() == pattern(90_000, seed: seed)) }
        }
    }
}
