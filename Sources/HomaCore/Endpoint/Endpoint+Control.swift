// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Control packets that arrive for an RPC we have, and CUTOFFS.
extension Endpoint {
    mutating func acceptGrant(_ slot: UInt32, _ grant: GrantFields, at now: Instant) -> Disposition {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.state == .outgoing else { return .dropped(.wrongState) }
        let offset = min(grant.offset, rpc.pointee.outgoing.length)
        // A grant that was overtaken says nothing about the priority now wanted.
        guard offset >= rpc.pointee.outgoing.granted else { return .dropped(.duplicate) }
        if offset > rpc.pointee.outgoing.granted { rpc.pointee.lastProgress = now }
        rpc.pointee.lastHeard = now
        noteFirstGrant(slot, at: now)
        if hasPlanted(.losesTimer) { timers.remove(slot) }
        if hasPlanted(.repeatsOnGrant), rpc.pointee.outgoing.next > 0 {
            sendAgain(slot, 0..<rpc.pointee.outgoing.next, priority: grant.priority)
        }
        rpc.pointee.outgoing.scheduledPriority = grant.priority
        rpc.pointee.outgoing.granted = offset
        requeue(slot)
        return .consumed
    }

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
        let sent = rpc.pointee.outgoing.next
        let everything = resend.length == ResendFields.everything
        let wanted = everything ? sent : resend.offset + UInt32(resend.length)
        if !rpc.pointee.isClient || rpc.pointee.state == .lingering { rpc.pointee.lastHeard = now }
        if everything, mayBeOnItsWay(slot, at: now) {
            sendControl(.busy, for: slot)
        } else if resend.offset < sent && resend.offset < wanted {
            noteAsked(slot, from: resend.offset, at: now)
            sendAgain(slot, resend.offset..<min(wanted, sent), priority: resend.priority)
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

    /// Whether a client that asks for its response cannot have it yet, as that began to leave not longer ago than what
    /// a grant takes: the question has passed it on the way.
    private mutating func mayBeOnItsWay(_ slot: UInt32, at now: Instant) -> Bool {
        let rpc = rpcs.at(slot)
        guard tuning.adaptsTimers, !rpc.pointee.isClient, rpc.pointee.state == .outgoing else { return false }
        let usual = min(peer(of: slot).pointee.grantTime.bound, tuning.measuredPatience)
        return usual > tuning.resendAfter && now.nanoseconds(since: rpc.pointee.outgoing.begunAt) < usual
    }

    /// Notes that the packets which carried `range` must go again.
    mutating func sendAgain(_ slot: UInt32, _ range: Range<UInt32>, priority: UInt8) {
        let rpc = rpcs.at(slot)
        rpc.pointee.outgoing.resendPriority = priority
        rpc.pointee.sentAt = nil
        // When no room is left for another range, this one waits for the next request.
        _ = ranges.insert(
            packets(of: slot, covering: range), into: &rpc.pointee.outgoing.resends, limit: tuning.maximumGaps)
    }

    /// The packets that carried `range`, as far as they have left. Where the path carries less than they had, the range
    /// itself: a kernel receiver takes no packet that lies across the edge of what it misses.
    private mutating func packets(of slot: UInt32, covering range: Range<UInt32>) -> Range<UInt32> {
        let message = rpcs.at(slot)
        guard mostPayload(slot) >= message.pointee.outgoing.segment else { return range }
        let first = message.pointee.outgoing.packet(containing: range.lowerBound)
        let last = message.pointee.outgoing.packet(containing: range.upperBound - 1)
        return first.lowerBound..<min(last.upperBound, message.pointee.outgoing.next)
    }

    /// Puts the message into the send queue, or takes it out, as it stands now.
    mutating func requeue(_ slot: UInt32) {
        let rpc = rpcs.at(slot)
        if rpc.pointee.outgoing.isSendable {
            sendQueue.set(slot, remaining: rpc.pointee.outgoing.rank, birth: rpc.pointee.birth)
        } else {
            sendQueue.remove(slot)
        }
    }

    mutating func acceptBusy(_ slot: UInt32, _ extensions: HeaderExtension, at now: Instant) -> Disposition {
        let rpc = rpcs.at(slot)
        rpc.pointee.lastHeard = now
        if rpc.pointee.isClient, rpc.pointee.state == .outgoing {
            noteNoResponse(slot, at: now)
            noteBusy(slot, extensions, at: now)
        }
        return .consumed
    }

    mutating func acceptCutoffs(_ fields: CutoffsFields, peer: UInt32?) -> Disposition {
        guard let peer else { return .dropped(.unknownPeer) }
        let record = peers.at(peer)
        record.pointee.cutoffs = fields.cutoffs
        record.pointee.cutoffs[0] = .max
        let wish = fields.cutoffs[0]
        record.pointee.unscheduledWish = record.pointee.speaksExtensions && wish > 0 ? wish : .max
        record.pointee.cutoffVersion = fields.version
        return .consumed
    }
}
