// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// When to ask a silent peer, and how many questions it may have to answer at a time.
///
/// A timer that knows nothing of the peer's load asks about every call of a busy server, whose answers keep it busier
/// still. So the wait before a question follows what the peer usually takes, and the questions to one peer that are not
/// answered yet are limited: they come no faster than the answers.
extension Endpoint {
    /// Silence after which a question about the RPC is due.
    mutating func patience(_ slot: UInt32) -> UInt64 {
        guard tuning.adaptsTimers else { return tuning.resendAfter }
        let peer = peer(of: slot)
        let message = rpcs.at(slot).pointee.incoming
        guard message.buffers != .none else {
            return min(max(tuning.resendAfter, peer.pointee.responseTime.bound), tuning.longestPatience)
        }
        // Until the first grant to the peer has been timed, what a request takes: a grant goes the same way.
        let isUntimed = message.isGranted && peer.pointee.grantTime.bound == 0
        let usual = isUntimed ? peer.pointee.responseTime.bound : peer.pointee.grantTime.bound
        return min(max(tuning.resendAfter, usual), tuning.measuredPatience)
    }

    /// A question about the RPC is due, and its last one, if any, was not answered in time. It goes out now, or when
    /// others have been answered.
    mutating func question(_ slot: UInt32, at now: Instant) {
        guard tuning.questionsPerPeer > 0 else { return ask(slot, at: now) }
        let index = rpcs.at(slot).pointee.peer
        let peer = peers.at(index)
        if rpcs.at(slot).pointee.isAsked {
            forgetQuestion(slot)
            if now >= peer.pointee.nextHalving {
                peer.pointee.questionLimit = max(min(4, tuning.questionsPerPeer), peer.pointee.questionLimit / 2)
                peer.pointee.nextHalving = now.advanced(byNanoseconds: patience(slot))
            }
        }
        if !rpcs.at(slot).pointee.probeLinks.isLinked { peer.pointee.probesDue.append(slot, rpcs.view) }
        askWaiting(index, at: now)
        guard rpcs.at(slot).pointee.probeLinks.isLinked else { return }
        counters.questionsDeferred += 1
        // Its turn comes without the timer, which only watches for the end of all patience.
        let isRequest = rpcs.at(slot).pointee.state == .incoming && !rpcs.at(slot).pointee.isClient
        let watch = isRequest ? max(tuning.shortPatience, tuning.resendAfter) : tuning.longestPatience
        armTimer(slot, at: now.advanced(byNanoseconds: min(watch, tuning.longestPatience)))
    }

    /// Asks about those who waited longest, as many as may be.
    private mutating func askWaiting(_ index: UInt32, at now: Instant) {
        let peer = peers.at(index)
        while peer.pointee.questions < peer.pointee.questionLimit, let slot = peer.pointee.probesDue.first {
            peer.pointee.probesDue.remove(slot, rpcs.view)
            let due = questionDue(slot)
            if due > now { armTimer(slot, at: due) } else { ask(slot, at: now) }
        }
    }

    private mutating func ask(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        // The answer comes behind what is on its way by now.
        noteAhead(slot)
        rpc.pointee.lastAsked = now
        var isSaid = true
        if rpc.pointee.state == .outgoing, !rpc.pointee.isClient {
            sendControl(.needAck, for: slot)
        } else {
            isSaid = requestMissing(slot)
        }
        if isSaid {
            peer(of: slot).pointee.liveness.probed(at: now, apart: tuning.resendAfter)
            record(.probed, slot, peer(of: slot).pointee.questions, peer(of: slot).pointee.questionLimit, at: now)
        }
        if isSaid, tuning.questionsPerPeer > 0 {
            rpc.pointee.isAsked = true
            peer(of: slot).pointee.questions += 1
            if rpc.pointee.questionsSince != rpc.pointee.lastHeard { rpc.pointee.questions = 0 }
            rpc.pointee.questionsSince = rpc.pointee.lastHeard
            if rpc.pointee.questions < .max { rpc.pointee.questions += 1 }
        }
        backOff(slot, at: now)
    }

