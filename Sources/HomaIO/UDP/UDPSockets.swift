// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix
internal import HomaWire

/// One of a node's UDP sockets, which ``UDPSockets`` owns.
struct UDPLane: DatagramLane {
    private var sender: homa_sender
    private let receivesSingly: Bool
    let peer: PeerAddress?
    var lastOverflowCount: UInt32 = 0
    var isIdle = true

    private var descriptor: Int32 { sender.fd }

    init(_ socket: borrowing UDPSocket, _ calls: BatchCalls, usualClass: UInt8, peer: PeerAddress? = nil) {
        sender = homa_sender(socket, calls, usualClass: usualClass)
        sender.is_connected = peer == nil ? 0 : 1
        receivesSingly = !calls.canReceive
        self.peer = peer
    }

    func send(_ messages: UnsafePointer<homa_outgoing>, _ count: Int) -> Int32 {
        withUnsafePointer(to: sender) { homa_send($0, messages, UInt32(count)) }
    }

    func receive(_ slots: UnsafeMutablePointer<homa_incoming>, _ count: Int) -> Int32 {
        homa_receive(descriptor, slots, UInt32(count), receivesSingly ? 1 : 0)
    }

    func receive(
        into pieces: UnsafePointer<iovec>, _ count: Int, _ slot: UnsafeMutablePointer<homa_incoming>
    ) -> Int32 {
        homa_receive_scattered(descriptor, pieces, UInt32(count), slot)
    }

    func receiveError(_ record: inout homa_socket_error) -> Int32 { homa_receive_error(descriptor, &record) }
}

/// A driver over UDP sockets.
typealias UDPDriver = DatagramDriver<UDPSockets>

/// A node's UDP socket, one more for the busiest peer, and what a thread sleeps on for both.
///
/// The second socket has the same local address and is connected to that peer, so the kernel looks up no route for its
/// packets and finds the socket of those that arrive at once. For two hosts that talk mostly to each other that takes
/// more than half a microsecond off each round trip. Everybody else is served by the main socket as before.
final class UDPSockets: DatagramSockets {
    /// The socket that serves every peer.
    let socket: UDPSocket
    private var twin: UDPSocket?
    private var watchedSender: Int32?
    private var senders: [Int32] = []
    var poller: Poller
    private let options: UDPSocketOptions
    let localAddress: PeerAddress
    /// What the system granted the main socket.
    let granted: GrantedOptions
    private let calls: BatchCalls

    /// Opens and binds the socket, at a free port if it is given none.
    init(_ options: UDPSocketOptions) throws(SystemError) {
        let socket = try Self.openBound(options)
        localAddress = try socket.localAddress()
        poller = try Poller(socketDescriptor: socket.descriptor)
        calls = BatchCalls(socket, options)
        granted = socket.prepare(options, reportsTarget: localAddress.isWildcard)
        try Self.steer(socket, options)
        self.options = options
        self.socket = socket
    }

    var main: UDPLane { UDPLane(socket, calls, usualClass: options.usualTrafficClass) }

    var shortfalls: [String] { granted.shortfalls(options) + calls.shortfalls }

    func connect(to peer: PeerAddress, from address: PeerAddress?) -> UDPLane? {
        twin = nil
        guard let twin = openTwin(for: peer, from: address), twin.connect(to: peer) else { return nil }
        // A socket that cannot wake the engine is worth less than none.
        guard (try? poller.watch(twin.descriptor)) != nil else { return nil }
        let lane = UDPLane(twin, calls, usualClass: options.usualTrafficClass, peer: peer)
        self.twin = consume twin
        return lane
    }

    func disconnect() { twin = nil }

    deinit { for sender in senders { close(sender) } }

    func openSender(isWatched: Bool) -> UDPLane? {
        guard let sender = openMuteTwin() else { return nil }
        if isWatched {
            guard (try? poller.watchAlso(sender.descriptor)) != nil else { return nil }
            watchedSender = sender.descriptor
        }
        let lane = UDPLane(sender, calls, usualClass: options.usualTrafficClass)
        senders.append(sender.release())
        return lane
    }

    func pathMTU(to peer: PeerAddress) -> Int? { lookUpPathMTU(to: peer) }

