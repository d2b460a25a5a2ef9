// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaWire

/// An endpoint that is one of several of its host: every RPC belongs to the shard that its identifier says.
///
/// Shards share nothing while they work. Now and then each hears how the others stand (``apply(_:)``) and keeps
/// to its part of what the host may have in all: bytes on their way to it, and the rate of its link. So those limits
/// hold for the host but for what changed since; which message is the shortest each shard knows of its own only.
extension Endpoint {
    /// What the other shards should know.
    public var summary: ShardSummary {
        mutating get {
            ShardSummary(
                activeMessages: granter.activeCount, isSending: !sendQueue.isEmpty, nextID: nextID)
        }
    }

    /// Takes note of how the other shards stand.
    public mutating func apply(_ summaries: ShardSummaries) {
        granter.apply(activeMessages: summaries.activeMessages)
        pacer.sharers = UInt64(1 + summaries.senders)
        // Servers remember which calls of a client ran by a window of identifiers, so shards must not drift apart.
        if summaries.nextID.rawValue > nextID.rawValue {
            nextID = summaries.nextID.rounded(toShard: shard, of: shardCount)
        }
    }

    /// An acknowledgement that another shard must hear of; to be drained after inputs.
    public mutating func nextCrossShardAck() -> CrossShardAck? { crossShardAcks.popFirst() }

    /// An acknowledgement that another shard received.
    public mutating func receive(_ ack: CrossShardAck, at now: Instant) {
        guard let slot = findAcknowledged(ack, at: findPeer(ack.peer)) else { return }
        acknowledged(slot, ack.record, at: now)
    }

    /// Keeps an acknowledgement for another shard. One too many is lost: that shard will ask its client in time.
    mutating func forward(_ ack: CrossShardAck) {
        guard crossShardAcks.count < Self.maximumCrossShardAcks else { return }
        crossShardAcks.append(ack)
    }

    private static var maximumCrossShardAcks: Int { 4096 }

    /// Uses cutoffs that another shard has learned, so that senders hear the same from all.
    public mutating func adopt(_ fields: CutoffsFields) {
        cutoffs.adopt(fields)
        advertisedUnscheduled = fields.cutoffs[0]
        granter.cutoffs = fields.cutoffs
    }
}
