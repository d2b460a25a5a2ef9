// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaPosix
import Testing

@Suite("Address resolver")
struct AddressResolverTests {
    static let loopback6 = PeerAddress(high: 0, low: 1, port: 80)
    static let loopback4 = PeerAddress(ipv4: 0x7F00_0001, port: 80)

    @Test(
        "the forms people write",
        arguments: [("127.0.0.1:80", loopback4), ("[::1]:80", loopback6), ("[::ffff:127.0.0.1]:80", loopback4)])
    func forms(text: String, expected: PeerAddress) throws {
        #expect(try AddressResolver.resolve(text) == [expected])
    }

    @Test("a port may be left out when there is a default", arguments: ["127.0.0.1", "::1", "[::1]"])
    func defaultPort(text: String) throws {
        let found = try AddressResolver.resolve(text, defaultPort: 80)
        #expect(found == [text == "127.0.0.1" ? Self.loopback4 : Self.loopback6])
    }

    @Test("localhost is a loopback address, found once each")
    func names() throws {
        let found = try AddressResolver.resolve("localhost:80")
        #expect(!found.isEmpty && Set(found).count == found.count)
        #expect(found.allSatisfy { $0 == Self.loopback4 || $0 == Self.loopback6 })
    }

    @Test("the scope of a link-local address is kept")
    func scope() throws {
        let found = try AddressResolver.resolve("[fe80::1%lo]:9")
        #expect(found == [PeerAddress(high: 0xFE80 << 48, low: 1, scope: 1, port: 9)])
        found[0].withSocketAddress { #expect(PeerAddress(socketAddress: $0) == found[0]) }
    }

    @Test(
        "what is not an address says why",
        arguments: [
            ("127.0.0.1", "no port"), (":80", "no host"), ("[::1]", "no port"), ("[::1", "no closing bracket"),
            ("[::1]80", "only a port may follow the brackets"), ("::1", "an IPv6 address with a port needs brackets"),
            ("a:0", "the port must be 1 to 65535"), ("a:65536", "the port must be 1 to 65535"),
            ("a:+80", "the port must be 1 to 65535"), ("a:", "the port must be 1 to 65535"),
            ("[a]:80", "no IPv6 address in the brackets"), ("", "no host"),
        ])
    func malformed(text: String, reason: String) {
        #expect(throws: ResolutionError.malformed(text: text, reason: reason)) { try AddressResolver.resolve(text) }
    }

    @Test("an unknown host is an error of its own")
    func unknown() {
        #expect { try AddressResolver.resolve("[::zz]:80") } throws: {
            if case .notFound(host: "::zz", _) = $0 as? ResolutionError { true } else { false }
        }
    }

    @Test("socket addresses survive the round trip, and short ones are refused")
    func socketAddresses() {
        for address in [Self.loopback4, Self.loopback6, PeerAddress(high: .max, low: 5, scope: 3, port: 65535)] {
            address.withSocketAddress { bytes in
                #expect(bytes.count == (address.isIPv4 ? 16 : 28))
                #expect(PeerAddress(socketAddress: bytes) == address)
                #expect(PeerAddress(socketAddress: UnsafeRawBufferPointer(rebasing: bytes.dropLast())) == nil)
            }
        }
        #expect(PeerAddress(socketAddress: UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
    }
}
