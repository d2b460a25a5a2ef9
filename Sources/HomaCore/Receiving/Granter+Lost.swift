// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Bytes known to be lost, in the granter's books: not under way, and to be asked for before anything is granted.
extension Granter {
    /// So many bytes of the message are now taken for lost and not asked for; `missing` of those taken for lost have
    /// not come.
    mutating func lose(_ slot: UInt32, bytes: UInt32, missing: UInt32) {
        let message = at(slot)
        message.pointee.incoming.lost = bytes
        message.pointee.incoming.missing = missing
        if missing > 0 { message.pointee.incoming.isScheduled = true }
        settle(slot)
    }

    /// The sender of a silent message has said how much it sent: it is no longer silent.
    mutating func hear(_ slot: UInt32) {
        guard at(slot).pointee.incoming.isStalled else { return }
        at(slot).pointee.incoming.isStalled = false
        if at(slot).pointee.incoming.needsGrants { linkByAge(slot) }
    }

    /// So many of them have been asked for: they are under way.
    mutating func asked(_ slot: UInt32, bytes: UInt32) {
        at(slot).pointee.incoming.lost -= bytes
        settle(slot)
    }

    /// A message that needed no grants may now, and the reverse.
    private mutating func settle(_ slot: UInt32) {
        let message = at(slot)
        recount(slot)
        // What is silent stays out until it is heard of; then `didReceive` brings it in.
        if message.pointee.incoming.needsGrants, !message.pointee.incoming.isStalled {
            if !message.pointee.incoming.ageLinks.isLinked { linkByAge(slot) }
            if message.pointee.incoming.grantState == .none { enqueue(slot) }
        } else {
            leave(slot)
            unlinkByAge(slot)
        }
        markDue()
    }

    /// How many lost bytes of an active message may now be asked for, in whole packets; nil: none.
    mutating func lostAllowance(for slot: UInt32) -> UInt32? {
        let message = at(slot)
        let lost = Int(message.pointee.incoming.lost)
        let window = window - Int(message.pointee.incoming.outstanding)
        let room = min(window, incomingLimit - totalIncoming)
        guard room > 0, room >= min(lost, leastStep(window: self.window)) else { return nil }
        let segment = Int(tuning.defaultSegment)
        let packets = (min(room, Int(tuning.largestGrant)) + segment - 1) / segment
        return UInt32(min(lost, packets * segment))
    }
}
