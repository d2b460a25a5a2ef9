// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// Recovery: when to ask for what has not come, and what to send again when asked.
///
/// A probe (RESEND, or NEED_ACK for a response) goes when an RPC has been silent for the resend timeout, which follows
/// what the peer usually takes. A timer that knows nothing of the peer's load asks about every call of a busy server,
/// whose answers keep it busier still: so the probes to one peer that are not answered yet are limited, and come no
/// faster than the answers. Nothing is asked for that may only be waiting behind other bytes on a slow way, and nothing
/// goes again that the receiver cannot have missed yet.
///
/// Each RPC has at most one entry in the timer heap. Packets do not touch it: they only note when the peer was last
/// heard, and an entry that comes up too early is put back.
extension Endpoint {
    // MARK: Timers

    mutating func armTimer(_ slot: UInt32, at time: Instant) {
        let due = hasPlanted(.missesDeadline) ? time : min(time, rpcs.at(slot).pointee.deadline)
        timers.set(slot, key: due.nanoseconds, tie: UInt64(slot))
    }

    /// Does what is due by now: asks again, asks for acknowledgements, gives up.
    public mutating func expireTimers(at now: Instant) {
        if let due = timers.firstKey, due <= now.nanoseconds { noteAbsence(since: due, at: now) }
        while let due = timers.firstKey, due <= now.nanoseconds, let slot = timers.first {
            let rpc = rpcs.at(slot)
            if now >= rpc.pointee.deadline {
                deadlinePassed(slot, at: now)
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
            case .inService: awaitApplication(slot)
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
            if isEvictionCandidate(slot) { return evict(slot, at: now) }
            rpc.pointee.lastHeard = now
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        let silence = now.nanoseconds(since: rpc.pointee.lastHeard)
        if silence >= tuning.timeout, isLost(slot, at: now) { return giveUp(slot, at: now) }
        // Somebody who has never answered may be far away; all of those together have an eighth of the room.
        let roundTrip = min(
            peer(of: slot).pointee.knownRoundTrip ?? tuning.longestResendTimeout / 4, tuning.longestResendTimeout)
        let answer = max(resendTimeout(slot), roundTrip)
        if silence >= max(tuning.incompleteRequestTimeout, 2 * answer), mayEvict(slot, at: now) {
            return evict(slot, at: now)
        }
        if keepsMemoryInVain(slot, at: now) { return evict(slot, at: now) }
        let handOver = handOverIfServed(slot, at: now) ?? .distantFuture
        let isBehindOthers = mayBeBehindOthers(slot, at: now)
        if !isBehindOthers { checkPace(slot, at: now) }
        let due = probeDue(slot)
        guard now >= due else { return armTimer(slot, at: min(earlier(due, slot, at: now), handOver)) }
        if isBehindOthers {
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        if rpc.pointee.state == .incoming {
            granter.stall(slot)
            endUnscheduled(slot)
        }
        scheduleProbe(slot, at: now)
    }

    /// When the peer is to be asked about the RPC; never while the next step is ours.
    mutating func probeDue(_ slot: UInt32) -> Instant {
        let rpc = rpcs.at(slot)
        let isAnswer = rpc.pointee.state == .outgoing && !rpc.pointee.isClient
        if isAnswer ? sendQueue.contains(slot) : isOurTurn(slot) {
            return max(rpc.pointee.nextProbe, rpc.pointee.lastHeard).advanced(byNanoseconds: tuning.resendAfter)
        }
        let wait =
            !isAnswer || rpc.pointee.outgoing.isHeldBack
            ? resendTimeout(slot)
                + (rpc.pointee.state == .outgoing && !isAnswer ? tuning.slowTime(of: rpc.pointee.outgoing.next) : 0)
            : rpc.pointee.outgoing.isFullySent
                ? tuning.acknowledgementDelay + tuning.slowTime(of: rpc.pointee.outgoing.length)
                : tuning.longestResendTimeout
        return max(rpc.pointee.lastHeard.advanced(byNanoseconds: wait), rpc.pointee.nextProbe)
    }

    /// True when the next step is ours, so that silence of the peer means nothing.
    mutating func isOurTurn(_ slot: UInt32) -> Bool {
        let rpc = rpcs.at(slot)
        if sendQueue.contains(slot) { return true }
        switch rpc.pointee.incoming.buffers {
        case .none: return false
        case .waiting: return true
        case .held: return rpc.pointee.incoming.waitsForGrant && !rpc.pointee.isUnproven
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
        releaseIfValidated(slot, at: now)
        let isAsked = rpc.pointee.outgoing.isFullySent || rpc.pointee.outgoing.isHeldBack
        guard isAsked || peer(of: slot).pointee.speaksExtensions else {
            if isSilent(slot, at: now) { return retainOrGiveUp(slot, at: now) }
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.longestResendTimeout))
        }
        if now.nanoseconds(since: rpc.pointee.lastHeard) >= tuning.timeout, isLost(slot, at: now) {
            return retainOrGiveUp(slot, at: now)
        }
        let due = probeDue(slot)
        guard now >= due else { return armTimer(slot, at: due) }
        if mayBeBehindOthers(slot, at: now) {
            return armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        scheduleProbe(slot, at: now)
    }

    // MARK: Probes

    /// Silence after which a probe about the RPC is due.
    mutating func resendTimeout(_ slot: UInt32) -> UInt64 {
        guard tuning.adaptsTimers else { return tuning.resendAfter }
        let peer = peer(of: slot)
        let message = rpcs.at(slot).pointee.incoming
        guard message.buffers != .none else {
            return min(max(tuning.resendAfter, peer.pointee.responseTime.bound), tuning.longestResendTimeout)
        }
        // Until the first grant to the peer has been timed, what a request takes: a grant goes the same way.
        let isUntimed = message.isGranted && peer.pointee.grantTime.bound == 0
        let usual = isUntimed ? peer.pointee.responseTime.bound : peer.pointee.grantTime.bound
        return min(max(tuning.resendAfter, usual), tuning.longestMeasuredTimeout)
    }

    /// A probe about the RPC is due, and its last one, if any, was not answered in time. It goes out now, or when
    /// others have been answered.
    mutating func scheduleProbe(_ slot: UInt32, at now: Instant) {
        guard tuning.probesPerPeer > 0 else { return sendProbe(slot, at: now) }
        let index = rpcs.at(slot).pointee.peer
        let peer = peers.at(index)
        if rpcs.at(slot).pointee.isProbed {
            forgetProbe(slot)
            if now >= peer.pointee.nextHalving {
                peer.pointee.probeLimit = max(min(4, tuning.probesPerPeer), peer.pointee.probeLimit / 2)
                peer.pointee.nextHalving = now.advanced(byNanoseconds: resendTimeout(slot))
            }
        }
        if !rpcs.at(slot).pointee.probeLinks.isLinked { peer.pointee.probesDue.append(slot, rpcs.view) }
        sendDueProbes(index, at: now)
        guard rpcs.at(slot).pointee.probeLinks.isLinked else { return }
        counters.probesDeferred += 1
        // Its turn comes without the timer, which only watches for the timeout.
        let isRequest = rpcs.at(slot).pointee.state == .incoming && !rpcs.at(slot).pointee.isClient
        let watch = isRequest ? max(tuning.incompleteRequestTimeout, tuning.resendAfter) : tuning.longestResendTimeout
        armTimer(slot, at: now.advanced(byNanoseconds: min(watch, tuning.longestResendTimeout)))
    }

    /// Asks about those who waited longest, as many as may be.
    private mutating func sendDueProbes(_ index: UInt32, at now: Instant) {
        let peer = peers.at(index)
        while peer.pointee.outstandingProbes < peer.pointee.probeLimit, let slot = peer.pointee.probesDue.first {
            peer.pointee.probesDue.remove(slot, rpcs.view)
            let due = probeDue(slot)
            if due > now { armTimer(slot, at: due) } else { sendProbe(slot, at: now) }
        }
    }

    private mutating func sendProbe(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        // The answer comes behind what is on its way by now.
        noteAhead(slot)
        rpc.pointee.lastAsked = now
        rpc.pointee.probesSent = min(rpc.pointee.probesSent, .max - 1) + 1
        var isSaid = true
        if rpc.pointee.outgoing.isHeldBack {
            challenge(slot, at: now)
        } else if rpc.pointee.state == .outgoing, !rpc.pointee.isClient {
            sendControl(.needAck, for: slot)
        } else {
            isSaid = requestMissing(slot, at: now)
        }
        if isSaid {
            peer(of: slot).pointee.liveness.probed(at: now, apart: tuning.resendAfter)
            record(.probed, slot, peer(of: slot).pointee.outstandingProbes, peer(of: slot).pointee.probeLimit, at: now)
        }
        if isSaid, tuning.probesPerPeer > 0 {
            rpc.pointee.isProbed = true
            peer(of: slot).pointee.outstandingProbes += 1
            if rpc.pointee.probesSince != rpc.pointee.lastHeard { rpc.pointee.unansweredProbes = 0 }
            rpc.pointee.probesSince = rpc.pointee.lastHeard
            if rpc.pointee.unansweredProbes < .max { rpc.pointee.unansweredProbes += 1 }
        }
        backOff(slot, at: now)
    }

    /// So many probes that remain unanswered are taken for lost, and more for late.
    private static var promptProbes: UInt8 { 4 }

    /// Waits for an answer, longer each time.
    private mutating func backOff(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        // What a client takes to acknowledge is not known.
        var least =
            rpc.pointee.isClient || rpc.pointee.state == .incoming
            ? resendTimeout(slot) : tuning.slowTime(of: rpc.pointee.outgoing.length)
        var interval = rpc.pointee.probeInterval
        if isSuspect(slot, at: now) {
            // Of a host that may be dead it does not matter what it usually takes.
            least = 0
            interval = min(interval, tuning.timeout / 16)
        }
        rpc.pointee.nextProbe = now.advanced(byNanoseconds: max(least, interval))
        // Whoever has left several unanswered has them before him, on a slow way, or has other reasons to be spared.
        let isSlow = tuning.adaptsTimers && rpc.pointee.unansweredProbes >= Self.promptProbes
        rpc.pointee.probeInterval = min(
            max(rpc.pointee.probeInterval * 2, tuning.resendAfter),
            isSlow ? max(tuning.longestResendTimeout, tuning.resendIntervalLimit) : tuning.resendIntervalLimit)
        armTimer(slot, at: earlier(rpc.pointee.nextProbe, slot, at: now))
    }

    /// The peer has sent something about an RPC that it was asked about.
    mutating func noteAnswer(_ slot: UInt32, at now: Instant) {
        forgetProbe(slot)
        let index = rpcs.at(slot).pointee.peer
        let peer = peers.at(index)
        peer.pointee.probeLimit = min(peer.pointee.probeLimit + 1, tuning.probesPerPeer)
        sendDueProbes(index, at: now)
    }

    /// The RPC ends, or its probe was answered, or will not be.
    mutating func forgetProbe(_ slot: UInt32) {
        if rpcs.at(slot).pointee.isProbed {
            rpcs.at(slot).pointee.isProbed = false
            peer(of: slot).pointee.outstandingProbes -= 1
        }
        if rpcs.at(slot).pointee.probeLinks.isLinked { peer(of: slot).pointee.probesDue.remove(slot, rpcs.view) }
    }

    /// No request of the peer could begin now.
    mutating func isFull(for peer: UInt32?) -> Bool {
        if rpcs.count >= maximumRPCs { return true }
        guard let peer else { return false }
        return exceededShare(peer, bytes: 0) != nil || exceedsQuota(peer)
    }

    // MARK: What the peer usually takes

    /// The first packet of the response has come, or the acknowledgement of a message.
    mutating func noteResponse(_ slot: UInt32, at now: Instant) {
        noteAnswered(slot, at: now)
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

    // MARK: What is asked for

    mutating func acceptResend(_ slot: UInt32, _ resend: ResendFields, at now: Instant) -> Disposition {
        let rpc = rpcs.at(slot)
        switch rpc.pointee.state {
        case .declined:
            sendDeclined(slot)
            return .consumed
        case .incoming where rpc.pointee.isClient, .outgoing, .lingering: noteLacking(slot)
        default:
            // A server that still receives or runs the request has nothing to send yet.
            let works = rpc.pointee.state == .inService && peer(of: slot).pointee.speaksExtensions
            sendControl(.busy, for: slot, marks: works ? .inService : [])
            return .consumed
        }
        // BUSY would be a sign of life, and a receiver that was told a false length would ask for ever.
        guard resend.offset < rpc.pointee.outgoing.length else { return .dropped(.lengthMismatch) }
        if rpc.pointee.outgoing.isHeldBack {
            challenge(slot, at: now)
            return .consumed
        }
        let sent = rpc.pointee.outgoing.next
        let everything = resend.length == ResendFields.everything
        let wanted =
            everything ? resend.offset == 0 ? endOfEverything(slot, sent) : sent : resend.offset + UInt32(resend.length)
        if !rpc.pointee.isClient || rpc.pointee.state == .lingering { rpc.pointee.lastHeard = now }
        if mayBeOnItsWay(slot, everything ? sent : wanted, at: now)
            || wasJustSentAgain(slot, from: resend.offset, at: now)
        {
            sendControl(.busy, for: slot)
        } else if resend.offset < sent && resend.offset < wanted {
            guard rpc.pointee.isClient || affordsAgain(slot, resend.offset..<min(wanted, sent), at: now) else {
                return .dropped(.unprovenClient)
            }
            noteAsked(slot, from: resend.offset, at: now)
            retransmit(slot, resend.offset..<min(wanted, sent), priority: resend.priority)
        } else {
            sendControl(.busy, for: slot)
        }
        if wanted > rpc.pointee.outgoing.granted {
            // The grant for this range was lost on its way.
            rpc.pointee.outgoing.granted = min(wanted, rpc.pointee.outgoing.length)
        }
        requeue(slot)
        return .consumed
    }

    /// Whether what is asked for has been sent again already for a former question, and less than a round trip ago, or
    /// than half of the time since all of it left: it may wait in a queue that has grown, and nobody has measured it
    /// yet. As long as no round trip is known, that is twice as long each time that the same is asked for.
    private mutating func wasJustSentAgain(_ slot: UInt32, from offset: UInt32, at now: Instant) -> Bool {
        guard tuning.adaptsTimers else { return false }
        let rpc = rpcs.at(slot)
        if offset != rpc.pointee.outgoing.sentAgainFrom {
            rpc.pointee.outgoing.sentAgainFrom = offset
            rpc.pointee.outgoing.sentAgainTimes = 0
        } else {
            let times = rpc.pointee.outgoing.sentAgainTimes
            let guess = min(tuning.resendAfter << UInt64(times), tuning.longestResendTimeout)
            let roundTrip = min(peer(of: slot).pointee.knownRoundTrip ?? guess, tuning.longestResendTimeout)
            let age = min(now.nanoseconds(since: rpc.pointee.outgoing.lastSent), tuning.longestResendTimeout)
            let since = now.nanoseconds(since: rpc.pointee.outgoing.sentAgainAt)
            if since < max(roundTrip / 4 * 3, age / 2) { return true }
            rpc.pointee.outgoing.sentAgainTimes = min(times + 1, 16)
        }
        rpc.pointee.outgoing.sentAgainAt = now
        return false
    }

    /// Whoever asks for everything has got nothing, and does not know how much there is. It may all be on its way,
    /// behind other bytes on a slow link: so one packet goes again, by which its receiver learns what to wait for, or
    /// else ask for.
    private mutating func endOfEverything(_ slot: UInt32, _ sent: UInt32) -> UInt32 {
        tuning.adaptsTimers ? min(sent, rpcs.at(slot).pointee.outgoing.segment) : sent
    }

    /// Whether the last bytes up to `end` cannot have arrived yet when the question about them left, as they left less
    /// than a round trip ago: it has passed them on the way.
    private mutating func mayBeOnItsWay(_ slot: UInt32, _ end: UInt32, at now: Instant) -> Bool {
        guard tuning.adaptsTimers, let roundTrip = peer(of: slot).pointee.knownRoundTrip else { return false }
        let message = rpcs.at(slot).pointee.outgoing
        guard end >= message.next else { return false }
        return now.nanoseconds(since: message.lastSent) < min(roundTrip, tuning.longestResendTimeout) / 4 * 3
    }

    /// Notes that the packets which carried `range` must go again.
    mutating func retransmit(_ slot: UInt32, _ range: Range<UInt32>, priority: UInt8) {
        let rpc = rpcs.at(slot)
        rpc.pointee.outgoing.resendPriority = priority
        rpc.pointee.sentAt = nil
        // When no room is left for another range, this one waits for the next request.
        _ = ranges.insert(
            packets(of: slot, covering: range), into: &rpc.pointee.outgoing.resends, limit: tuning.maximumGaps)
    }

    /// The packets that carried `range`, as far as they have left. Where the path carries less than they had, the range
    /// itself: a kernel receiver takes no packet that lies across the edge of what it misses.
    mutating func packets(of slot: UInt32, covering range: Range<UInt32>) -> Range<UInt32> {
        let message = rpcs.at(slot)
        guard mostPayload(slot) >= message.pointee.outgoing.segment else { return range }
        let first = message.pointee.outgoing.packet(containing: range.lowerBound)
        let last = message.pointee.outgoing.packet(containing: range.upperBound - 1)
        return first.lowerBound..<min(last.upperBound, message.pointee.outgoing.next)
    }

    // MARK: What may be lost, or late

    /// Nothing has come after these bytes, so they may be lost, or late behind others: one packet of them is asked for
    /// again. It leaves after all of them: if it comes first, they are lost (``acceptTail(_:_:)``). Or the grant is
    /// lost, which is repeated.
    mutating func requestTail(_ slot: UInt32, priority: UInt8) {
        let rpc = rpcs.at(slot)
        let (end, granted) = (rpc.pointee.incoming.end, rpc.pointee.incoming.granted)
        guard tuning.adaptsTimers else {
            return sendResend(slot, offset: end, length: Int32(granted - end), priority: priority)
        }
        rpc.pointee.incoming.tailEnd = granted
        if rpc.pointee.incoming.isGranted {
            sendControl(
                .grant(GrantFields(offset: granted, priority: rpc.pointee.incoming.grantPriority)), for: slot)
        }
        sendResend(slot, offset: end, length: Int32(min(granted - end, tuning.defaultSegment)), priority: priority)
    }

    /// New bytes have come of what was sent again. If they are the last of those, what was sent before them and has not
    /// come is lost.
    mutating func acceptTail(_ slot: UInt32, _ data: DataFields) {
        let message = rpcs.at(slot).pointee.incoming
        guard message.tailEnd > message.end, data.offset + data.payloadLength == message.end,
            data.incoming <= message.end || !peer(of: slot).pointee.speaksExtensions
        else { return }
        rpcs.at(slot).pointee.incoming.tailEnd = 0
        sendResend(
            slot, offset: message.end, length: Int32(message.tailEnd - message.end), priority: tuning.controlPriority)
    }

    // MARK: Bytes on a slow way

    /// Whether what is missing of the RPC may only be waiting behind other bytes of its peer: it delivers those fast
    /// enough for all to come within a few timeouts, and has delivered fewer than were on their way. To ask now would
    /// put the same bytes once more on a way that is busy already.
    mutating func mayBeBehindOthers(_ slot: UInt32, at now: Instant) -> Bool {
        guard tuning.adaptsTimers else { return false }
        let rpc = rpcs.at(slot)
        let since = UInt64(peer(of: slot).pointee.arrived &- rpc.pointee.incoming.peerArrived)
        let ahead = UInt64(max(rpc.pointee.incoming.ahead, bytesAhead(slot)))
        let silence = now.nanoseconds(since: rpc.pointee.lastHeard)
        // A way that is busy brings bytes all the time.
        let isBusy = now.nanoseconds(since: peer(of: slot).pointee.incomingPath.last) < tuning.timeout / 16
        // At 0.8 Mb/s at least: what comes more slowly keeps no way busy.
        return isBusy && since > silence / 10_000 && since < ahead && silence < tuning.longestWay
            && since * tuning.longestWay >= ahead * silence
    }

    /// Bytes of an arriving message have come for the first time.
    @inline(__always)
    mutating func noteArrival(_ slot: UInt32, bytes: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        let peer = peers.at(rpc.pointee.peer)
        let (arrived, ahead) = (peer.pointee.arrived &+ bytes, Self.bytesAhead(peer))
        counters.bytesReceived += UInt64(bytes)
        peer.pointee.arrived = arrived
        let isLast = rpc.pointee.incoming.outstanding == 0 && peer.pointee.incoming <= rpc.pointee.incoming.expected
        if peer.pointee.incomingPath.arrive(bytes, isLast: isLast, at: now), tuning.adaptsWindows {
            measureIncomingPath(of: peer, at: now)
        }
        rpc.pointee.incoming.peerArrived = arrived
        rpc.pointee.incoming.ahead = ahead
    }

    @inline(never)
    private mutating func measureIncomingPath(of peer: UnsafeMutablePointer<Peer>, at now: Instant) {
        peer.pointee.incomingPath.measure(tuning, at: now)
    }

    /// From now on the RPC's peer has as much to deliver as is on its way before it is late with what is missing.
    @inline(__always)
    mutating func noteAhead(_ slot: UInt32) {
        let rpc = rpcs.at(slot)
        let (arrived, ahead) = (peers.at(rpc.pointee.peer).pointee.arrived, bytesAhead(slot))
        rpc.pointee.incoming.peerArrived = arrived
        rpc.pointee.incoming.ahead = ahead
    }

    /// What the RPC's peer may have to deliver. While a call waits for its response, others do so as well, and nobody
    /// knows how much they bring.
    @inline(__always)
    private mutating func bytesAhead(_ slot: UInt32) -> UInt32 {
        let rpc = rpcs.at(slot)
        let peer = peers.at(rpc.pointee.peer)
        guard rpc.pointee.state == .outgoing else { return Self.bytesAhead(peer) }
        let unknown = UInt64(peer.pointee.admission.unfinished) * UInt64(peer.pointee.usualUnscheduled)
        return UInt32(clamping: 2 * (UInt64(peer.pointee.incoming) + unknown))
    }

    /// Twice what is known to be on its way from a peer: messages that have not begun to arrive may be as much again.
    @inline(__always)
    private static func bytesAhead(_ peer: UnsafeMutablePointer<Peer>) -> UInt32 { 2 &* peer.pointee.incoming }

    /// A response begins to arrive, of which so many bytes come without a grant.
    mutating func noteUsual(_ slot: UInt32, _ bytes: UInt32) {
        let peer = peer(of: slot)
        let usual = peer.pointee.usualUnscheduled
        let sample = min(bytes, tuning.unscheduledBytes)
        peer.pointee.usualUnscheduled = usual == 0 ? sample : usual - usual / 8 + sample / 8
    }

    // MARK: Round trips
    //
    // Everything that is measured is at least a round trip, as messages also wait their turn: the least of late is the
    // nearest to it.

    /// The first grant for a message has come: its receiver grants as soon as it hears of a message, if it is one of
    /// those to be granted to.
    mutating func noteFirstGrant(_ slot: UInt32, at now: Instant) {
        noteAnswered(slot, at: now)
        let message = rpcs.at(slot).pointee.outgoing
        guard message.granted == message.unscheduled, message.resends.isEmpty, message.next > 0 else { return }
        noteRoundTrip(now.nanoseconds(since: message.begunAt), slot, at: now)
    }

    /// Bytes that a grant released have come, so long after it left. If what was on its way before them took all of
    /// that time to come, the round trip is shorter, no one knows how much.
    private mutating func noteGrantedData(_ slot: UInt32, after time: UInt64, at now: Instant) {
        let peer = peer(of: slot)
        let behind = tuning.nanoseconds(forBytes: Int(rpcs.at(slot).pointee.incoming.timedBehind))
        let hadQueue = peer.pointee.incomingPath.hadQueue(time, at: now)
        if !hadQueue && time > behind + behind / 4 {
            noteRoundTrip(time, slot, at: now)
        } else {
            noteAtMost(time, slot, at: now)
        }
        guard tuning.adaptsWindows, !hadQueue else { return }
        // What that lets be granted is seen when the granter hears of the bytes.
        peer.pointee.incomingPath.noteRoundTrip(time, tuning, at: now)
    }

    /// A round trip and something else together took so long.
    mutating func noteAtMost(_ time: UInt64, _ slot: UInt32, at now: Instant) {
        guard time < peer(of: slot).pointee.roundTrip.value else { return }
        noteRoundTrip(time, slot, at: now)
    }

    /// Something has come that our message has caused: its first packet left a round trip ago, or earlier.
    mutating func noteAnswered(_ slot: UInt32, at now: Instant) {
        noteAtMost(now.nanoseconds(since: rpcs.at(slot).pointee.outgoing.begunAt), slot, at: now)
    }

    /// The server works on a request, and says so because it was asked. If that was the first question, and the only
    /// thing that has left since, it was a round trip ago.
    mutating func noteInService(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.probesSent == 1, rpc.pointee.sentAt != nil else { return }
        noteAtMost(now.nanoseconds(since: rpc.pointee.lastAsked), slot, at: now)
    }

    private mutating func noteRoundTrip(_ time: UInt64, _ slot: UInt32, at now: Instant) {
        let peer = peer(of: slot)
        let before = peer.pointee.roundTrip.value
        peer.pointee.roundTrip.note(time, at: now)
        guard tuning.adaptsWindows, peer.pointee.roundTrip.value != before else { return }
        reviseBytesUnderWay(peer)
        if peers.hosts.at(peer.pointee.host).pointee.activeGrants > 0 { granter.reviseLimits() }
    }
}
