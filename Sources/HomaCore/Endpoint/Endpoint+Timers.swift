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

    /// Time in which this process did not run is no silence of the peer: its packets may wait in the socket,
    /// and nobody has asked it. A timer that comes up very late betrays such a time.
    private mutating func forgiveAbsence(_ slot: UInt32, since due: UInt64, at now: Instant) {
        let absence = now.nanoseconds - due
        guard absence > tuning.resendAfter else { return }
        let rpc = rpcs.at(slot)
        rpc.pointee.lastHeard = min(now, rpc.pointee.lastHeard.advanced(byNanoseconds: absence))
        rpc.pointee.lastProgress = min(now, rpc.pointee.lastProgress.advanced(byNanoseconds: absence))
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
        if silence >= tuning.timeout, isTelling(slot, at: now) { return giveUp(slot, at: now) }
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

    /// Not later than the end of all patience, unless that is over.
    mutating func earlier(_ due: Instant, _ slot: UInt32, at now: Instant) -> Instant {
        let end = rpcs.at(slot).pointee.lastHeard.advanced(byNanoseconds: tuning.timeout)
        return end > now ? min(due, end) : due
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
    private mutating func isOurTurn(_ slot: UInt32) -> Bool {
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
        // A client that grants slowly is not dead; one that speaks our extensions answers when asked.
        let patience: UInt64 = rpc.pointee.outgoing.isFullySent || peer(of: slot).pointee.speaksExtensions ? 1 : 10
        if now.nanoseconds(since: rpc.pointee.lastHeard) >= tuning.timeout * patience, isTelling(slot, at: now) {
            return giveUp(slot, at: now)
        }
        // A kernel client that is asked in the middle of a message asks for all that is on its way to it.
        guard rpc.pointee.outgoing.isFullySent || peer(of: slot).pointee.speaksExtensions else {
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.longestPatience))
        }
        let due = questionDue(slot)
        guard now >= due else { return armTimer(slot, at: due) }
        if mayBeBehindOthers(slot, at: now) {
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        question(slot, at: now)
    }

    private mutating func giveUp(_ slot: UInt32, at now: Instant) {
        if rpcs.at(slot).pointee.isClient {
            failCall(slot, .timedOut, at: now)
        } else {
            counters.clientsLost += 1
            // A request of which a part is missing has not run, and may if it comes again.
            if rpcs.at(slot).pointee.state == .incoming {
                if !isOurTurn(slot) { noteBroken(rpcs.at(slot).pointee.peer) }
                removeRPC(slot, at: now)
            } else {
                finishServerRPC(slot, at: now)
            }
        }
    }

    /// The network reported that a packet of ours cannot be delivered. Only a report about an RPC
    /// we have counts (`offending` is the identifier in the packet it quotes), since anybody can
    /// forge one; then every call to that peer ends.
    public mutating func unreachable(
        _ address: PeerAddress, failure: RPCFailure, offending: RPCID, at now: Instant
    ) {
        guard let peer = findPeer(address), rpcs.find(offending, peer: peer) != nil else { return }
        while let oldest = peers.at(peer).pointee.calls.first { failCall(oldest, failure, at: now) }
        // Calls that have not begun are in no list of the peer's.
        var next = rpcs.live(from: 0)
        while let slot = next {
            let rpc = rpcs.at(slot)
            if rpc.pointee.isClient, rpc.pointee.peer == peer { failCall(slot, failure, at: now) }
            next = rpcs.live(from: slot + 1)
        }
    }
}
