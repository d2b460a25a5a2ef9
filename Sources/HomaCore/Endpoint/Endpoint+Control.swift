// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Control packets that arrive for an RPC we have, and CUTOFFS.
extension Endpoint {
    mutating func acceptGrant(_ slot: UInt32, _ grant: GrantFields, at now: Instant) -> Disposition {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.state == .outgoing else { return .dropped(.wrongState) }
        guard !rpc.pointee.outgoing.isHeldBack else { return .dropped(.unprovenClient) }
        let offset = min(grant.offset, rpc.pointee.outgoing.length)
        // A grant that was overtaken says nothing about the priority now wanted.
        guard offset >= rpc.pointee.outgoing.granted else { return .dropped(.duplicate) }
        if offset > rpc.pointee.outgoing.granted {
            rpc.pointee.lastProgress = now
            noteFullArrived(slot, at: now)
        }
        rpc.pointee.lastHeard = now
        noteFirstGrant(slot, at: now)
        if hasPlanted(.losesTimer) { timers.remove(slot) }
        if hasPlanted(.repeatsOnGrant), rpc.pointee.outgoing.next > 0 {
            retransmit(slot, 0..<rpc.pointee.outgoing.next, priority: grant.priority)
        }
        let (granted, next) = (rpc.pointee.outgoing.granted, rpc.pointee.outgoing.next)
        if offset > granted || next >= granted {
            rpc.pointee.outgoing.levels.grant(
                from: granted, at: min(grant.priority, tuning.highestPriority), next: next)
        }
        rpc.pointee.outgoing.granted = offset
        requeue(slot)
        return .consumed
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
        // To a server a client says so only while a response comes.
        if !rpc.pointee.isClient, rpc.pointee.state == .outgoing { noteFullArrived(slot, at: now) }
        if rpc.pointee.isClient, rpc.pointee.state == .outgoing {
            noteAnswered(slot, at: now)
            if extensions.marks.contains(.inService) { noteInService(slot, at: now) }
            // Of a response that is on its way it says nothing how long the next will take.
            if extensions.version == 0 || !extensions.marks.isDisjoint(with: [.inService, .noRoom]) {
                noteNoResponse(slot, at: now)
            }
            noteBusy(slot, extensions, at: now)
        }
        return .consumed
    }

    mutating func acceptCutoffs(_ fields: CutoffsFields, of peer: UInt32) -> Disposition {
        let record = peers.at(peer)
        record.pointee.cutoffs = fields.cutoffs
        record.pointee.cutoffs[0] = .max
        let wish = fields.cutoffs[0]
        record.pointee.advertisedUnscheduled = record.pointee.speaksExtensions && wish > 0 ? wish : .max
        record.pointee.cutoffVersion = fields.version
        return .consumed
    }
}
