// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Responses to clients that have fallen silent.
///
/// A process that is suspended, or a machine that is paused, comes back for its responses later than it is taken for
/// dead, and nobody else can give them: a request that has run does not run again. So a response of which a client has
/// not said that it has it is kept for a while after that. The client is not asked about it any more, and what is kept
/// so has a share of the RPC records and `retainedResponseBytes`: the one that has been kept longest makes room.
extension Endpoint {
    private static var retentionShare: Int { 8 }

    /// The client of a response is taken for dead.
    mutating func retainOrGiveUp(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        let heard = max(rpc.pointee.lastHeard, peer(of: slot).pointee.liveness.lastHeard)
        let end = heard.advanced(byNanoseconds: tuning.responseRetention)
        let length = Int(rpc.pointee.outgoing.length)
        // Who has never proved to be where it says does not come back.
        guard now < end, rpc.pointee.kind == .call, peer(of: slot).pointee.isValidated, !isDraining,
            length <= tuning.retainedResponseBytes
        else { return giveUp(slot, at: now) }
        armTimer(slot, at: end)
        guard !rpc.pointee.isRetained else { return }
        let most = max(1, maximumRPCs / Self.retentionShare)
        while retained.list.count >= most || retained.bytes + length > tuning.retainedResponseBytes,
            let oldest = retained.list.first
        {
            giveUp(oldest, at: now)
        }
        forgetProbe(slot)
        rpc.pointee.isRetained = true
        retained.list.append(slot, rpcs.view)
        retained.bytes += length
        counters.responsesRetained += 1
    }

    /// The client is back, or the RPC ends.
    mutating func endRetention(_ slot: UInt32) {
        let rpc = rpcs.at(slot)
        rpc.pointee.isRetained = false
        retained.list.remove(slot, rpcs.view)
        retained.bytes -= Int(rpc.pointee.outgoing.length)
    }

    /// Something has come from the client of a retained response, about that.
    mutating func resume(_ slot: UInt32, at now: Instant) {
        endRetention(slot)
        rpcs.at(slot).pointee.lastHeard = now
        armTimer(slot, at: now.advanced(byNanoseconds: tuning.acknowledgementDelay))
    }
}
