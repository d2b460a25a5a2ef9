// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Calls that wait before they begin, because their peer has enough of ours already.
///
/// A server takes a limited number of requests of one client (``EndpointConfiguration/maximumServerRPCsPerPeer``) and
/// remembers a limited number of those it ran. Beyond that it would have to refuse requests, and those that are tried
/// again much later than others could not be told from late duplicates. And each long message takes memory for all of
/// it as soon as it is announced: when there is no more, what comes unasked is thrown away and must come again. So
/// what is too much for the peer waits here, and costs the network nothing. Short messages never wait for long ones.
extension Endpoint {
    /// Lets a call or one-way message begin, or holds it back.
    mutating func admitOrHold(_ slot: UInt32) {
        let peer = peer(of: slot)
        let isLong = rpcs.at(slot).pointee.outgoing.isLong
        guard peer.pointee.admitted >= tuning.callsPerPeer || (isLong && peer.pointee.admittedLong >= tuning.longCalls)
        else { return admit(slot) }
        counters.callsHeldBack += 1
        sendQueue.remove(slot)
        rpcs.at(slot).pointee.isHeldBack = true
        // Once the call is given up, its message says nothing any more.
        rpcs.at(slot).pointee.isHeldLong = isLong
        if isLong {
            peer.pointee.heldLong.append(slot, rpcs)
        } else {
            peer.pointee.heldShort.append(slot, rpcs)
        }
    }

    private mutating func admit(_ slot: UInt32) {
        let peer = peer(of: slot)
        peer.pointee.admitted += 1
        guard rpcs.at(slot).pointee.outgoing.isLong else { return }
        peer.pointee.admittedLong += 1
        rpcs.at(slot).pointee.hasLongPlace = true
    }

    /// A call of ours, or a one-way message, is over: others may begin.
    mutating func admitNext(after slot: UInt32, at now: Instant) {
        guard !rpcs.at(slot).pointee.isHeldBack else { return unhold(slot) }
        peer(of: slot).pointee.admitted -= 1
        giveUpLongPlace(slot)
        admitWaiting(rpcs.at(slot).pointee.peer, at: now)
    }

    /// A message has left in full: another long one may begin.
    mutating func hasLeft(_ slot: UInt32, at now: Instant) {
        guard rpcs.at(slot).pointee.hasLongPlace else { return }
        giveUpLongPlace(slot)
        admitWaiting(rpcs.at(slot).pointee.peer, at: now)
    }

    private mutating func giveUpLongPlace(_ slot: UInt32) {
        guard rpcs.at(slot).pointee.hasLongPlace else { return }
        rpcs.at(slot).pointee.hasLongPlace = false
        peer(of: slot).pointee.admittedLong -= 1
    }

    private mutating func admitWaiting(_ index: UInt32, at now: Instant) {
        let peer = peers.at(index)
        while peer.pointee.admitted < tuning.callsPerPeer {
            if !peer.pointee.heldShort.isEmpty {
                start(peer.pointee.heldShort.first, at: now)
            } else if !peer.pointee.heldLong.isEmpty, peer.pointee.admittedLong < tuning.longCalls {
                start(nextLong(peer), at: now)
            } else {
                return
            }
        }
    }

    /// Held-back long messages among which the shortest is sought, and after how many the oldest has its turn.
    private static var sight: Int { 16 }

    private mutating func nextLong(_ peer: UnsafeMutablePointer<Peer>) -> UInt32 {
        peer.pointee.sinceOldest += 1
        guard Int(peer.pointee.sinceOldest) < Self.sight else {
            peer.pointee.sinceOldest = 0
            return peer.pointee.heldLong.first
        }
        return peer.pointee.heldLong.shortest(among: Self.sight, rpcs)
    }

    private mutating func start(_ slot: UInt32, at now: Instant) {
        unhold(slot)
        admit(slot)
        let rpc = rpcs.at(slot)
        noteProgress(slot, at: now)
        rpc.pointee.nextProbe = now
        sendQueue.set(slot, remaining: rpc.pointee.outgoing.rank, birth: rpc.pointee.birth)
        armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
    }

    /// Takes a call out of the line in which it waits.
    private mutating func unhold(_ slot: UInt32) {
        let peer = peer(of: slot)
        if rpcs.at(slot).pointee.isHeldLong {
            peer.pointee.heldLong.remove(slot, rpcs)
        } else {
            peer.pointee.heldShort.remove(slot, rpcs)
        }
        rpcs.at(slot).pointee.isHeldBack = false
    }
}
