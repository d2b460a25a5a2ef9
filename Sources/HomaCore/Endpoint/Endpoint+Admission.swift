// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Calls that wait before they begin, because their peer has enough of ours already.
///
/// A server takes a limited number of requests of one client (``EndpointConfiguration/maximumServerRPCsPerPeer``) and
/// remembers a limited number of those it ran. Beyond that it would have to refuse requests, and those that are tried
/// again much later than others could not be told from late duplicates. So what is too much for it waits here, in the
/// order of the calls, and costs the network nothing.
extension Endpoint {
    /// Lets a call or one-way message begin, or holds it back.
    mutating func admitOrHold(_ slot: UInt32) {
        let peer = peer(of: slot)
        guard peer.pointee.admitted >= tuning.callsPerPeer else {
            peer.pointee.admitted += 1
            return
        }
        counters.callsHeldBack += 1
        sendQueue.remove(slot)
        rpcs.at(slot).pointee.isHeldBack = true
        rpcs.at(slot).pointee.olderCall = peer.pointee.lastHeldBack
        rpcs.at(slot).pointee.newerCall = RPCTable.none
        if peer.pointee.lastHeldBack == RPCTable.none {
            peer.pointee.firstHeldBack = slot
        } else {
            rpcs.at(peer.pointee.lastHeldBack).pointee.newerCall = slot
        }
        peer.pointee.lastHeldBack = slot
    }

    /// A call of ours, or a one-way message, is over: the next one may begin.
    mutating func admitNext(after slot: UInt32, at now: Instant) {
        guard !rpcs.at(slot).pointee.isHeldBack else { return unhold(slot) }
        let peer = peer(of: slot)
        peer.pointee.admitted -= 1
        let next = peer.pointee.firstHeldBack
        guard next != RPCTable.none else { return }
        unhold(next)
        peer.pointee.admitted += 1
        let rpc = rpcs.at(next)
        rpc.pointee.lastHeard = now
        rpc.pointee.nextProbe = now
        sendQueue.set(next, remaining: rpc.pointee.outgoing.rank, birth: rpc.pointee.birth)
        armTimer(next, at: now.advanced(byNanoseconds: tuning.resendAfter))
    }

    /// Takes a call out of the list of those that wait.
    private mutating func unhold(_ slot: UInt32) {
        let peer = peer(of: slot)
        let older = rpcs.at(slot).pointee.olderCall
        let newer = rpcs.at(slot).pointee.newerCall
        if older == RPCTable.none {
            peer.pointee.firstHeldBack = newer
        } else {
            rpcs.at(older).pointee.newerCall = newer
        }
        if newer == RPCTable.none {
            peer.pointee.lastHeldBack = older
        } else {
            rpcs.at(newer).pointee.olderCall = older
        }
        rpcs.at(slot).pointee.isHeldBack = false
        rpcs.at(slot).pointee.olderCall = RPCTable.none
        rpcs.at(slot).pointee.newerCall = RPCTable.none
    }
}
