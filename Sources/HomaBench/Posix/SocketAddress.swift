// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase

extension PeerAddress {
    /// The address family a socket for this address needs.
    var family: Int32 { isIPv4 ? AF_INET : AF_INET6 }

    /// Shows the address as the kernel wants it.
    func withSocketAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        if isIPv4 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = ipv4.bigEndian
            return withRebound(&address, body)
        }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_scope_id = scope
        withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
            bytes.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return withRebound(&address, body)
    }

    /// The address a socket is bound to.
    static func bound(to socket: Int32) throws(SocketError) -> PeerAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        _ = try checked(result, "getsockname")
        return withUnsafeBytes(of: storage) { PeerAddress(socketAddress: $0) }
    }

    /// Reads a `sockaddr_in` or `sockaddr_in6`.
    private init(socketAddress bytes: UnsafeRawBufferPointer) {
        let port = UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        if bytes.load(as: sa_family_t.self) == sa_family_t(AF_INET) {
            self.init(ipv4: UInt32(bigEndian: bytes.load(fromByteOffset: 4, as: UInt32.self)), port: port)
        } else {
            self.init(
                high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
                scope: bytes.load(fromByteOffset: 24, as: UInt32.self), port: port)
        }
    }
}

private func withRebound<T, R>(_ address: inout T, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<T>.size)) }
    }
}
