// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase
internal import HomaPosix

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

    /// Sets the options that every node's socket needs: no fragmentation, ICMP errors told apart by peer, buffers,
    /// marks. On an IPv6 socket the IPv4 options hold for mapped peers.
    ///
    /// The kernel does not hold packets to what ICMP says of the path (`IP_PMTUDISC_PROBE`): it believes a report if
    /// any socket has the quoted port, so anybody could make every path narrow. The engine believes it for an RPC.
    ///
    /// - Parameters:
    ///   - reportsTarget: whether each datagram comes with the own address that it was sent to.
    ///   - isUDP: whether it is a UDP socket, and not one of an IP protocol.
    func prepare(_ options: UDPSocketOptions, reportsTarget: Bool, isUDP: Bool = true) -> GrantedOptions {
        var granted = GrantedOptions()
        func demand(_ level: Int32, _ option: Int32, _ value: Int32, _ name: String) {
            if !set(level, option, value) { granted.refused.append(name) }
        }
        demand(SOL_SOCKET, SO_RXQ_OVFL, 1, "SO_RXQ_OVFL")
        let usual = Int32(options.usualTrafficClass)
        if family == AF_INET || isUDP {
            let level = Int32(IPPROTO_IP)
            demand(level, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, "IP_MTU_DISCOVER")
            demand(level, IP_RECVERR, 1, "IP_RECVERR")
            // On an IPv6 socket too: packets to mapped addresses leave as IPv4.
            demand(level, IP_TOS, usual, "IP_TOS")
            if options.reportsTrafficClass { demand(level, IP_RECVTOS, 1, "IP_RECVTOS") }
        }
        if family == AF_INET {
            if reportsTarget { demand(Int32(IPPROTO_IP), IP_PKTINFO, 1, "IP_PKTINFO") }
        } else {
            let level = Int32(IPPROTO_IPV6)
            demand(level, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE, "IPV6_MTU_DISCOVER")
            demand(level, IPV6_RECVERR, 1, "IPV6_RECVERR")
            demand(level, IPV6_TCLASS, usual, "IPV6_TCLASS")
            if reportsTarget { demand(level, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO") }
            if options.reportsTrafficClass { demand(level, IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS") }
        }
        granted.receiveBufferBytes = setBuffer(
            SO_RCVBUF, forced: SO_RCVBUFFORCE, byteCount: options.receiveBufferBytes)
        granted.sendBufferBytes = setBuffer(SO_SNDBUF, forced: SO_SNDBUFFORCE, byteCount: options.sendBufferBytes)
        guard isUDP else { return granted }
        if options.gso == .automatic, !canSegment() { granted.refused.append("UDP_SEGMENT") }
        if options.gro == .automatic {
            granted.isUsingGRO = enableJoining()
            if !granted.isUsingGRO { granted.refused.append("UDP_GRO") }
        }
        return granted
    }

    /// True when the kernel knows UDP_SEGMENT.
    func canSegment() -> Bool { get(Int32(IPPROTO_UDP), Self.segmentOption) != nil }

    /// Turns UDP_GRO on; false when the kernel does not know it.
    func enableJoining() -> Bool { set(Int32(IPPROTO_UDP), Self.joinOption, 1) }
}

/// The longest IP packet that may leave for `peer`, as the routing table and the interface have it; nil when there is
/// no route. No packet leaves.
///
/// Reports that longer ones do not arrive are not in it: the kernel believes those of anybody (``prepare``).
public func lookUpPathMTU(to peer: PeerAddress) -> Int? {
    if let routes = try? OwnedDescriptor(SystemError.check(homa_routes_open(), "socket", "routing table")) {
        var target = peer.shimAddress
        var mtu: UInt32 = 0
        let result = homa_find_mtu(routes.value, &target, &mtu)
        // The loopback takes longer ones than IPv4 has.
        if result == 0, mtu > 0 { return min(Int(mtu), peer.isIPv4 ? 65_535 : .max) }
        if result == -ENETUNREACH || result == -EHOSTUNREACH { return nil }
    }
    // Where the routing table may not be read, a connected socket tells what the kernel believes.
    var peer = peer
    if peer.port == 0 { peer.port = 9 }
    guard let socket = try? UDPSocket(family: peer.isIPv4 ? AF_INET : AF_INET6), socket.connect(to: peer) else {
        return nil
    }
    return peer.isIPv4
        ? socket.get(Int32(IPPROTO_IP), IP_MTU)
        : socket.get(Int32(IPPROTO_IPV6), IPV6_MTU)
}
