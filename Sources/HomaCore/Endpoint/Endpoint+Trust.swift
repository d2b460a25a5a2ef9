// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire

/// Defence against senders that begin requests and do not finish them.
///
/// A first packet of a few bytes takes an RPC record and buffers for the whole message. An honest client
/// loses nothing when its incomplete request ends early: it asks, hears that the server does not know the
/// request, and sends it again. So silent senders are dropped early when room is short, and a peer that
/// keeps doing this gets little room at all.
extension Endpoint {
    /// More broken requests than this are not remembered, so that a peer can be trusted again soon: after
    /// three that it finishes.
    private var mostBroken: UInt32 { tuning.brokenLimit * 8 - 1 }

    /// True when the peer leaves too many requests unfinished.
    private mutating func isDistrusted(_ peer: UInt32) -> Bool {
        peers.at(peer).pointee.brokenRequests >= tuning.brokenLimit
    }

    /// True when a distrusted peer may begin nothing more now.
    mutating func exceedsQuota(_ peer: UInt32) -> Bool {
        isDistrusted(peer) && peers.at(peer).pointee.unfinishedRequests >= tuning.distrustedRequests
    }

    /// Why no further request of `bytes` may begin, if the peer's host has its share, by whichever ports: half of the
    /// records for requests and of those for peers, and of the memory if others wait for it.
    mutating func exceededShare(_ peer: UInt32, bytes: Int) -> DropReason? {
        if peers.hasBusyHost(peer) { return .tooManyPeers }
        let host = peers.host(of: peer).pointee
        if host.requests >= tuning.serverRPCsPerHost { return .tooManyRPCs }
        guard host.waiting > 0 || host.heldBytes > 0, othersWait(besides: host) else { return nil }
        return host.waiting > 0 || host.heldBytes + bytes > memoryShare ? .noBuffers : nil
    }

    /// Whether the request has memory that its host keeps from others, and brings next to nothing.
    mutating func keepsMemoryInVain(_ slot: UInt32, at now: Instant) -> Bool {
        let rpc = rpcs.at(slot)
        let host = peers.host(of: rpc.pointee.peer).pointee
        return !rpc.pointee.isClient && rpc.pointee.incoming.isStalled && othersWait(besides: host)
            && host.heldBytes > memoryShare
            && now.nanoseconds(since: rpc.pointee.birth) >= tuning.incompleteRequestTimeout
    }

    private mutating func othersWait(besides host: Host) -> Bool { waiting.count > Int(host.waiting) }

    private var memoryShare: Int {
        mutating get { pool.map { $0.configuration.regionLength / 2 / shardCount } ?? .max }
    }

    /// A request of the peer has arrived in full.
    mutating func noteFinished(_ peer: UInt32) {
        let record = peers.at(peer)
        record.pointee.unfinishedRequests -= 1
        guard record.pointee.brokenRequests > 0 else { return }
        let wasOnTrial = record.pointee.isOnTrial(tuning)
        record.pointee.brokenRequests /= 2
        if wasOnTrial, !record.pointee.isOnTrial(tuning) { granter.reviseTrials(ofHost: record.pointee.host) }
    }

    /// The peer fell silent in the middle of a request.
    mutating func noteBroken(_ peer: UInt32) {
        peers.at(peer).pointee.brokenRequests = min(mostBroken, peers.at(peer).pointee.brokenRequests + 1)
    }

    /// True for a request that waits for buffers, when its peer was found out since and has more than its share.
    mutating func isEvictionCandidate(_ slot: UInt32) -> Bool {
        let rpc = rpcs.at(slot)
        return !rpc.pointee.isClient && rpc.pointee.incoming.buffers == .waiting
            && isDistrusted(rpc.pointee.peer)
            && peers.at(rpc.pointee.peer).pointee.unfinishedRequests > tuning.distrustedRequests
    }

    /// True for an incomplete request whose peer is distrusted, or that room is needed from and that its peer has been
    /// asked about in vain. A client with much to send leaves its longest requests silent for long, and answers when
    /// asked; if those were dropped, what has come of them would have to come again, when there is too much already.
    /// Nor is a peer asked in vain while its other messages' packets keep coming, and are thrown away here: its answer
    /// comes behind them.
    mutating func mayEvict(_ slot: UInt32, at now: Instant) -> Bool {
        let rpc = rpcs.at(slot)
        guard !rpc.pointee.isClient, rpc.pointee.state == .incoming else { return false }
        if let last = peer(of: slot).pointee.lastWithoutRoom,
            now.nanoseconds(since: last) < tuning.incompleteRequestTimeout
        {
            return false
        }
        return isDistrusted(rpc.pointee.peer) || isRoomShort(for: rpc.pointee.peer) && leftProbesUnanswered(slot)
    }

    private mutating func leftProbesUnanswered(_ slot: UInt32) -> Bool {
        let rpc = rpcs.at(slot)
        guard tuning.probesPerPeer > 0 else { return true }
        return rpc.pointee.unansweredProbes > 0 && rpc.pointee.probesSince == rpc.pointee.lastHeard
    }

    /// Messages wait for buffers, or three quarters of the RPC records or of the host's share of them are taken.
    private mutating func isRoomShort(for peer: UInt32) -> Bool {
        waiting.count > 0 || rpcs.count > maximumRPCs / 4 * 3
            || peers.host(of: peer).pointee.requests > tuning.serverRPCsPerHost / 4 * 3
    }

    /// Ends an incomplete request early. It has not run, and may come again.
    mutating func evict(_ slot: UInt32, at now: Instant) {
        counters.requestsEvicted += 1
        record(.evicted, slot, rpcs.at(slot).pointee.incoming.received, at: now)
        // One that merely waited has broken nothing; nor has one of which more than a beginning came: it ends for
        // our want of room.
        let message = rpcs.at(slot).pointee.incoming
        if message.buffers == .held, !rpcs.at(slot).pointee.isUnproven,
            message.received < min(message.length, tuning.defaultSegment)
        {
            noteBroken(rpcs.at(slot).pointee.peer)
        }
        removeRPC(slot, at: now)
    }

    /// A packet was thrown away, since its message waits for buffers. One with much payload keeps the way busy.
    mutating func noteWithoutRoom(_ slot: UInt32, _ data: DataFields, at now: Instant) {
        peer(of: slot).pointee.arrived &+= data.payloadLength
        guard data.payloadLength >= tuning.defaultSegment / 2 else { return }
        peer(of: slot).pointee.lastWithoutRoom = now
    }
}
