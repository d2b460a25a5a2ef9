// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaBase
import Testing

extension LoopbackTests {
    @Suite("Homa addresses")
    struct AddressTests {
        @Test(
            "text forms",
            arguments: [
                ("127.0.0.1:4000", PeerAddress(ipv4: 0x7F00_0001, port: 4000), 4000 as UInt16),
                ("127.0.0.1:4000/99", PeerAddress(ipv4: 0x7F00_0001, port: 4000), 99),
                ("[::1]:4000", PeerAddress(high: 0, low: 1, port: 4000), 4000),
                ("[::1]:60000/99", PeerAddress(high: 0, low: 1, port: 60000), 99),
            ])
        func forms(text: String, node: PeerAddress, port: UInt16) throws {
            #expect(try HomaAddress(text) == HomaAddress(node: node, port: port))
            #expect(try HomaAddress(HomaAddress(text).description) == HomaAddress(text))
        }

        @Test(
            "texts that are no addresses",
            arguments: [
                "", "127.0.0.1", ":4000", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:4000/",
                "127.0.0.1:4000/0",
                "127.0.0.1:4000/32768", "127.0.0.1:4000/x", "[::1]", "[::1:4000", "::1:4000", "127.0.0.1:40000",
                "a.example:1",
                "1.2.3.4.5:1", "127.0.0.1:4000/-1",
            ])
        func malformed(text: String) async {
            #expect(throws: HomaError.self) { try HomaAddress(text) }
        }

        @Test("names are resolved by the node, off its thread, and remembered")
        func names() async throws {
            try await withHomaNode(loopback()) { node in
                let address = try await node.resolve("localhost:4000/7")
                #expect(address.port == 7 && address.node.port == 4000)
                let answer1 = try await node.resolve("localhost:4000/7")
                #expect(answer1 == address)
                #expect(await code { _ = try await node.resolve("no-such-host.invalid:1") } == .nameNotFound)
                #expect(await code { _ = try await node.call("nonsense", sending: [1]) } == .invalidAddress)
            }
        }
    }
}
