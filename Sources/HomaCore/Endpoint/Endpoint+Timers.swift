// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// What happens when nothing happens.
///
/// Each RPC has at most one entry in the timer heap. Packets do not touch it: they only note when
/// the peer was last heard, and an entry that comes up too early is put back.
extension Endpoint {
    mutating func armTimer(_ slot: UInt32, at time: Instant) {
        let due = hasPlanted(.missesDeadline) ? time : min(time, rpcs.at(slot).pointee.deadline)
        timers.set(slot, key: due.nanoseconds, tie: UInt64(slot))
    }

    /// Does what is due by now: asks again, asks for acknowledgements, gives up.
    public mutating func expireTimers(at now: Instant) {
        while let due = timers.firstKey, due <= now.nanoseconds, let slot = timers.first {
            let rpc = rpcs.at(slot)
            if now >= rpc.pointee.deadline {
                abort(rpcs.handle(of: slot), failure: .deadlineExceeded, at: now)
                continue
            }
            if hasPlanted(.waitsForever) {
                armTimer(slot, at: now.advanced(byNanoseconds: tuning.timeout))
                continue
            }
            forgiveAbsence(slot, since: due, at: now)
            if standsStill(slot, at: now) {
                giveUp(slot, at: now)
                continue
            }
            switch rpc.pointee.state {
            case .inService: timers.remove(slot)
            case .declined: finishServerRPC(slot, at: now)
            case .lingering: linger(slot, at: now)
            case .outgoing where !rpc.pointee.isClient: awaitAcknowledgement(slot, at: now)
            case .outgoing, .incoming: awaitData(slot, at: now)
            }
        }
        // A page of another shard becomes free by time alone.
        buffersReturned(at: now)
    }

    /// A client waits for the response, or either side for the rest of a message.
    private mutating func awaitData(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        if isOurTurn(slot) {
            if mustYield(slot) { return evict(slot, at: now) }
            rpc.pointee.lastHeard = now
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        let silence = now.nanoseconds(since: rpc.pointee.lastHeard)
        if silence >= tuning.timeout, isLost(slot, at: now) { return giveUp(slot, at: now) }
        if silence >= max(tuning.shortPatience, 2 * patience(slot)), mayEvict(slot, at: now) {
            return evict(slot, at: now)
        }
        let handOver = handOverIfServed(slot, at: now) ?? .distantFuture
        let isBehindOthers = mayBeBehindOthers(slot, at: now)
        if !isBehindOthers { checkPace(slot, at: now) }
        let due = questionDue(slot)
        guard now >= due else { return armTimer(slot, at: min(earlier(due, slot, at: now), handOver)) }
        if isBehindOthers {
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        if rpc.pointee.state == .incoming {
            granter.stall(slot)
            endUnscheduled(slot)
        }
        question(slot, at: now)
    }

    /// When the peer is to be asked about the RPC; never while the next step is ours.
    mutating func questionDue(_ slot: UInt32) -> Instant {
        let rpc = rpcs.at(slot)
        let isAnswer = rpc.pointee.state == .outgoing && !rpc.pointee.isClient
        if isAnswer ? sendQueue.contains(slot) : isOurTurn(slot) {
            return max(rpc.pointee.nextProbe, rpc.pointee.lastHeard).advanced(byNanoseconds: tuning.resendAfter)
        }
        let wait =
            !isAnswer
            ? patience(slot) + (rpc.pointee.state == .outgoing ? tuning.slowTime(of: rpc.pointee.outgoing.next) : 0)
            : rpc.pointee.outgoing.isFullySent
                ? tuning.acknowledgementDelay + tuning.slowTime(of: rpc.pointee.outgoing.length)
                : tuning.longestPatience
        return max(rpc.pointee.lastHeard.advanced(byNanoseconds: wait), rpc.pointee.nextProbe)
    }

    /// True when the next step is ours, so that silence of the peer means nothing.
    mutating func isOurTurn(_ slot: UInt32) -> Bool {
        let rpc = rpcs.at(slot)
        if sendQueue.contains(slot) { return true }
        switch rpc.pointee.incoming.buffers {
        case .none: return false
        case .waiting: return true
        case .held: return rpc.pointee.incoming.waitsForGrant
        }
    }

    /// A server waits until the client has the response.
    private mutating func awaitAcknowledgement(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        if sendQueue.contains(slot) {
            rpc.pointee.lastHeard = now
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.acknowledgementDelay))
        }
        // A kernel client that is asked in the middle of a message asks for all that is on its way to it.
        guard rpc.pointee.outgoing.isFullySent || peer(of: slot).pointee.speaksExtensions else {
            if isSilent(slot, at: now) { return giveUp(slot, at: now) }
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.longestPatience))
        }
        if now.nanoseconds(since: rpc.pointee.lastHeard) >= tuning.timeout, isLost(slot, at: now) {
            return giveUp(slot, at: now)
        }
        let due = questionDue(slot)
        guard now >= due else { return armTimer(slot, at: due) }
        if mayBeBehindOthers(slot, at: now) {
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        question(slot, at: now)
    }
}
