// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase
internal import HomaWire

/// Carries packets over an unconnected UDP socket, and a connected one for the busiest peer: trains out, joined
/// trains in, errors aside.
///
/// One thread uses a driver at a time; it may be handed from one to another. No call blocks, and
/// none allocates except where its documentation says so.
///
/// To send: ``reserveHeader()``, fill it, ``append(headerByteCount:payload:payloadByteCount:to:priority:)``,
/// and again until there is nothing more or ``isFull``; then ``flush()``. To receive: ``receive()``
/// until it answers 0, looking at each ``datagram(_:)``.
public struct UDPDriver: ~Copyable, @unchecked Sendable {
    /// The socket that serves every peer.
    let socket: UDPSocket
    var main: UDPLane
    /// The socket of the busiest peer.
    var connectedSocket: UDPSocket?
    var connected: UDPLane?
    var busiestPeer = BusiestPeer()
    /// False when it is not wanted, or has been found not to work.
    var mayConnect: Bool
    /// Calls of ``receive()`` until the main socket is looked at again, while there is another one.
    var callsUntilMain = 0
    let options: UDPSocketOptions
    var sendQueue: SendQueue
    var receiveRing: ReceiveRing
    /// While armed, what is received next goes there.
    var scatter = ScatterPlan()
    /// Where the datagram of the last ``receive()`` lies: as the plan says, instead of in its slot.
    var isScattered = false
    var deniedPeers = GSODenials()
    var reports = LocalReports()

    /// Where the socket is bound; the port is the real one even if 0 was asked for.
    public let localAddress: PeerAddress
    /// Bytes of the kernel's receive buffer granted, in the unit of ``UDPSocketOptions/receiveBufferBytes``.
    public let receiveBufferBytes: Int
    /// Bytes of the kernel's send buffer granted.
    public let sendBufferBytes: Int
    /// True while trains are handed to the kernel whole; turns false for good when it refuses them.
    public internal(set) var isUsingGSO: Bool
    /// True when the kernel joins received trains.
    public let isUsingGRO: Bool
    /// True when ``nextError()`` may have something to say; a ``Poller/Events/error`` says so too.
    public internal(set) var mayHaveErrors = false
    /// What has happened so far.
    public internal(set) var statistics = UDPStatistics()

    /// Opens and binds the socket. Allocates all memory the driver will ever use.
    ///
    /// - Throws: ``SystemError``: `EINVAL` for an option out of range, `EADDRINUSE`, `EADDRNOTAVAIL`,
    ///   `EACCES` (ports below 1024), or what the system says.
    public init(_ options: UDPSocketOptions = UDPSocketOptions()) throws(SystemError) {
        try options.validate()
        let socket = try Self.openBound(options.binding, isShared: options.sharers > 1)
        let address = try socket.localAddress()
        let ring = try ReceiveRing(slotCount: options.receiveSlots, slotBytes: options.receiveSlotBytes)
        let granted = Self.prepare(socket, options)
        try Self.steer(socket, options)
        receiveBufferBytes = granted.receiveBufferBytes
        sendBufferBytes = granted.sendBufferBytes
        isUsingGRO = granted.isUsingGRO
        isUsingGSO = options.gso == .automatic && socket.canSegment()
        // A connected socket would get all of its peer's packets, whatever their shard.
        mayConnect = options.connectsToBusiestPeer && options.sharers == 1
        self.options = options
        sendQueue = SendQueue(capacity: options.sendQueueCapacity, maximumTrainBytes: options.maximumTrainBytes)
        receiveRing = ring
        localAddress = address
        main = UDPLane(socket)
        self.socket = socket
    }

    /// What the system granted a socket.
    struct Granted {
        var receiveBufferBytes: Int
        var sendBufferBytes: Int
        var isUsingGRO: Bool
    }

    /// Sets all options that every socket of the driver has.
    @discardableResult
    static func prepare(_ socket: borrowing UDPSocket, _ options: UDPSocketOptions) -> Granted {
        socket.prepare(reportsTrafficClass: options.reportsTrafficClass)
        return Granted(
            receiveBufferBytes: socket.setBuffer(
                SO_RCVBUF, forced: SO_RCVBUFFORCE, byteCount: options.receiveBufferBytes),
            sendBufferBytes: socket.setBuffer(SO_SNDBUF, forced: SO_SNDBUFFORCE, byteCount: options.sendBufferBytes),
            isUsingGRO: options.gro == .automatic && socket.enableJoining())
    }

    /// The main socket, for a ``Poller``. It is closed with the driver.
    public var fileDescriptor: Int32 { socket.descriptor }

    /// The UDP port bound.
    public var localPort: UInt16 { localAddress.port }

    /// True when peers of both families can be reached through the socket.
    public var isDualStack: Bool { socket.family == AF_INET6 && socket.get(Int32(IPPROTO_IPV6), IPV6_V6ONLY) == 0 }

    /// The longest IP packet, with IP and UDP headers, that the kernel would send to `peer` in one
    /// piece; nil when there is no route. Opens a socket for a moment: not for hot paths.
    public func pathMTU(to peer: PeerAddress) -> Int? { lookUpPathMTU(to: peer) }

    /// Has the kernel give each shard its packets.
    private static func steer(_ socket: borrowing UDPSocket, _ options: UDPSocketOptions) throws(SystemError) {
        guard options.sharers > 1 else { return }
        let lowerHalf = UInt32(CommonHeader.senderIDOffset + 4)
        let result = homa_steer(socket.descriptor, lowerHalf, UInt32(options.sharers))
        guard result >= 0 else { throw SystemError(call: "setsockopt", code: -result, context: "steering of shards") }
    }

    private static func openBound(
        _ binding: UDPSocketOptions.Binding, isShared: Bool
    ) throws(SystemError) -> UDPSocket {
        switch binding {
        case .address(let address):
            let socket = try UDPSocket(family: address.isIPv4 ? AF_INET : AF_INET6)
            if !address.isIPv4 { socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
            if isShared { socket.set(SOL_SOCKET, SO_REUSEPORT, 1) }
            try socket.bind(to: address)
            return socket
        case .wildcard(let port, let family):
            if family == .automatic, isIPv6Available {
                let socket = try UDPSocket(family: AF_INET6)
                if isShared { socket.set(SOL_SOCKET, SO_REUSEPORT, 1) }
                if socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) {
                    try socket.bind(to: PeerAddress(high: 0, low: 0, port: port))
                    return socket
                }
            }
            let socket = try UDPSocket(family: AF_INET)
            if isShared { socket.set(SOL_SOCKET, SO_REUSEPORT, 1) }
            try socket.bind(to: PeerAddress(ipv4: 0, port: port))
            return socket
        }
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
        try Self.check(receiveSlotBytes, in: 1...(1 << 20), "receiveSlotBytes")
    }

    private static func check(_ value: Int, in range: ClosedRange<Int>, _ name: String) throws(SystemError) {
        guard !range.contains(value) else { return }
        throw SystemError(
            call: "UDPSocketOptions", code: EINVAL,
            context: "\(name) is \(value), not \(range.lowerBound) to \(range.upperBound)")
    }
}
