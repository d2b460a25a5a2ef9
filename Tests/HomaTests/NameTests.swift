// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import Homa

extension LoopbackTests {
    @Suite("Names", .timeLimit(.minutes(1)))
    struct NameTests {
        /// A UDP port that nobody has.
        private func freePort() async throws -> UInt16 { try await withHomaNode(loopback()) { $0.udpPort } }

        private func ipv4(_ port: UInt16) -> HomaAddress {
            HomaAddress(node: PeerAddress(ipv4: 0x7F00_0001, port: port), port: 100)
        }

        @Test("a call by name goes to the next address where nobody listens, and to that first from then on")
        func next() async throws {
            try await withEcho { server, address in
                try await withHomaNode(loopback()) { client in
                    let dead = ipv4(try await freePort())
                    client.names.remember("twin", [dead, address], until: .distantFuture)
                    #expect(try await client.ask("twin", [1, 2]) == [1, 2])
                    #expect(try await client.addresses(of: "twin") == [address, dead])
                    #expect(try await client.ask("twin", [3]) == [3])
                    client.names.remember("twin", [dead, address], until: .distantFuture)
                    try await client.send([4], to: "twin")
                    #expect(try await client.resolve("twin") == address)
                    // Each form in which a request can be given goes to the next as it is.
                    client.names.remember("twin", [dead, address], until: .distantFuture)
                    let filled = try await client.call("twin", count: 3) { span in
                        for byte in 5..<8 as Range<UInt8> { span.append(byte) }
                    }
                    #expect(filled.copyBytes() == [5, 6, 7])
                    client.names.remember("twin", [dead, address], until: .distantFuture)
                    let buffered = try await client.call("twin", sending: HomaBuffer(copying: [9, 10]))
                    #expect(buffered.copyBytes() == [9, 10])
                }
            }
        }

        @Test("when nobody listens at any address the last error is thrown, and the name is asked for anew")
        func nobody() async throws {
            try await withHomaNode(loopback()) { client in
                let limit = client.engine.now + .seconds(60)
                let addresses = [ipv4(try await freePort()), ipv4(try await freePort())]
                client.names.remember("nobody", addresses, until: limit)
                do throws(HomaError) {
                    _ = try await client.call("nobody", sending: [1])
                    Issue.record("somebody answered")
                } catch {
                    #expect(error.code == .portUnreachable && error.peer == addresses[1])
                    #expect(!error.mayHaveRun)
                }
                #expect(client.names.addresses(of: "nobody", at: client.engine.now) == nil)
            }
        }

        @Test("an error of the application goes to nobody else, and costs the name nothing")
        func answered() async throws {
            try await withHomaNode(loopback()) { server in
                let socket = try server.openSocket(port: 100)
                try await withHomaNode(loopback()) { client in
                    let addresses = [server.address(port: 100), ipv4(try await freePort())]
                    client.names.remember("twin", addresses, until: .distantFuture)
                    let call = Task { await code { _ = try await client.call("twin", sending: [1]) } }
                    try await socket.nextRequest().fail("no")
                    #expect(await call.value == .applicationError)
                    #expect(try await client.addresses(of: "twin") == addresses)
                }
            }
        }

        @Test("what the own system has no way to is told so, with its words")
        func noWay() async throws {
            try await withHomaNode(loopback()) { client in
                // A socket bound to 127.0.0.1 cannot reach other hosts.
                do throws(HomaError) {
                    _ = try await client.call("192.0.2.1:4000", sending: [1], deadline: .seconds(20))
                    Issue.record("somebody answered")
                } catch {
                    #expect([.hostUnreachable, .sendRefused].contains(error.code), "\(error)")
                    #expect(error.message.contains("this host"), "\(error)")
                }
            }
        }
    }
}
