// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaPosix

/// What carries an engine's packets: all that the engine ever asks of it.
///
/// One thread uses a driver at a time. No call blocks, and none allocates per packet. An engine's loop is specialised
/// for its driver, so that what is asked for each packet is a call of a concrete function, or none.
///
/// To receive: ``receive()`` until it answers 0, looking at each ``datagram(_:)``. To send: ``reserveHeader()``, fill
/// it, append it, and again until there is nothing more or ``isFull``; then ``flush(at:)``. Bad news about packets sent
/// comes from ``nextError()``.
protocol PacketDriver: ~Copyable {
    /// True when peers have no UDP port and are named by their Homa port, which a host's nodes then share.
    static var sharesPorts: Bool { get }
    /// Where packets to this node go.
    var localAddress: PeerAddress { get }
    /// Bytes of the longest IP packet that can go to `peer` in one piece; nil when no way there is known. Slow.
    func pathMTU(to peer: PeerAddress) -> Int?

    /// Takes what has arrived, at most one batch; how many datagrams, which replace those of the call before.
    mutating func receive() -> Int
    /// One of them: a datagram, or a train of packets of one length that were joined on their way.
    mutating func datagram(_ index: Int) -> ReceivedDatagram

    /// Packets appended and not yet sent or dropped.
    var queuedPackets: Int { get }
    /// Packets appended so far.
    var appendedPackets: UInt64 { get }
    /// How many of them were appended before the oldest that is still queued; all, when none is.
    var oldestQueued: UInt64 { get }
    /// Packets that can be appended before the next flush.
    var room: Int { get }
    /// True when a flush must make room before the next packet.
    var isFull: Bool { get }
    /// Where the next packet's header goes.
    func reserveHeader() -> UnsafeMutableRawBufferPointer
    /// Queues one packet: the header just filled, and payload that is read where it lies until a flush has sent it.
    ///
    /// - Parameters:
    ///   - bundleBytes: length of datagrams in which it may go together with others; 0: it goes alone.
    ///   - isUnheard: nothing was heard of the peer of late. What such packets fill, the others do without.
    mutating func append(
        headerByteCount: Int, payload: UnsafeRawPointer?, payloadByteCount: Int, to peer: PeerAddress, priority: UInt8,
        bundleBytes: UInt32, isUnheard: Bool)
    /// Queues packets that go on with the message of the last one, which had payload: see `Endpoint.continueTrain`.
    ///
    /// - Parameters:
    ///   - count: at most ``room``.
    ///   - offset: of the first of them in the message.
    mutating func appendFollowers(_ count: Int, from offset: UInt32, to peer: PeerAddress)
    /// Sends what is queued, to each peer in order, until done or until there is no room. A packet with an error of its
    /// own is counted, reported if that helps, and dropped.
    mutating func flush(at now: Instant) -> FlushResult

    /// True when ``nextError()`` may have something to say.
    var mayHaveErrors: Bool { get }
    /// Takes the next report about packets sent earlier; nil when there is none now.
    mutating func nextError() -> DriverError?

    /// The receive plan, with which the next train goes straight to where its message lies; nil for a driver that
    /// cannot do that. At the same place as long as the driver.
    var scatter: UnsafeMutablePointer<ScatterPlan>? { get }
    /// Where the first datagram of a batch goes without a plan.
    var firstSlot: UnsafeMutableRawBufferPointer { get }
    /// True when the last ``receive()`` went by the plan.
    var isScattered: Bool { get }

    /// Work for an idle moment that makes what follows faster.
    mutating func improve()

    /// Takes a Homa port for this node where nodes share them.
    ///
    /// - Throws: `EADDRINUSE` when another node of this host has it.
    mutating func open(_ port: UInt16) throws(SystemError)
    /// Gives a Homa port up.
    mutating func close(_ port: UInt16)

    /// What the system granted of what was asked for, and what of it is less, in words.
    var granted: GrantedOptions { get }
    var shortfalls: [String] { get }
    /// What has happened so far.
    var statistics: UDPStatistics { get }
    /// True while trains are handed over whole.
    var isUsingGSO: Bool { get }
    /// True when received trains are joined.
    var isUsingGRO: Bool { get }
}

/// What most drivers have nothing to do for.
extension PacketDriver where Self: ~Copyable {
    static var sharesPorts: Bool { false }

    var scatter: UnsafeMutablePointer<ScatterPlan>? { nil }
    var firstSlot: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: nil, count: 0) }
    var isScattered: Bool { false }

    mutating func improve() {}
    mutating func open(_ port: UInt16) throws(SystemError) {}
    mutating func close(_ port: UInt16) {}
}

/// A driver with descriptors, by which a thread can wait for it.
protocol WaitingDriver: PacketDriver, ~Copyable {
    /// What ends a wait from any thread.
    var waker: Waker { get }
    /// Sleeps until something has arrived, an error is to be read, the waker is used, or the time has come.
    ///
    /// - Parameter forRoom: until packets can leave again, too.
    mutating func wait(until limit: Instant, forRoom: Bool) -> Poller.Events
}

/// An engine's driver for those parts of the engine that do not know which it is, and for what is seldom asked.
class AnyPacketDriver {
    let localAddress: PeerAddress
    let sharesPorts: Bool
    let shortfalls: [String]

    fileprivate init(localAddress: PeerAddress, sharesPorts: Bool, shortfalls: [String]) {
        self.localAddress = localAddress
        self.sharesPorts = sharesPorts
        self.shortfalls = shortfalls
    }

    func pathMTU(to peer: PeerAddress) -> Int? { nil }
    func open(_ port: UInt16) throws(SystemError) {}
    func close(_ port: UInt16) {}
    /// Fills in what the driver counts.
    func report(_ statistics: inout EngineStatistics) {}

    /// Bytes of IP and UDP headers in front of a Homa packet to `peer`.
    func headerBytes(to peer: PeerAddress) -> Int {
        let network = peer.isIPv4 ? 20 : 40
        return sharesPorts ? network : network + 8
    }
}

/// A driver at an address of its own, for as long as this object.
final class OwnedDriver<Driver: PacketDriver & ~Copyable>: AnyPacketDriver {
    let place: UnsafeMutablePointer<Driver>

    init(_ driver: consuming Driver) {
        let address = driver.localAddress
        let shortfalls = driver.shortfalls
        place = .allocate(capacity: 1)
        place.initialize(to: driver)
        super.init(localAddress: address, sharesPorts: Driver.sharesPorts, shortfalls: shortfalls)
    }

    deinit {
        place.deinitialize(count: 1)
        place.deallocate()
    }

    override func pathMTU(to peer: PeerAddress) -> Int? { place.pointee.pathMTU(to: peer) }
    override func open(_ port: UInt16) throws(SystemError) { try place.pointee.open(port) }
    override func close(_ port: UInt16) { place.pointee.close(port) }

    override func report(_ statistics: inout EngineStatistics) {
        statistics.driver = place.pointee.statistics
        statistics.receiveBufferBytes = place.pointee.granted.receiveBufferBytes
        statistics.sendBufferBytes = place.pointee.granted.sendBufferBytes
        statistics.isUsingGSO = place.pointee.isUsingGSO
        statistics.isUsingGRO = place.pointee.isUsingGRO
    }
}
