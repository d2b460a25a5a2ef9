// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaPosix

/// The Homa ports of one node among those of its host.
///
/// Over IP protocol 146 all nodes of a host share one set of ports and nobody keeps a list. Each port in use is a Unix
/// socket with an abstract name, `homa/146/port/<number>`: the kernel lets one process have it, forgets it with the
/// process, and keeps one set of names for each network namespace, as it does with ports.
struct HostPorts: ~Copyable {
    private let bits: UnsafeMutablePointer<UInt64>
    private var claims: [UInt16: HostClaim] = [:]
    private var hostClaim: HostClaim?

    init() {
        bits = .allocate(capacity: 1024)
        bits.initialize(repeating: 0, count: 1024)
    }

    deinit { bits.deallocate() }

    /// Takes `port` for this node.
    mutating func open(_ port: UInt16) throws(SystemError) {
        guard claims[port] == nil else { return }
        claims[port] = try HostClaim("port/\(port)")
        bits[Int(port >> 6)] |= 1 << UInt64(port & 63)
    }

    mutating func close(_ port: UInt16) {
        claims[port] = nil
        bits[Int(port >> 6)] &= ~(1 << UInt64(port & 63))
    }

    /// True for the ports of this node.
    @inline(__always)
    func isOurs(_ port: UInt16) -> Bool { bits[Int(port >> 6)] >> UInt64(port & 63) & 1 == 1 }

    /// True when some node of this host has the port. A few system calls.
    func belongsToSomebody(_ port: UInt16) -> Bool { HostClaim.exists("port/\(port)") }

    /// True in one node of a host: the one that answers packets to ports that nobody has.
    var answersForHost: Bool {
        mutating get {
            if hostClaim == nil { hostClaim = try? HostClaim("host") }
            return hostClaim != nil
        }
    }
}

/// Something that one process of a host has, until the value goes away.
final class HostClaim: Sendable {
    private let descriptor: Int32

    /// - Throws: `EADDRINUSE` when another process has it.
    init(_ name: String) throws(SystemError) {
        descriptor = try SystemError.check(homa_claim(Self.path(name)), "bind", "homa \(name) of this host")
    }

    deinit { close(descriptor) }

    static func exists(_ name: String) -> Bool { homa_is_claimed(path(name)) == 1 }

    private static func path(_ name: String) -> String { "homa/146/\(name)" }
}
