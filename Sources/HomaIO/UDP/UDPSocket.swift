// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase

/// A bound, nonblocking UDP socket; closed when the value goes away.
struct UDPSocket: ~Copyable {
    let descriptor: Int32
    /// AF_INET or AF_INET6.
    let family: Int32

    /// Values of linux/udp.h.
    static let segmentOption: Int32 = 103
    static let joinOption: Int32 = 104

    init(family: Int32) throws(SystemError) {
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        descriptor = try SystemError.checkErrno(
            socket(family, type, 0), "socket", family == AF_INET6 ? "UDP over IPv6" : "UDP over IPv4")
        self.family = family
    }

    /// Takes over a socket that is open already.
    init(owning descriptor: Int32, family: Int32) {
        self.descriptor = descriptor
        self.family = family
    }

    /// Leaves the descriptor to the caller.
    consuming func release() -> Int32 {
        let descriptor = descriptor
        discard self
        return descriptor
    }

    deinit { close(descriptor) }

    /// True when the kernel accepted the option.
    @discardableResult
    func set(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
        var value = value
        return setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }

    /// An integer option, or nil when the kernel does not know it.
    func get(_ level: Int32, _ option: Int32) -> Int? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, level, option, &value, &length) == 0 ? Int(value) : nil
    }

    /// Asks for a buffer size, past the system's limit when the process may; the size granted.
    func setBuffer(_ option: Int32, forced: Int32, byteCount: Int) -> Int {
        let wanted = Int32(clamping: byteCount)
        if !set(SOL_SOCKET, forced, wanted) { set(SOL_SOCKET, option, wanted) }
        // The kernel doubles what it is asked for, to pay for its own book-keeping.
        return (get(SOL_SOCKET, option) ?? 0) / 2
    }

    func bind(to address: PeerAddress) throws(SystemError) {
        let result = address.withSocketAddress(family: family) { bytes in
            Glibc.bind(
                descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        try SystemError.checkErrno(result, "bind", "\(address)")
    }

    /// Remembers a peer; no packet leaves.
    func connect(to address: PeerAddress) -> Bool {
        address.withSocketAddress(family: family) { bytes in
            Glibc.connect(
                descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) == 0
        }
    }

    func localAddress() throws(SystemError) -> PeerAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutableBytes(of: &storage) { bytes in
            getsockname(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
        }
        try SystemError.checkErrno(result, "getsockname")
        let address = withUnsafeBytes(of: &storage) {
            PeerAddress(socketAddress: UnsafeRawBufferPointer(rebasing: $0[0..<Int(length)]))
        }
        guard let address else { throw SystemError(call: "getsockname", code: EAFNOSUPPORT) }
        return address
    }

    /// The options every node's socket needs: no fragmentation, and ICMP errors told apart by peer.
    /// On an IPv6 socket the IPv4 options hold for mapped peers.
    ///
    /// - Parameter reportsTarget: whether each datagram comes with the own address that it was sent to.
    func prepare(reportsTrafficClass: Bool, reportsTarget: Bool) {
        set(SOL_SOCKET, SO_RXQ_OVFL, 1)
        set(Int32(IPPROTO_IP), IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        set(Int32(IPPROTO_IP), IP_RECVERR, 1)
        // On an IPv6 socket too: packets to mapped addresses leave as IPv4.
        set(Int32(IPPROTO_IP), IP_TOS, HOMA_USUAL_TRAFFIC_CLASS)
        if reportsTrafficClass { set(Int32(IPPROTO_IP), IP_RECVTOS, 1) }
        guard family == AF_INET6 else {
            if reportsTarget { set(Int32(IPPROTO_IP), IP_PKTINFO, 1) }
            return
        }
        let level = Int32(IPPROTO_IPV6)
        set(level, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
        set(level, IPV6_RECVERR, 1)
        if reportsTarget { set(level, IPV6_RECVPKTINFO, 1) }
        set(level, IPV6_TCLASS, HOMA_USUAL_TRAFFIC_CLASS)
        if reportsTrafficClass { set(level, IPV6_RECVTCLASS, 1) }
    }

    /// True when the kernel knows UDP_SEGMENT.
    func canSegment() -> Bool { get(Int32(IPPROTO_UDP), Self.segmentOption) != nil }

    /// Turns UDP_GRO on; false when the kernel does not know it.
    func enableJoining() -> Bool { set(Int32(IPPROTO_UDP), Self.joinOption, 1) }
}

/// What the kernel believes to be the longest IP packet on the way to `peer`; nil when there is no
/// route. Asks the routing table by connecting a socket of its own; no packet leaves.
public func lookUpPathMTU(to peer: PeerAddress) -> Int? {
    var peer = peer
    if peer.port == 0 { peer.port = 9 }
    guard let socket = try? UDPSocket(family: peer.isIPv4 ? AF_INET : AF_INET6), socket.connect(to: peer) else {
        return nil
    }
    return peer.isIPv4
        ? socket.get(Int32(IPPROTO_IP), IP_MTU)
        : socket.get(Int32(IPPROTO_IPV6), IPV6_MTU)
}
