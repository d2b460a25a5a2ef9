// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("Where a node is", .timeLimit(.minutes(1)))
    struct NodeAddressTests {
        @Test("a node on all addresses is reached at each that it names, with a free UDP port and a free Homa port")
        func everywhere() async throws {
            try await withHomaNode { server in
                let socket = try server.openSocket(port: 0)
                #expect((1..<HomaLimits.firstClientPort).contains(socket.port))
                let addresses = server.addresses(port: socket.port)
                #expect(addresses.contains { $0.node.isIPv4 && $0.node.ipv4 == 0x7F00_0001 })
                #expect(Set(addresses).count == addresses.count)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await socket.serveInline { try? $0.respondWithRequest() } }
                    try await withHomaNode { client in
                        for address in addresses {
                            let answer = try await client.ask(address, [1, 2])
                            #expect(answer == [1, 2], "\(address)")
                        }
                    }
                    socket.close()
                }
            }
        }

        @Test("a node on one address names that, and free ports are different ones")
        func bound() async throws {
            try await withHomaNode(loopback()) { node in
                let sockets = try (0..<3).map { _ in try node.openSocket(port: 0) }
                #expect(Set(sockets.map(\.port)).count == 3)
                for socket in sockets {
                    let address = PeerAddress(ipv4: 0x7F00_0001, port: node.udpPort)
                    #expect(node.addresses(port: socket.port) == [HomaAddress(node: address, port: socket.port)])
                    socket.close()
                }
            }
        }
    }
}
