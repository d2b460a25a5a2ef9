// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaWire

/// An acknowledgement that came with a packet for one shard and is about an RPC of another.
public struct ForeignAck: Equatable, Sendable, BitwiseCopyable {
    /// Who acknowledges.
    public let peer: PeerAddress
    /// What.
    public let record: AckRecord
}

/// An endpoint that is one of several of its host: every RPC belongs to the shard that its identifier says.
///
/// Shards share nothing while they work. Now and then each hears how the others stand (``meet(_:)``) and keeps
/// to its part of what the host may have in all: bytes on their way to it, and the rate of its link. So those limits
/// hold for the host but for what changed since; which message is the shortest each shard knows of its own only.
extension Endpoint {
    /// What the other shards should know.
    public var standing: ShardStanding {
        mutating get {
            ShardStanding(
                activeMessages: granter.activeCount, isSending: !sendQueue.isEmpty, nextID: nextID)
        }
    }

    /// Takes note of how the other shards stand.
    public mutating func meet(_ neighbours: Neighbours) {
        granter.meet(activeMessages: neighbours.activeMessages)
        pacer.sharers = UInt64(1 + neighbours.senders)
        // Servers remember which calls of a client ran by a window of identifiers, so shards must not drift apart.
        if neighbours.nextID.rawValue > nextID.rawValue {
            nextID = neighbours.nextID.rounded(toShard: shard, of: shardCount)
        }
    }

    /// An acknowledgement that another shard must hear of; to be drained after inputs.
    public mutating func nextForeignAck() -> ForeignAck? { foreignAcks.popFirst() }

    /// An acknowledgement that another shard received.
    public mutating func receive(_ ack: ForeignAck, at now: Instant) {
        guard let peer = findPeer(ack.peer) else { return }
        acknowledged(ack.record, by: peer, at: now)
    }

    /// Keeps an acknowledgement for another shard. One too many is lost: that shard will ask its client in time.
    mutating func forward(_ ack: AckRecord, from peer: UInt32) {
        guard foreignAcks.count < Self.maximumForeignAcks else { return }
        foreignAcks.append(ForeignAck(peer: peers.at(peer).pointee.address, record: ack))
    }

    private static var maximumForeignAcks: Int { 4096 }

    /// Uses cutoffs that another shard has learned, so that senders hear the same from all.
    public mutating func adopt(_ fields: CutoffsFields) {
        cutoffs.adopt(fields)
        unscheduledWish = fields.cutoffs[0]
        granter.cutoffs = fields.cutoffs
    }
}
