// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// How much of their messages senders send without a grant: what we ask for, and what we are asked for.
extension Endpoint {
    /// The table that senders are told: cutoffs, and in entry 0, which is none, what is asked for.
    var announcedCutoffs: CutoffsFields {
        mutating get {
            var fields = cutoffs.current
            fields.cutoffs[0] = advertisedUnscheduled
            return fields
        }
    }

    /// A message begins with this packet. It counts until its unscheduled bytes are here, unless they are here now. If
    /// they are fewer than they might be, it counts until its sender has got leave to send more and done so: those who
    /// heed a limit of one packet would otherwise never count, and soon be told that there is none.
    mutating func beginUnscheduled(_ slot: UInt32, _ data: DataFields, at now: Instant) {
        guard unscheduled.isOn, rpcs.at(slot).pointee.incoming.buffers == .held else { return }
        let isLimited = data.incoming < min(data.messageLength, tuning.unscheduledBytes)
        let end = isLimited ? data.incoming + 1 : data.incoming
        guard data.payloadLength < end else { return }
        rpcs.at(slot).pointee.incoming.unscheduledEnd = end
        guard unscheduled.begin(length: data.messageLength, at: now) else { return }
        advertisedUnscheduled = unscheduled.wish
        // A sender notices a table with another version, and so does this host that a sender has an older one.
        cutoffs.renew()
        counters.unscheduledChanges += 1
    }

    /// Bytes of the message have come: it may be that all unscheduled ones are here.
    @inline(__always)
    mutating func noteUnscheduledData(_ slot: UInt32) {
        let message = rpcs.at(slot)
        guard message.pointee.incoming.unscheduledEnd > 0 else { return }
        if message.pointee.incoming.received >= message.pointee.incoming.unscheduledEnd { endUnscheduled(slot) }
    }

    /// The message's unscheduled bytes are here, or are no longer waited for.
    mutating func endUnscheduled(_ slot: UInt32) {
        let message = rpcs.at(slot)
        guard message.pointee.incoming.unscheduledEnd > 0 else { return }
        message.pointee.incoming.unscheduledEnd = 0
        unscheduled.end(length: message.pointee.incoming.length)
    }

    /// Bytes of a new message to the peer that go without a grant, before they are rounded to packets: what we would
    /// send, but no more than the peer asks for. It cannot ask for less than a packet, which must announce the message.
    mutating func unscheduledBytes(to peer: UnsafeMutablePointer<Peer>) -> UInt32 {
        min(
            tuning.unscheduledBytes(roundTrip: peer.pointee.knownRoundTrip),
            max(peer.pointee.advertisedUnscheduled, peer.pointee.segment))
    }
}