    /// - Parameter filled: whose room ends the wait, too.
    func wait(until limit: Instant, filled: LaneKind?) -> Poller.Events {
        let descriptor: Int32? =
            switch filled {
            case .main: socket.descriptor
            case .connected: twin?.descriptor
            case .heard: watchedSender
            case .spare, nil: nil
            }
        try? poller.waitForRoom(in: descriptor)
        return (try? poller.wait(until: limit)) ?? []
    }

    /// A socket at the main one's address to which the kernel gives nothing: of the sockets that share the port it
    /// chooses by a program, which names those that were there first.
    ///
    /// This one goes on saying that it shares, or the kernel would take it for the port's only socket. So a process of
    /// the same user that asks to share the port is let in, and gets nothing either.
    private func openMuteTwin() -> UDPSocket? {
        guard let twin = try? UDPSocket(family: socket.family) else { return nil }
        letSharePort(true)
        defer { if options.sharers == 1 { letSharePort(false) } }
        copyIPv6Only(to: twin)
        guard twin.set(SOL_SOCKET, SO_REUSEPORT, 1), (try? twin.bind(to: localAddress)) != nil,
            options.sharers > 1 || homa_steer(twin.descriptor, 0, 1) >= 0
        else { return nil }
        _ = twin.prepare(options, reportsTarget: false)
        return twin
    }

    /// Whether other sockets may have the port: all that have it must agree.
    private func letSharePort(_ may: Bool) {
        socket.set(SOL_SOCKET, SO_REUSEPORT, may ? 1 : 0)
        if twin != nil { twin!.set(SOL_SOCKET, SO_REUSEPORT, may ? 1 : 0) }
    }

    private func copyIPv6Only(to twin: borrowing UDPSocket) {
        guard twin.family == AF_INET6 else { return }
        let isOnlyIPv6 = socket.get(Int32(IPPROTO_IPV6), IPV6_V6ONLY) ?? 0
        twin.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, Int32(isOnlyIPv6))
    }

    /// A socket at the address given, else the main one's. Two may share the port only while both say so; afterwards it
    /// is closed to other processes again.
    ///
    /// An IPv4 peer gets an IPv4 socket even beside an IPv6 one, where the kernel would look up the route anew
    /// for every packet to a mapped address.
    private func openTwin(for peer: PeerAddress, from own: PeerAddress?) -> UDPSocket? {
        let family = peer.isIPv4 ? AF_INET : AF_INET6
        let address =
            own ?? (peer.isIPv4 && !localAddress.isIPv4 ? PeerAddress(ipv4: 0, port: localAddress.port) : localAddress)
        guard let twin = try? UDPSocket(family: family) else { return nil }
        letSharePort(true)
        defer { letSharePort(false) }
        copyIPv6Only(to: twin)
        guard twin.set(SOL_SOCKET, SO_REUSEPORT, 1), (try? twin.bind(to: address)) != nil else { return nil }
        twin.set(SOL_SOCKET, SO_REUSEPORT, 0)
        _ = twin.prepare(options, reportsTarget: own == nil && localAddress.isWildcard)
        return twin
    }

    /// Has the kernel give each shard its packets.
    private static func steer(_ socket: borrowing UDPSocket, _ options: UDPSocketOptions) throws(SystemError) {
        // The first socket is nobody's companion before the second is there.
        guard options.sharers > 1, options.joinsSharers else { return }
        let result = homa_steer(socket.descriptor, UInt32(ShardSteering.offset), UInt32(options.sharers))
        guard result >= 0 else { throw SystemError(call: "setsockopt", code: -result, context: "steering of shards") }
    }

    /// Opens a socket where it is wanted. The first of those that share a port takes it for itself before it lets the
    /// others in, so that no other process shares it unasked.
    private static func openBound(_ options: UDPSocketOptions) throws(SystemError) -> UDPSocket {
        let socket: UDPSocket
        switch options.binding {
        case .address(let address):
            socket = try UDPSocket(family: address.isIPv4 ? AF_INET : AF_INET6)
            if !address.isIPv4 { socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
            if options.joinsSharers { socket.set(SOL_SOCKET, SO_REUSEPORT, 1) }
            try socket.bind(to: address)
        case .wildcard(let port, let family):
            let wide = family == .automatic && isIPv6Available ? try UDPSocket(family: AF_INET6) : nil
            if let wide, wide.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) {
                socket = wide
            } else {
                socket = try UDPSocket(family: AF_INET)
            }
            if options.joinsSharers { socket.set(SOL_SOCKET, SO_REUSEPORT, 1) }
            try socket.bind(
                to: socket.family == AF_INET6
                    ? PeerAddress(high: 0, low: 0, port: port) : PeerAddress(ipv4: 0, port: port))
        }
        if options.sharers > 1 { socket.set(SOL_SOCKET, SO_REUSEPORT, 1) }
        return socket
    }
}

