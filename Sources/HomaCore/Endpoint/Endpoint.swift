// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaBuffers
import HomaWire

/// All protocol state of one host, or of one engine shard of it. Deterministic: no clock, no
/// sockets, no threads, and no payload.
///
/// Four families of methods:
/// - *inputs* say what happened: ``receive(_:from:at:)``, ``expireTimers(at:)``,
///   ``buffersReturned(at:)``, ``unreachable(_:because:offending:at:)``;
/// - *commands* of the application: ``call(_:at:)``, ``respond(to:length:payload:at:)``,
///   ``fail(_:length:payload:at:)``, ``decline(_:at:)``, ``abort(_:failure:at:)``;
/// - *outputs*, to be drained after inputs and commands until they return nil:
///   ``nextPacket(at:)``, then ``nextEvent()``; then nothing is due before ``nextDeadline``;
/// - plain information.
///
/// Times must not decrease from call to call.
public struct Endpoint: ~Copyable {
    let tuning: Tuning
    /// Nil for an ideal host, whose memory is unlimited.
    let pool: BufferPool?
    /// The same for what is asked for each packet: `pool` keeps it, and so references to it need not be counted.
    let uncountedPool: Unmanaged<BufferPool>?
    let shard: Int
    /// Shards of the host; identifiers say which one an RPC belongs to.
    let shardCount: Int
    /// This shard's part of what may be under way to each peer.
    let admissionLimits: AdmissionLimits
    let life: HostLife
    let maximumRPCs: Int
    /// Longest message that is taken.
    let longestMessage: UInt32
    /// Longest packet that lies in at most two places of the region.
    let longestPayload: UInt32

    var rpcs: RPCStore
    var peers: PeerStore
    var clients: ClientStore
    var ranges: RangePool
    var granter: Granter
    var cutoffs: CutoffLearner
    var unscheduled: UnscheduledLimiter
    /// Most bytes of a message that senders are asked to send without a grant; 0: as they like.
    var advertisedUnscheduled: UInt32 = 0
    var sendQueue: SendQueue
    var pacer: Pacer
    /// One entry for each RPC that something may have to be done for; the key is when.
    var timers: IndexedHeap
    var waiting: WaitingQueue
    var retained = RetainedResponses()
    var controlPackets: RingBuffer<OutgoingPacket>
    var events: RingBuffer<EndpointEvent>
    var crossShardAcks: RingBuffer<CrossShardAck>

    var ports = PortTable()
    /// No new requests are taken.
    var isDraining = false
    /// When this process last went on after it had not run, and for how long it had not.
    var absence = (end: Instant.zero, nanoseconds: UInt64(0))
    let firstID: RPCID
    var nextID: RPCID
    var nextClientPort: UInt16
    var hidesClientPorts = false
    /// The packets taken now came in one datagram with one before: its headers are paid for.
    public var isInsideBundle = false
    /// Bytes of the headers in front of a Homa packet over IPv4; over IPv6 they are 20 more.
    public var headerBytes = 28
    var counters = EndpointStatistics()
    var trace = TraceRing()
    /// The peer and RPC of the last packet: trains of packets find them without a search.
    var recentPeer = PeerStore.none
    var recentID = RPCID(rawValue: 0)
    var recentSlot = RPCStore.none
    /// The RPC whose message the last packet given out belongs to; none after any other packet.
    var recentSender = RPCStore.none

    /// Replies that may wait to be drained; a flood of packets beyond that gets no replies.
    static var maximumControlPackets: Int { 8192 }

