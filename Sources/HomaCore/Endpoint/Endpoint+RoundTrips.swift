// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// How far away peers are. Everything that is measured is at least a round trip, as messages also wait their turn: the
/// least of late is the nearest to it.
extension Endpoint {
    /// The first grant for a message has come: its receiver grants as soon as it hears of a message, if it is one of
    /// those to be granted to.
    mutating func noteFirstGrant(_ slot: UInt32, at now: Instant) {
        guard tuning.adaptsWindows else { return }
        let message = rpcs.at(slot).pointee.outgoing
        guard message.granted == message.unscheduled, message.resends.isEmpty, message.next > 0 else { return }
        noteRoundTrip(now.nanoseconds(since: message.begunAt), slot, at: now)
    }

    /// Bytes that a grant released have come, so long after it left. If what was on its way before them took all of
    /// that time to come, the round trip is shorter, no one knows how much.
    mutating func noteGrantedData(_ slot: UInt32, after time: UInt64, at now: Instant) {
        guard tuning.adaptsWindows else { return }
        let behind = tuning.nanoseconds(forBytes: Int(rpcs.at(slot).pointee.incoming.timedBehind))
        if time > behind + behind / 4 {
            noteRoundTrip(time, slot, at: now)
        } else {
            noteAtMost(time, slot, at: now)
        }
    }

    /// A round trip and something else together took so long.
    mutating func noteAtMost(_ time: UInt64, _ slot: UInt32, at now: Instant) {
        guard tuning.adaptsWindows, time < peer(of: slot).pointee.roundTrip.value else { return }
        noteRoundTrip(time, slot, at: now)
    }

    private mutating func noteRoundTrip(_ time: UInt64, _ slot: UInt32, at now: Instant) {
        let peer = peer(of: slot)
        let before = peer.pointee.roundTrip.value
        peer.pointee.roundTrip.note(time, at: now)
        guard peer.pointee.roundTrip.value != before else { return }
        reviseBytesUnderWay(peer)
        if peer.pointee.activeGrants > 0 { granter.reviseLimits() }
    }
}
