// SPDX-License-Identifier: Apache-2.0

public import CHomaPosix
internal import Glibc
public import HomaBase

extension PeerAddress {
    /// The shim's form of this address.
    @inlinable
    public var shimAddress: homa_address {
        @inline(__always) get { homa_address(high: high, low: low, scope: scope, port: port) }
    }

    /// The address that the shim gave.
    @inlinable
    @inline(__always)
    public init(_ address: homa_address) {
        self.init(high: address.high, low: address.low, scope: address.scope, port: address.port)
    }

    /// Reads a `sockaddr_in` or `sockaddr_in6`; nil for other families and for too few bytes.
    public init?(socketAddress bytes: UnsafeRawBufferPointer) {
        var address = homa_address()
        guard let base = bytes.baseAddress, homa_load_address(base, bytes.count, &address) == 0 else { return nil }
        self.init(address)
    }

    /// Calls `body` with a `sockaddr_in` (IPv4) or `sockaddr_in6` of this address; the bytes are valid only inside.
    @inlinable
    public func withSocketAddress<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try withSocketAddress(family: isIPv4 ? AF_INET : AF_INET6, body)
    }

    /// The same for a socket of a given family. An IPv6 address needs AF_INET6: anything else is a mistake.
    @inlinable
    public func withSocketAddress<R, E: Error>(
        family: Int32, _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        var storage = sockaddr_storage()
        var address = shimAddress
        let length = homa_store_address(&address, family, &storage)
        precondition(length > 0, "an IPv4 socket cannot name \(self)")
        do {
            return try withUnsafeBytes(of: &storage) { bytes throws(E) -> R in
                try body(UnsafeRawBufferPointer(rebasing: bytes[0..<Int(length)]))
            }
        } catch { throw error }
    }
}

extension PeerAddress {
    /// The address that a socket is bound to.
    ///
    /// - Throws: what `getsockname` says; `EAFNOSUPPORT` for a socket that has no IP address.
    public static func bound(to socket: Int32) throws(SystemError) -> PeerAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        try SystemError.checkErrno(result, "getsockname", "descriptor \(socket)")
        guard let address = withUnsafeBytes(of: storage, { PeerAddress(socketAddress: $0) }) else {
            throw SystemError(call: "getsockname", code: EAFNOSUPPORT, context: "descriptor \(socket)")
        }
        return address
    }
}

/// The addresses of this host by which it can be reached, without those that mean something on one link only: first
/// what other hosts can use. Without ports.
public func hostAddresses() -> [PeerAddress] {
    let capacity = 256
    return withUnsafeTemporaryAllocation(of: homa_address.self, capacity: capacity) { found in
        let count = Int(max(0, homa_local_addresses(found.baseAddress!, UInt32(capacity))))
        let all = found[..<count].map { PeerAddress($0) }.filter { !$0.isLinkLocal && !$0.isMulticast }
        return all.filter { !$0.isLoopback } + all.filter(\.isLoopback)
    }
}

/// True when this system can open IPv6 sockets; containers often cannot.
public var isIPv6Available: Bool {
    let descriptor = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
}
