// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix
internal import HomaWire

/// Carries packets over an unconnected datagram socket, and a connected one for the busiest peer: trains out, joined
/// trains in, errors aside.
///
/// What the sockets are is for `Sockets` to say. All that depends on how they behave (what goes out together, what is
/// done about each error, what is tried again) is here, and so the same over real sockets and over those in memory.
struct DatagramDriver<Sockets: DatagramSockets>: ~Copyable, @unchecked Sendable {
    let sockets: Sockets
    /// The socket that serves every peer.
    var main: Sockets.Lane
    /// The socket of the busiest peer, and the own address that it is bound to, if to one.
    var connected: Sockets.Lane?
    var connectedLocal: UInt16 = 0
    /// Where the datagrams of the last batch came in, if their socket knows one address only.
    var arrivedAt: UInt16 = 0
    /// The addresses of this host that packets came to, and the one without which the first packet of a flush is tried.
    var own: OwnAddresses
    var suspect: UInt16 = 0
    var busiestPeer = BusiestPeer()
    /// False when it is not wanted, or has been found not to work.
    private var mayConnect: Bool
    /// One more socket for peers that are heard, once packets to others, which may wait for neighbors that do not
    /// exist, have filled the main one.
    var heard: Sockets.Lane?
    /// More of them for the others: as many as are full of such packets, and a last one.
    var spares: [Sockets.Lane] = []
    var mostSpares: Int
    /// Where packets to peers that are not heard leave by: the main socket, or one of the spares, counted from 1.
    var unheardLane = 0
    /// When such packets last left.
    var lastUnheard: Instant?
    /// Since when no socket has room for them, and when one is asked again.
    var unheardFull: (since: Instant, again: Instant)?
    /// The socket whose room the last flush waits for.
    var filled = LaneKind.main
    /// Calls of ``receive()`` until the main socket is looked at again, while there is another one.
    var callsUntilMain = 0
    var sendQueue: SendQueue
    var receiveRing: ReceiveRing
    /// While armed, what is received next goes there.
    let plan: UnsafeMutablePointer<ScatterPlan>
    var isScattered = false
    var deniedPeers = GSODenials()
    var reports = LocalReports()

    /// Where the socket is bound; the port is the real one even if 0 was asked for.
    let localAddress: PeerAddress
    /// True while trains are handed to the kernel whole; turns false for a while when it refuses them.
    var isUsingGSO: Bool
    let mayUseGSO: Bool
    /// True when the kernel joins received trains.
    let isUsingGRO: Bool
    /// True when ``nextError()`` may have something to say; a ``Poller/Events/error`` says so too.
    var mayHaveErrors = false
    /// What has happened so far.
    var statistics = UDPStatistics()

    /// - Parameter options: of which only those count that are not about how a socket is opened.
    init(_ sockets: Sockets, _ options: UDPSocketOptions, isUsingGSO: Bool, isUsingGRO: Bool) throws(SystemError) {
        let ring = try ReceiveRing(slotCount: options.receiveSlots, slotBytes: options.receiveSlotBytes)
        // A connected socket would get all of its peer's packets, whatever their shard.
        mayConnect = options.connectsToBusiestPeer && options.sharers == 1
        let own = OwnAddresses()
        sendQueue = SendQueue(
            capacity: options.sendQueueCapacity, maximumTrainBytes: options.maximumTrainBytes,
            trafficClasses: options.trafficClasses, sources: own.entries)
        self.own = own
        receiveRing = ring
        plan = .allocate(capacity: 1)
        plan.initialize(to: ScatterPlan())
        localAddress = sockets.localAddress
        main = sockets.main
        mostSpares = min(64, max(1, Self.spareBytes / max(1, 2 * sockets.granted.sendBufferBytes)))
        self.isUsingGSO = isUsingGSO
        mayUseGSO = isUsingGSO
        self.isUsingGRO = isUsingGRO
        self.sockets = sockets
    }

    /// Bytes that all spare sockets may hold together.
    private static var spareBytes: Int { 64 << 20 }

    deinit {
        plan.deinitialize(count: 1)
        plan.deallocate()
    }

    /// The UDP port bound.
    var localPort: UInt16 { localAddress.port }

    var granted: GrantedOptions { sockets.granted }
    var shortfalls: [String] { sockets.shortfalls }

    func pathMTU(to peer: PeerAddress) -> Int? { sockets.pathMTU(to: peer) }

    /// Takes the next report about packets sent earlier; nil when there is none now.
    ///
    /// Call it when ``mayHaveErrors`` or a ``Poller/Events/error`` says so, until it answers nil.
    mutating func nextError() -> DriverError? {
        while true {
            var record = homa_socket_error()
            var code = -main.receiveError(&record)
            if code == EAGAIN, connected != nil { code = -connected!.receiveError(&record) }
            if code == EAGAIN, heard != nil { code = -heard!.receiveError(&record) }
            for spare in spares where code == EAGAIN { code = -spare.receiveError(&record) }
            if code == EINTR { continue }
            guard code == 0 else { break }
            if record.is_malformed != 0 {
                statistics.malformedErrorReports += 1
                continue
            }
            let kind = DriverError.Kind(record)
            // The flush that met it has made a better report: this one may lack the port.
            if Int32(record.origin) == errorOriginLocal { continue }
            statistics.errorReports += 1
            return DriverError(kind: kind, peer: sockets.target(of: record), record: record)
        }
        guard let record = reports.removeFirst() else {
            mayHaveErrors = false
            return nil
        }
        statistics.errorReports += 1
        return DriverError(local: record, to: sockets.target(of: record)) { sockets.pathMTU(to: $0) }
    }
}