    /// Waits for an answer, longer each time.
    private mutating func backOff(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        // What a client takes to acknowledge is not known.
        var least =
            rpc.pointee.isClient || rpc.pointee.state == .incoming
            ? patience(slot) : tuning.slowTime(of: rpc.pointee.outgoing.length)
        var interval = rpc.pointee.probeInterval
        if isSuspect(slot, at: now) {
            // Of a host that may be dead it does not matter what it usually takes.
            least = 0
            interval = min(interval, tuning.timeout / 16)
        }
        rpc.pointee.nextProbe = now.advanced(byNanoseconds: max(least, interval))
        rpc.pointee.probeInterval = min(
            max(rpc.pointee.probeInterval * 2, tuning.resendAfter), tuning.resendIntervalLimit)
        armTimer(slot, at: earlier(rpc.pointee.nextProbe, slot, at: now))
    }

    /// The peer has sent something about an RPC that it was asked about.
    mutating func noteAnswer(_ slot: UInt32, at now: Instant) {
        forgetQuestion(slot)
        let index = rpcs.at(slot).pointee.peer
        let peer = peers.at(index)
        peer.pointee.questionLimit = min(peer.pointee.questionLimit + 1, tuning.questionsPerPeer)
        askWaiting(index, at: now)
    }

    /// The RPC ends, or its question was answered, or will not be.
    mutating func forgetQuestion(_ slot: UInt32) {
        if rpcs.at(slot).pointee.isAsked {
            rpcs.at(slot).pointee.isAsked = false
            peer(of: slot).pointee.questions -= 1
        }
        if rpcs.at(slot).pointee.probeLinks.isLinked { peer(of: slot).pointee.probesDue.remove(slot, rpcs.view) }
    }

    /// No request of the peer could begin now.
    mutating func isFull(for peer: UInt32?) -> Bool {
        if rpcs.count >= maximumRPCs { return true }
        guard let peer else { return false }
        return peers.at(peer).pointee.serverRPCs >= tuning.serverRPCsPerPeer
    }

    // MARK: What the peer usually takes

    /// The first packet of the response has come, or the acknowledgement of a message.
    mutating func noteResponse(_ slot: UInt32, at now: Instant) {
        guard let sent = rpcs.at(slot).pointee.sentAt else { return }
        rpcs.at(slot).pointee.sentAt = nil
        peer(of: slot).pointee.responseTime.note(now.nanoseconds(since: sent))
        noteAtMost(now.nanoseconds(since: sent), slot, at: now)
    }

    /// The server works on the request, and has for a while.
    mutating func noteNoResponse(_ slot: UInt32, at now: Instant) {
        guard let sent = rpcs.at(slot).pointee.sentAt else { return }
        peer(of: slot).pointee.responseTime.noteMore(than: now.nanoseconds(since: sent))
    }

    /// A grant leaves: when will what it releases be here?
    mutating func noteGrant(_ slot: UInt32, from limit: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard tuning.adaptsTimers || tuning.adaptsWindows, rpc.pointee.incoming.timedOffset == .max else { return }
        rpc.pointee.incoming.timedOffset = limit
        rpc.pointee.incoming.timedSince = now
        let received = rpc.pointee.incoming.received
        rpc.pointee.incoming.timedBehind = limit > received ? limit - received : 0
    }

    /// Bytes of a message have come for the first time, up to `end`.
    mutating func noteData(_ slot: UInt32, _ data: DataFields, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard data.offset >= rpc.pointee.incoming.timedOffset else { return }
        rpc.pointee.incoming.timedOffset = .max
        guard !data.isRetransmission else { return }
        let time = now.nanoseconds(since: rpc.pointee.incoming.timedSince)
        peer(of: slot).pointee.grantTime.note(time)
        noteGrantedData(slot, after: time, at: now)
    }
}
