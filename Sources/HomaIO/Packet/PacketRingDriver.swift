// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// Carries packets past the kernel's IP and UDP layers, through rings of a packet socket (AF_PACKET): lower latency
/// than a ``UDPDriver``, for `CAP_NET_RAW`. On the wire there is no difference.
///
/// A UDP socket holds the port, so that the kernel answers nobody with "port unreachable", but nothing reaches it.
/// It also reports network errors, and sends what the rings cannot: packets to this host itself, through tunnels,
/// to neighbors that are not known yet, and one a second to neighbors that may have gone.
///
/// Used like a ``UDPDriver``. Packets do not pass netfilter's input and output hooks, sockets' filters, queueing
/// disciplines or IPsec.
struct PacketRingDriver: WaitingDriver, ~Copyable, @unchecked Sendable {
    /// Holds the port, and sends what the rings cannot.
    var socket: UDPDriver
    var receivers: PacketReceivers
    var sendRing: PacketSendRing
    /// Trains that are longer than a frame leave through this socket, gathered by the kernel.
    let trainSocket: OwnedDescriptor
    var sendQueue: SendQueue
    /// The place in the queue of the first packet that the socket was given while it had none.
    var handedToSocket: UInt64 = 0
    var paths: PathTable
    var locals: LocalAddresses
    let datagrams: UnsafeMutablePointer<ReceivedDatagram>
    var counters = UDPStatistics()
    /// True while trains are handed to the kernel whole.
    var isUsingGSO: Bool

    /// Opens all sockets and maps the rings.
    ///
    /// - Throws: ``SystemError``: `EPERM` without `CAP_NET_RAW`, `EINVAL` for an option out of range, `EADDRINUSE`,
    ///   `ENOMEM` when the kernel has no memory for the rings, or what the system says.
    init(_ options: UDPSocketOptions, rings: PacketRingOptions = PacketRingOptions()) throws(SystemError) {
        try rings.validate()
        var socketOptions = options
        socketOptions.connectsToBusiestPeer = false
        let trains = homa_packet_open_send(UInt32(clamping: options.sendBufferBytes))
        try SystemError.checkPacketSocket(trains, "packet socket")
        let trainSocket = OwnedDescriptor(trains)
        let socket = try UDPDriver(socketOptions)
        try SystemError.check(homa_reject_everything(socket.fileDescriptor), "setsockopt", "SO_ATTACH_FILTER")
        let receivers = try PacketReceivers.open(
            for: socket.localAddress, isDualStack: socket.isDualStack, options: rings,
            receiveBufferBytes: options.receiveBufferBytes)
        let sendRing = try PacketSendRing(frameBytes: rings.frameBytes, frameCount: rings.sendFrames)
        let paths = try PathTable(source: socket.localAddress, sources: socket.own.entries)
        let address = socket.localAddress

        locals = LocalAddresses(bound: address.isWildcard ? nil : address)
        sendQueue = SendQueue(
            capacity: options.sendQueueCapacity, maximumTrainBytes: options.maximumTrainBytes,
            trafficClasses: options.trafficClasses, sources: socket.own.entries)
        datagrams = .allocate(capacity: 2 * PacketReceiver.maximumDatagrams)
        isUsingGSO = options.gso == .automatic
        self.trainSocket = trainSocket
        self.socket = socket
        self.receivers = receivers
        self.sendRing = sendRing
        self.paths = paths
    }

    deinit { datagrams.deallocate() }

    var granted: GrantedOptions { socket.granted }
    var shortfalls: [String] { socket.shortfalls }

    /// Where the UDP socket is bound.
    var localAddress: PeerAddress { socket.localAddress }

    /// The longest IP packet that the kernel would send to `peer` in one piece; nil when there is no route.
    func pathMTU(to peer: PeerAddress) -> Int? { socket.pathMTU(to: peer) }

    /// True when ``nextError()`` may have something to say.
    var mayHaveErrors: Bool { socket.mayHaveErrors }

    /// Takes the next report about packets sent earlier; nil when there is none now.
    mutating func nextError() -> DriverError? { socket.nextError() }

    /// What has happened so far, the socket's part included.
    var statistics: UDPStatistics {
        var sum = counters
        sum.add(socket.statistics)
        sum.sentThroughSocket = socket.statistics.sentPackets
        return sum
    }

    /// The UDP socket has news only of errors. The others are watched in sleep alone: to be watched costs the kernel
    /// time for every packet.
    mutating func wait(until limit: Instant, forRoom: Bool) -> Poller.Events {
        let sockets = socket.sockets
        for index in 0..<receivers.count { try? sockets.poller.watchAlso(receivers.pointer(index).pointee.descriptor) }
        defer {
            for index in 0..<receivers.count { sockets.poller.unwatch(receivers.pointer(index).pointee.descriptor) }
        }
        return sockets.wait(until: limit, filled: forRoom ? socket.filled : nil)
    }

    /// What ends a wait from any thread.
    var waker: Waker { socket.waker }

    /// A packet socket sees a train before the kernel would cut it.
    var isUsingGRO: Bool { true }

    /// Receives what is there, at most some dozens; the number of datagrams for ``datagram(_:)``, which replace those
    /// of the call before. No system call, but for packets longer than a frame.
    mutating func receive() -> Int {
        var count = receivers.pointer(0).pointee.take(
            into: datagrams, locals: &locals, own: &socket.own, statistics: &counters)
        if receivers.count > 1 {
            count += receivers.pointer(1).pointee.take(
                into: datagrams + count, locals: &locals, own: &socket.own, statistics: &counters)
        }
        return count
    }

    /// One datagram of the last ``receive()``.
    ///
    /// - Parameter index: 0 … the answer of ``receive()`` − 1.
    mutating func datagram(_ index: Int) -> ReceivedDatagram {
        precondition(index >= 0 && index < 2 * PacketReceiver.maximumDatagrams)
        return datagrams[index]
    }
}
