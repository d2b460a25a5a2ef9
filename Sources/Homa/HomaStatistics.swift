// SPDX-License-Identifier: Apache-2.0

public import HomaBuffers
public import HomaCore
public import HomaIO
internal import HomaWire

/// What a node has done and holds. Counters only grow; compare two snapshots.
public struct HomaStatistics: Sendable {
    /// The protocol's counters: packets by type, bytes, calls, drops by reason.
    public let endpoint: EndpointStatistics
    /// The UDP socket's counters.
    public let network: UDPStatistics
    /// The receive region's books.
    public let pool: PoolStatistics
    /// How the receive region is cut.
    public let poolConfiguration: PoolConfiguration
    /// Received packets that are not Homa packets, by reason; reasons that never occurred are left out.
    public let malformedPackets: [String: UInt64]
    /// Received payload that the kernel wrote straight into the region, and payload that was received elsewhere and
    /// copied there once.
    public let bytesInPlace: UInt64
    public let bytesCopied: UInt64
    /// Joined packets received straight into the region, and those that were expected there and were others.
    public let trainsInPlace: UInt64
    public let trainsMisplaced: UInt64
    /// Datagrams received that held several packets; ``network`` counts packets sent so.
    public let bundlesReceived: UInt64
    /// Several shards: packets and acknowledgements that came to one and were another's, and packets dropped since too
    /// many of those waited.
    public let packetsPassedOn: UInt64
    public let acksPassedOn: UInt64
    public let misdirectedPackets: UInt64
    /// Rounds of the node's loop, times its thread slept, and parts of tasks it ran.
    public let rounds: UInt64
    public let sleeps: UInt64
    public let jobs: UInt64
    /// Requests for which nobody waited any more before they were answered: their clients gave them up, or the time
    /// they gave was over. ``endpoint`` tells the two apart, and counts those of which a part had not arrived as well.
    public let abandonedRequests: UInt64
    /// Those of them that were dropped without work, since no handler had begun with them.
    public let unservedRequests: UInt64
    /// RPCs under way.
    public let activeRPCs: Int
    /// Bytes that the system granted the socket's buffers (each shard's), and what was asked for.
    public let receiveBufferBytes: Int
    public let sendBufferBytes: Int
    public let receiveBufferBytesWanted: Int
    public let sendBufferBytesWanted: Int
    /// True while the kernel cuts trains of packets.
    public let isUsingSegmentationOffload: Bool
    /// True when the kernel joins received packets.
    public let isUsingReceiveOffload: Bool

    /// Messages that wait for buffers because the application holds the region: back-pressure at work.
    public var waitingForBuffers: Int { pool.waitingMessages }

    /// Malformed packets of all kinds.
    public var malformedTotal: UInt64 { malformedPackets.values.reduce(0, +) }

    init(_ statistics: EngineStatistics, _ configuration: HomaConfiguration) {
        receiveBufferBytes = statistics.receiveBufferBytes
        sendBufferBytes = statistics.sendBufferBytes
        receiveBufferBytesWanted = configuration.receiveBufferBytes
        sendBufferBytesWanted = configuration.sendBufferBytes
        endpoint = statistics.endpoint
        network = statistics.driver
        pool = statistics.pool
        poolConfiguration = configuration.pool
        var malformed: [String: UInt64] = [:]
        for error in WireError.allCases where statistics.malformed(error) > 0 {
            malformed[error.name] = statistics.malformed(error)
        }
        malformedPackets = malformed
        bytesInPlace = statistics.bytesInPlace
        bytesCopied = statistics.bytesCopied
        trainsInPlace = statistics.trainsInPlace
        trainsMisplaced = statistics.trainsMisplaced
        bundlesReceived = statistics.bundlesReceived
        packetsPassedOn = statistics.packetsPassedOn
        acksPassedOn = statistics.acksPassedOn
        misdirectedPackets = statistics.misdirectedPackets
        rounds = statistics.rounds
        sleeps = statistics.sleeps
        jobs = statistics.jobs
        abandonedRequests = statistics.abandonedRequests
        unservedRequests = statistics.unservedRequests
        activeRPCs = statistics.activeRPCs
        isUsingSegmentationOffload = statistics.isUsingGSO
        isUsingReceiveOffload = statistics.isUsingGRO
    }
}

extension HomaStatistics {
    /// All shards together.
    init(of engines: [Engine], _ configuration: HomaConfiguration) {
        var sum = engines[0].statistics
        for engine in engines.dropFirst() { sum.add(engine.statistics) }
        self.init(sum, configuration)
    }
}

extension HomaNode {
    /// A snapshot of all counters; after the node's end, the last one.
    ///
    /// Taken on the node's thread: from another thread this blocks until that comes round, some tens
    /// of microseconds.
    public var statistics: HomaStatistics { HomaStatistics(of: engines, configuration) }

    /// All RPCs under way, as client and as server; none after the node's end. Blocks like ``statistics``.
    public func rpcs() -> [RPCInformation] { engines.flatMap { $0.rpcs() } }

    /// Bytes of the receive region in physical memory now. Asks the kernel for every page: for diagnosis.
    public var residentRegionBytes: Int { engine.region.residentByteCount }

    /// The descriptor of the memory file behind the receive region, nil for anonymous memory. It
    /// belongs to the node and stays open as long as the node or a message of it exists.
    public var regionFileDescriptor: Int32? { engine.region.fileDescriptor }
}