/// Packets on their way out.
extension DatagramDriver {
    /// Bytes of each header buffer.
    static var maximumHeaderBytes: Int { SendQueue.headerBytes }

    var queuedPackets: Int { sendQueue.queuedPackets }
    var appendedPackets: UInt64 { sendQueue.appendedPackets }
    var oldestQueued: UInt64 { sendQueue.oldestQueued }
    var room: Int { sendQueue.room }
    var isFull: Bool { sendQueue.isFull }

    /// ``maximumHeaderBytes`` long, contents undefined. Valid until the next append or flush; reserving again without
    /// appending gives the same bytes.
    func reserveHeader() -> UnsafeMutableRawBufferPointer { sendQueue.nextHeader }

    /// Packets leave in this order. Neighbours to the same peer with the same priority and length (the
    /// last may be shorter) travel to the device as one train.
    ///
    /// - Parameters:
    ///   - headerByteCount: 1 … ``maximumHeaderBytes``.
    ///   - payload: must stay valid and unchanged until a flush has sent it; nil without payload.
    ///   - payloadByteCount: 0 or more. A packet too long for the path is dropped by the flush and
    ///     reported by ``nextError()``.
    ///   - peer: where it goes.
    ///   - priority: 0 … 7; becomes the top three bits of the traffic class.
    ///   - bundleBytes: length of datagrams, at most 65 535, in which the packet may go together with others; 0: it
    ///     goes alone.
    ///   - isUnheard: nothing was heard of the peer of late.
    mutating func append(
        headerByteCount: Int, payload: UnsafeRawPointer?, payloadByteCount: Int,
        to peer: PeerAddress, priority: UInt8, bundleBytes: UInt32 = 0, isUnheard: Bool = false
    ) {
        sendQueue.append(
            headerByteCount: headerByteCount, payload: payload, payloadByteCount: payloadByteCount,
            to: peer, priority: priority, mayJoin: isUsingGSO && !deniedPeers.contains(peer),
            bundleBytes: bundleBytes, isUnheard: isUnheard)
    }

    mutating func appendFollowers(_ count: Int, from offset: UInt32, to peer: PeerAddress) {
        sendQueue.appendFollowers(count, from: offset, mayJoin: isUsingGSO && !deniedPeers.contains(peer))
    }
}

extension DatagramDriver: PacketDriver {
    var scatter: UnsafeMutablePointer<ScatterPlan>? { plan }

    var firstSlot: UnsafeMutableRawBufferPointer {
        let slot = receiveRing.slots[0]
        return UnsafeMutableRawBufferPointer(start: slot.base, count: Int(slot.capacity))
    }

    /// Opens the busiest peer's socket, which takes some tens of microseconds.
    mutating func improve() { if wantsToConnect { connectToBusiestPeer() } }
}

/// The busiest peer's socket.
extension DatagramDriver {
    /// The peer that has a socket of its own, if any.
    var connectedPeer: PeerAddress? { connected?.peer }

    /// True when ``connectToBusiestPeer()`` would change something.
    var wantsToConnect: Bool {
        guard mayConnect else { return false }
        guard let peer = connected?.peer else { return busiestPeer.votes >= BusiestPeer.votesToLead }
        return busiestPeer.votes >= BusiestPeer.votesToReplace && peer != PeerAddress(busiestPeer.candidate)
    }

    /// Gives the busiest peer a socket of its own; another peer's is closed, and what it held is lost like
    /// packets on the network. Call it between two batches: datagrams received before become invalid.
    ///
    /// False when the system refused, and then the driver does not try again.
    @discardableResult
    mutating func connectToBusiestPeer() -> Bool {
        let local = own.number(of: busiestPeer.target)
        let address = own.address(local, port: localAddress.port)
        connected = sockets.connect(to: PeerAddress(busiestPeer.candidate), from: address)
        connectedLocal = address == nil ? 0 : local
        guard connected != nil else {
            mayConnect = false
            return false
        }
        statistics.connections += 1
        return true
    }

    /// True when packets to a peer leave by its own socket: from the address that it is bound to, if they must leave
    /// from one.
    @inline(__always)
    func leavesConnected(_ peer: PeerAddress) -> Bool {
        guard let connected else { return false }
        return connected.peer == peer && (peer.local == 0 || peer.local == connectedLocal)
    }

    /// Goes back to the main socket alone, because what the connected one took for granted, its address or its route,
    /// may hold no longer. Whoever is busiest then gets another one.
    mutating func disconnect() {
        connected = nil
        connectedLocal = 0
        sockets.disconnect()
        busiestPeer.startOver()
        statistics.connectionsLost += 1
    }
}