    /// - Parameters:
    ///   - pool: receive buffers; this endpoint is the owner of `shard` in it. Nil: an ideal host for simulations,
    ///     which has room for every message at once. Placements then say only how many bytes there are, and leases
    ///     in events mean nothing and are not returned.
    ///   - shards: endpoints of this host, which are `shard` 0 and up; see ``apply(_:)``.
    ///   - seed: keys the hash tables, so that a remote host cannot aim at collisions.
    ///   - firstRPC: the first call's identifier; even, not 0, and above every identifier this
    ///     host has used before, else servers take calls for late duplicates.
    ///   - life: who this host is until it restarts; the same for all its shards.
    /// - Throws: ``ConfigurationError`` naming the setting that cannot work.
    public init(
        configuration: EndpointConfiguration, pool: BufferPool?, shard: Int = 0, of shards: Int = 1, seed: UInt64,
        firstRPC: RPCID, life: HostLife, at now: Instant
    ) throws(ConfigurationError) {
        try configuration.validated(bpageSize: pool?.configuration.bpageSize)
        guard !firstRPC.isServerSide, firstRPC.rawValue != 0 else {
            throw ConfigurationError(setting: "firstRPC", value: "\(firstRPC)", permitted: "even and not 0")
        }
        if let pool, pool.configuration.largestMessage < configuration.maximumMessageBytes {
            throw ConfigurationError(
                setting: "regionLength", value: "\(pool.configuration.regionLength)",
                permitted: "enough for a message of \(configuration.maximumMessageBytes) bytes beside the reserve")
        }
        let tuning = Tuning(configuration)
        self.tuning = tuning
        self.pool = pool
        uncountedPool = pool.map { Unmanaged.passUnretained($0) }
        self.shard = shard
        shardCount = shards
        admissionLimits = tuning.admission.part(of: shards)
        self.life = life
        maximumRPCs = configuration.maximumRPCs
        longestMessage = tuning.maximumMessage
        longestPayload = pool.map { UInt32($0.configuration.bpageSize) } ?? .max
        let rpcs = RPCStore(capacity: configuration.maximumRPCs, seed: seed)
        let peers = PeerStore(capacity: configuration.maximumPeers, seed: seed &* 0x9E37_79B9_7F4A_7C15)
        granter = Granter(
            tuning: tuning, records: rpcs.view, peers: peers, maximumPeers: configuration.maximumPeers)
        self.rpcs = rpcs
        self.peers = peers
        cutoffs = CutoffLearner(tuning, at: now)
        unscheduled = UnscheduledLimiter(
            tuning, isOn: configuration.adaptsUnscheduled && shard == 0, of: shards, at: now)
        clients = ClientStore(
            capacity: configuration.maximumPeers, seed: seed &* 0xD6E8_FEB8_6659_FD93, life: life, at: now)
        // One for every message that may have to be sent again, and as many and more for gaps.
        ranges = RangePool(
            capacity: configuration.maximumRPCs + max(1024, configuration.maximumRPCs),
            reserve: configuration.maximumRPCs)
        sendQueue = SendQueue(capacity: configuration.maximumRPCs, oldestShare: configuration.fifoSendFraction)
        pacer = Pacer(tuning)
        timers = IndexedHeap(capacity: configuration.maximumRPCs)
        waiting = WaitingQueue(capacity: pool == nil ? 1 : configuration.maximumRPCs)
        controlPackets = RingBuffer(capacity: 256)
        events = RingBuffer(capacity: 256)
        crossShardAcks = RingBuffer(capacity: 16)
        firstID = firstRPC
        nextID = firstRPC.rounded(toShard: shard, of: shards)
        nextClientPort = life.firstClientPort
    }

    /// The next thing the application must hear about. Packets drained before may still refer to
    /// payload that an event releases: hand them to the network first.
    public mutating func nextEvent() -> EndpointEvent? { events.popFirst() }

    /// When ``expireTimers(at:)`` or ``nextPacket(at:)`` should be called next; nil when only an input can
    /// change anything.
    public var nextDeadline: Instant? {
        mutating get {
            let timer = timers.firstKey.map(Instant.init(nanoseconds:)) ?? .distantFuture
            let pacing = sendQueue.isEmpty ? Instant.distantFuture : pacer.nextLeave
            let earliest = min(timer, pacing)
            return earliest == .distantFuture ? nil : earliest
        }
    }

    /// The record of an RPC's peer.
    ///
    /// Mutating, like every helper on the hot paths: the compiler copies the whole endpoint (1.5 KB)
    /// to the stack before it calls a method that only borrows it.
    mutating func peer(of slot: UInt32) -> UnsafeMutablePointer<Peer> { peers.at(rpcs.at(slot).pointee.peer) }
}

extension Endpoint {
    @inline(__always)
    func hasPlanted(_ fault: PlantedFault) -> Bool {
        #if HOMA_PLANTED_FAULTS
            tuning.plantedFault == fault
        #else
            false
        #endif
    }
}
