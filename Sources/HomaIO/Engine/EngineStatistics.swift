// SPDX-License-Identifier: Apache-2.0

public import HomaBuffers
public import HomaCore
public import HomaWire

/// What an engine has done so far. Counters only grow; compare two snapshots.
public struct EngineStatistics: Sendable {
    /// The protocol's counters.
    public var endpoint = EndpointStatistics()
    /// The socket's counters.
    public var driver = UDPStatistics()
    /// The receive region's books.
    public var pool = PoolStatistics()
    /// Received packets that are not Homa packets, by `WireError.code`.
    public var malformedPackets = InlineArray<32, UInt64>(repeating: 0)
    /// Payload that the kernel wrote straight into the region.
    public var bytesInPlace: UInt64 = 0
    /// Payload that was received elsewhere and copied into the region.
    public var bytesCopied: UInt64 = 0
    /// Trains received straight into the region.
    public var trainsInPlace: UInt64 = 0
    /// Trains that were planned for in the region and turned out to be others.
    public var trainsMisplaced: UInt64 = 0
    /// Datagrams received that held several packets.
    public var bundlesReceived: UInt64 = 0
    /// Packets and acknowledgements that arrived at this shard and went on to another.
    public var packetsPassedOn: UInt64 = 0
    public var acksPassedOn: UInt64 = 0
    /// Packets for another shard that were dropped, since too many waited for it or they came in a bundle.
    public var misdirectedPackets: UInt64 = 0
    /// Rounds of the engine's loop.
    public var rounds: UInt64 = 0
    /// Times the engine slept for lack of work.
    public var sleeps: UInt64 = 0
    /// Parts of Swift tasks run on the engine thread.
    public var jobs: UInt64 = 0
    /// Requests for which nobody waited any more before they were answered.
    public var abandonedRequests: UInt64 = 0
    /// Those of them that no handler had begun with, and none has since.
    public var unservedRequests: UInt64 = 0
    /// RPCs under way now.
    public var activeRPCs = 0
    /// Bytes that the system granted its socket's buffers, which may be less than was asked for.
    public var receiveBufferBytes = 0
    public var sendBufferBytes = 0
    /// True while the kernel takes packets in trains.
    public var isUsingGSO = false
    /// True when the kernel joins received trains.
    public var isUsingGRO = false

    public init() {}

    /// Adds what another shard of the same node has done. The books of the region, which they share, stay.
    public mutating func add(_ other: EngineStatistics) {
        endpoint.add(other.endpoint)
        driver.add(other.driver)
        for code in 0..<WireError.codeCount { malformedPackets[code] += other.malformedPackets[code] }
        bytesInPlace += other.bytesInPlace
        bytesCopied += other.bytesCopied
        trainsInPlace += other.trainsInPlace
        trainsMisplaced += other.trainsMisplaced
        bundlesReceived += other.bundlesReceived
        packetsPassedOn += other.packetsPassedOn
        acksPassedOn += other.acksPassedOn
        misdirectedPackets += other.misdirectedPackets
        rounds += other.rounds
        sleeps += other.sleeps
        jobs += other.jobs
        abandonedRequests += other.abandonedRequests
        unservedRequests += other.unservedRequests
        activeRPCs += other.activeRPCs
        isUsingGSO = isUsingGSO || other.isUsingGSO
        isUsingGRO = isUsingGRO || other.isUsingGRO
    }

    /// Malformed packets of one kind.
    public func malformed(_ error: WireError) -> UInt64 { malformedPackets[error.code] }

    /// Malformed packets of all kinds.
    public var malformedTotal: UInt64 {
        var total: UInt64 = 0
        for code in 0..<WireError.codeCount { total += malformedPackets[code] }
        return total
    }
}
