// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase

/// One raw socket for each family; an IPv6 one does not serve IPv4. They are closed with the value.
struct RawSockets: ~Copyable {
    /// Descriptors, or -1.
    let ipv4: Int32
    let ipv6: Int32
    /// The address bound to, or all zero; without port.
    let address: PeerAddress

    init(_ options: UDPSocketOptions) throws(SystemError) {
        switch options.binding {
        case .address(var bound):
            bound.port = 0
            address = bound
            let descriptor = try Self.open(bound.isIPv4 ? AF_INET : AF_INET6, bound, options)
            ipv4 = bound.isIPv4 ? descriptor : -1
            ipv6 = bound.isIPv4 ? -1 : descriptor
        case .wildcard(_, let family):
            let hasIPv6 = family == .automatic && isIPv6Available
            address = PeerAddress(high: 0, low: hasIPv6 ? 0 : 0xFFFF_0000_0000, port: 0)
            let first = try Self.open(AF_INET, nil, options)
            do throws(SystemError) {
                ipv6 = hasIPv6 ? try Self.open(AF_INET6, nil, options) : -1
            } catch {
                close(first)
                throw error
            }
            ipv4 = first
        }
    }

    deinit {
        if ipv4 >= 0 { close(ipv4) }
        if ipv6 >= 0 { close(ipv6) }
    }

    private static func open(
        _ family: Int32, _ address: PeerAddress?, _ options: UDPSocketOptions
    ) throws(SystemError) -> Int32 {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let number = RawIPDriver.protocolNumber
        let descriptor = try SystemError.checkErrno(
            Glibc.socket(family, type, number), "socket", "IP protocol \(number); raw sockets need CAP_NET_RAW")
        let socket = UDPSocket(owning: descriptor, family: family)
        socket.prepare(reportsTrafficClass: options.reportsTrafficClass, reportsTarget: address == nil)
        _ = socket.setBuffer(SO_RCVBUF, forced: SO_RCVBUFFORCE, byteCount: options.receiveBufferBytes)
        _ = socket.setBuffer(SO_SNDBUF, forced: SO_SNDBUFFORCE, byteCount: options.sendBufferBytes)
        if let address { try socket.bind(to: address) }
        return socket.release()
    }
}
