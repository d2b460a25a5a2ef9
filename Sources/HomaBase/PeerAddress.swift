// SPDX-License-Identifier: Apache-2.0

/// Where a host's Homa packets come from and go to: an IP address and, over UDP, the node's UDP port.
///
/// An IPv4 address is kept in its IPv6-mapped form (`::ffff:a.b.c.d`), so that one key fits both
/// families. The protocol core only compares addresses; drivers give them meaning.
@frozen
public struct PeerAddress: Hashable, Sendable, BitwiseCopyable {
    /// Bytes 0–7 of the IPv6 address, most significant first.
    public var high: UInt64
    /// Bytes 8–15 of the IPv6 address, most significant first.
    public var low: UInt64
    /// IPv6 scope (interface) of a link-local address; 0 otherwise.
    public var scope: UInt32
    /// The node's UDP port; on a carriage without UDP (IP protocol 146) the Homa port.
    public var port: UInt16
    /// Which of this host's own addresses its packets come to and leave from, as the driver numbers them; 0: whichever
    /// the system chooses. It says how to get there, not who that is: equal addresses may differ in it.
    public var local: UInt16 = 0

    @inlinable
    public init(high: UInt64, low: UInt64, scope: UInt32 = 0, port: UInt16) {
        self.high = high
        self.low = low
        self.scope = scope
        self.port = port
    }

    /// An IPv4 address given as a number, most significant byte first (127.0.0.1 is 0x7F000001).
    @inlinable
    public init(ipv4 address: UInt32, port: UInt16) {
        self.init(high: 0, low: 0x0000_FFFF_0000_0000 | UInt64(address), port: port)
    }

    @inlinable
    public static func == (one: PeerAddress, other: PeerAddress) -> Bool {
        one.low == other.low && one.port == other.port && one.high == other.high && one.scope == other.scope
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
        hasher.combine(scope)
        hasher.combine(port)
    }

    /// True when packets to both leave in the same way: to the same address, from the same one.
    @inlinable
    public func isSameWay(as other: PeerAddress) -> Bool { self == other && local == other.local }

    /// True for an IPv4 address in mapped form.
    @inlinable
    public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// The IPv4 address, most significant byte first. Meaningful only when `isIPv4`.
    @inlinable
    public var ipv4: UInt32 { UInt32(truncatingIfNeeded: low) }
}

/// Addresses that are no host's own on a network of hosts.
extension PeerAddress {
    /// True for addresses that mean something on one link only.
    @inlinable
    public var isLinkLocal: Bool { isIPv4 ? ipv4 >> 16 == 0xA9FE : high >> 54 == 0xFE80 >> 6 }

    /// True for addresses of the own host that no other can use.
    @inlinable
    public var isLoopback: Bool { isIPv4 ? ipv4 >> 24 == 127 : high == 0 && low == 1 }

    /// True for addresses of groups, and for IPv4's broadcast.
    @inlinable
    public var isMulticast: Bool { isIPv4 ? ipv4 >> 28 >= 14 : high >> 56 == 0xFF }

    /// True when it names no address of a host, but all of them.
    @inlinable
    public var isWildcard: Bool { high == 0 && (low == 0 || low == 0xFFFF_0000_0000) }
}

extension PeerAddress: CustomStringConvertible {
    /// `a.b.c.d:port` or `[v6]:port` with all eight groups written out.
    public var description: String { isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

    /// The IP address alone, with its scope if it has one.
    public var host: String {
        if isIPv4 {
            let address = ipv4
            return "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
        }
        let groups = [high, low].flatMap { half in
            (0..<4).map { String(half >> (48 - 16 * UInt64($0)) & 0xFFFF, radix: 16) }
        }
        return groups.joined(separator: ":") + (scope == 0 ? "" : "%\(scope)")
    }
}