/// Which of the sockets that share a port a datagram goes to.
enum ShardSteering {
    /// Where the lower half of a packet's RPC identifier is.
    static var offset: Int { CommonHeader.senderIDOffset + 4 }

    /// What the kernel's program works out: the number there, halved, modulo the sockets; 0 for what is too short.
    static func shard(of datagram: UnsafeRawBufferPointer, count: Int) -> Int {
        guard datagram.count >= offset + 4 else { return 0 }
        let number = UInt32(bigEndian: datagram.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        return Int(number >> 1) % count
    }
}

extension DatagramDriver where Sockets == UDPSockets {
    /// Opens and binds the socket. Allocates all memory the driver will ever use.
    ///
    /// - Throws: ``SystemError``: `EINVAL` for an option out of range, `EADDRINUSE`, `EADDRNOTAVAIL`,
    ///   `EACCES` (ports below 1024), or what the system says.
    init(_ options: UDPSocketOptions = UDPSocketOptions()) throws(SystemError) {
        try options.validate()
        let sockets = try UDPSockets(options)
        try self.init(
            sockets, options, isUsingGSO: options.gso == .automatic && sockets.socket.canSegment(),
            isUsingGRO: sockets.granted.isUsingGRO)
    }

    /// The main socket, for a ``Poller``. It is closed with the driver.
    var fileDescriptor: Int32 { sockets.socket.descriptor }
    /// Bytes of the kernel's buffers granted, in the unit of ``UDPSocketOptions/receiveBufferBytes``.
    var receiveBufferBytes: Int { sockets.granted.receiveBufferBytes }
    var sendBufferBytes: Int { sockets.granted.sendBufferBytes }

    mutating func flush() -> FlushResult { flush(at: MonotonicClock.process.now()) }

    /// True when peers of both families can be reached through the socket.
    var isDualStack: Bool {
        sockets.socket.family == AF_INET6 && sockets.socket.get(Int32(IPPROTO_IPV6), IPV6_V6ONLY) == 0
    }
}

extension DatagramDriver: WaitingDriver where Sockets == UDPSockets {
    var waker: Waker { sockets.poller.waker }

    mutating func wait(until limit: Instant, forRoom: Bool) -> Poller.Events {
        sockets.wait(until: limit, filled: forRoom ? filled : nil)
    }
}

extension UDPSocketOptions {
    func validate() throws(SystemError) {
        try Self.check(receiveBufferBytes, in: 1...Int(Int32.max), "receiveBufferBytes")
        try Self.check(sendBufferBytes, in: 1...Int(Int32.max), "sendBufferBytes")
        try Self.check(maximumTrainBytes, in: 1...65_000, "maximumTrainBytes")
        try Self.check(sendQueueCapacity, in: 1...65_536, "sendQueueCapacity")
        try Self.check(receiveSlots, in: 1...Int(HOMA_BATCH_LIMIT), "receiveSlots")
        try Self.check(sharers, in: 1...256, "sharers")
        try Self.check(trafficClasses.count, in: 8...8, "the number of trafficClasses")
        for trafficClass in trafficClasses where trafficClass & 3 != 0 {
            throw SystemError(
                call: "UDPSocketOptions", code: EINVAL,
                context: "a traffic class is \(trafficClass), but its lower two bits must be 0")
        }
        try Self.check(Int(usualPriority), in: 0...7, "usualPriority")
        try Self.check(receiveSlotBytes, in: 1...(1 << 20), "receiveSlotBytes")
    }

    private static func check(_ value: Int, in range: ClosedRange<Int>, _ name: String) throws(SystemError) {
        guard !range.contains(value) else { return }
        throw SystemError(
            call: "UDPSocketOptions", code: EINVAL,
            context: "\(name) is \(value), not \(range.lowerBound) to \(range.upperBound)")
    }
}
