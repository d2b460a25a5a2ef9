// SPDX-License-Identifier: Apache-2.0

public import HomaWire

/// Free-running counters of one endpoint; only ever added to. Compare two snapshots.
public struct EndpointStatistics: Sendable {
    /// Packets sent and accepted, by type; index 0 is DATA (0x10), 8 is ACK (0x18).
    public var packetsSent = InlineArray<9, UInt64>(repeating: 0)
    public var packetsReceived = InlineArray<9, UInt64>(repeating: 0)
    /// Payload bytes sent, retransmissions included, and received for the first time.
    public var bytesSent: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// Payload bytes sent again.
    public var bytesRetransmitted: UInt64 = 0
    /// DATA packets sent again.
    public var packetsRetransmitted: UInt64 = 0
    public var callsStarted: UInt64 = 0
    public var callsCompleted: UInt64 = 0
    public var callsFailed: UInt64 = 0
    public var requestsDelivered: UInt64 = 0
    public var responsesStarted: UInt64 = 0
    /// One-way messages: begun, over as `messageSent`, and received whole.
    public var messagesStarted: UInt64 = 0
    public var messagesSent: UInt64 = 0
    public var messagesDelivered: UInt64 = 0
    public var requestsDeclined: UInt64 = 0
    /// Responses that said that the application failed: sent, and received.
    public var failuresSent: UInt64 = 0
    public var failuresReceived: UInt64 = 0
    /// Requests that ended here since their client said that it gave them up, and those not answered within the time
    /// that it gave.
    public var requestsCancelled: UInt64 = 0
    public var requestsExpired: UInt64 = 0
    /// Server RPCs that ended because their client fell silent.
    public var clientsLost: UInt64 = 0
    /// Answers kept though their clients were taken for dead (`responseRetention`).
    public var responsesRetained: UInt64 = 0
    /// Incomplete requests that ended before their time, because memory or records were short or their
    /// peer is distrusted.
    public var requestsEvicted: UInt64 = 0
    /// Messages that had to wait for buffers.
    public var bufferStalls: UInt64 = 0
    /// Peers whose path was found to swallow long packets.
    public var blackHolesFound: UInt64 = 0
    /// Requests whose client was heard of at another address than it asked from, and is answered there.
    public var requestsMoved: UInt64 = 0
    /// Addresses that have shown that somebody hears what is sent there.
    public var addressesValidated: UInt64 = 0
    /// Responses of which a part waited for that, and packets that did not go to addresses that had not paid for them.
    public var responsesHeldBack: UInt64 = 0
    public var packetsWithheld: UInt64 = 0
    /// Peers forgotten to make room.
    public var peersEvicted: UInt64 = 0
    /// New tables of cutoffs that were learned.
    public var cutoffChanges: UInt64 = 0
    /// Times that senders were asked for another number of unscheduled bytes.
    public var unscheduledChanges: UInt64 = 0
    /// Probes to silent peers put off since the peer had enough to answer.
    public var probesDeferred: UInt64 = 0
    /// Calls and one-way messages that had to wait before they began, since their peer had enough of ours.
    public var callsQueued: UInt64 = 0
    /// Grants given to the oldest message out of turn.
    public var oldestGrants: UInt64 = 0
    /// Probes that followed unscheduled bytes, and bytes that those received showed to be missing.
    public var probesSent: UInt64 = 0
    public var bytesFoundLost: UInt64 = 0
    /// Well-formed packets not accepted, by ``DropReason``.
    public var drops = InlineArray<24, UInt64>(repeating: 0)

    public init() {}

    /// Adds the counters of another shard of the host.
    public mutating func add(_ other: EndpointStatistics) {
        for counter in Self.counters { self[keyPath: counter] += other[keyPath: counter] }
        for type in packetsSent.indices {
            packetsSent[type] += other.packetsSent[type]
            packetsReceived[type] += other.packetsReceived[type]
        }
        for reason in drops.indices { drops[reason] += other.drops[reason] }
    }

    private static var counters: [WritableKeyPath<EndpointStatistics, UInt64>] {
        [
            \.bytesSent, \.bytesReceived, \.bytesRetransmitted, \.packetsRetransmitted, \.callsStarted,
            \.callsCompleted,
            \.callsFailed, \.requestsDelivered, \.responsesStarted, \.messagesStarted, \.messagesSent,
            \.messagesDelivered, \.requestsDeclined, \.failuresSent, \.failuresReceived, \.requestsCancelled,
            \.requestsExpired, \.clientsLost, \.responsesRetained, \.requestsEvicted, \.bufferStalls,
            \.requestsMoved, \.addressesValidated, \.responsesHeldBack, \.packetsWithheld, \.peersEvicted,
            \.cutoffChanges, \.probesDeferred, \.callsQueued, \.oldestGrants,
            \.probesSent,
            \.bytesFoundLost, \.unscheduledChanges, \.blackHolesFound,
        ]
    }

    public func drops(for reason: DropReason) -> UInt64 { drops[Int(reason.rawValue)] }
    public func sent(_ type: PacketType) -> UInt64 { packetsSent[Int(type.rawValue) - 0x10] }
    public func received(_ type: PacketType) -> UInt64 { packetsReceived[Int(type.rawValue) - 0x10] }
}
