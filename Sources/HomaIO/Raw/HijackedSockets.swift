// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// Raw TCP sockets beside those of protocol 146, for packets of hosts that send them as TCP (`hijack_tcp` of the kernel
/// module): of the same families, and with a filter that leaves all other TCP to the system. Nothing is sent by them:
/// the kernel module takes protocol 146 whatever it sends.
///
/// The system's TCP sees the packets as well. They are marked SYN and RST, to which it never answers.
struct HijackedSockets: ~Copyable {
    /// Descriptors, or -1.
    private(set) var ipv4: Int32 = -1
    private(set) var ipv6: Int32 = -1

    /// - Parameter sockets: those of protocol 146.
    init(beside sockets: borrowing RawSockets, _ options: UDPSocketOptions) throws(SystemError) {
        guard options.takesHijackedTCP else { return }
        let address: PeerAddress? = if case .address = options.binding { sockets.address } else { nil }
        if sockets.ipv4 >= 0 { ipv4 = try Self.open(AF_INET, address, options) }
        if sockets.ipv6 >= 0 { ipv6 = try Self.open(AF_INET6, address, options) }
    }

    deinit {
        if ipv4 >= 0 { close(ipv4) }
        if ipv6 >= 0 { close(ipv6) }
    }

    var isOpen: Bool { ipv4 >= 0 || ipv6 >= 0 }

    private static func open(
        _ family: Int32, _ address: PeerAddress?, _ options: UDPSocketOptions
    ) throws(SystemError) -> Int32 {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = try SystemError.checkErrno(
            Glibc.socket(family, type, Int32(IPPROTO_TCP)), "socket", "raw TCP; raw sockets need CAP_NET_RAW")
        let socket = UDPSocket(owning: descriptor, family: family)
        try SystemError.check(
            homa_filter_hijacked(descriptor, family == AF_INET ? 1 : 0), "setsockopt", "SO_ATTACH_FILTER")
        _ = socket.prepare(options, reportsTarget: address == nil, isUDP: false)
        if let address { try socket.bind(to: address) }
        return socket.release()
    }

    /// What came before the filter was there is told by the same marks.
    static func isHoma(_ packet: UnsafeRawPointer, count: Int) -> Bool {
        count >= 20 && packet.load(fromByteOffset: 13, as: UInt8.self) == 6
            && packet.loadBigEndian(18, as: UInt16.self) == 0xB97D
    }
}
