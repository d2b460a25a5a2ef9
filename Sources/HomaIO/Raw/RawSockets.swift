// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// One raw socket for each family; an IPv6 one does not serve IPv4. They are closed with the value.
struct RawSockets: ~Copyable {
    /// Descriptors, or -1.
    let ipv4: Int32
    let ipv6: Int32
    /// The address bound to, or all zero; without port.
    let address: PeerAddress
    /// What the system granted the first of them.
    let granted: GrantedOptions
    let calls: BatchCalls

    init(_ options: UDPSocketOptions) throws(SystemError) {
        switch options.binding {
        case .address(var bound):
            bound.port = 0
            let opened = try Self.open(bound.isIPv4 ? AF_INET : AF_INET6, bound, options)
            address = bound
            granted = opened.granted
            calls = opened.calls
            ipv4 = bound.isIPv4 ? opened.descriptor : -1
            ipv6 = bound.isIPv4 ? -1 : opened.descriptor
        case .wildcard(_, let family):
            let hasIPv6 = family == .automatic && isIPv6Available
            let first = try Self.open(AF_INET, nil, options)
            var second: Int32 = -1
            do throws(SystemError) {
                if hasIPv6 { second = try Self.open(AF_INET6, nil, options).descriptor }
            } catch {
                close(first.descriptor)
                throw error
            }
            address = PeerAddress(high: 0, low: hasIPv6 ? 0 : 0xFFFF_0000_0000, port: 0)
            granted = first.granted
            calls = first.calls
            ipv4 = first.descriptor
            ipv6 = second
        }
    }

    deinit {
        if ipv4 >= 0 { close(ipv4) }
        if ipv6 >= 0 { close(ipv6) }
    }

    private static func open(
        _ family: Int32, _ address: PeerAddress?, _ options: UDPSocketOptions
    ) throws(SystemError) -> (descriptor: Int32, granted: GrantedOptions, calls: BatchCalls) {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let number = RawIPDriver.protocolNumber
        let descriptor = try SystemError.checkErrno(
            Glibc.socket(family, type, number), "socket", "IP protocol \(number); raw sockets need CAP_NET_RAW")
        let socket = UDPSocket(owning: descriptor, family: family)
        let granted = socket.prepare(options, reportsTarget: address == nil, isUDP: false)
        let calls = BatchCalls(socket, options)
        if let address { try socket.bind(to: address) }
        return (socket.release(), granted, calls)
    }
}
