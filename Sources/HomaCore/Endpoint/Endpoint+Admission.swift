// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Calls that wait before they begin, because their peer has enough of ours already.
///
/// What is too much for the peer waits here as a record, without its bytes: the driver looks for those when the first
/// packet leaves. Otherwise all that is offered would become memory at once and in the order in which it was offered,
/// here and in the peer's receive region, and under overload the order of the protocol would come too late to matter
/// (docs/measurements). The peer itself takes a limited number of requests of one client
/// (``EndpointConfiguration/maximumServerRPCsPerHost``), and would have to refuse those beyond it.
extension Endpoint {
    /// Lets a call or one-way message begin, or puts it in its peer's queue.
    mutating func admitOrQueue(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        let peer = peer(of: slot)
        // Once the call is given up, its message says nothing any more.
        let length = rpc.pointee.outgoing.length
        rpc.pointee.admissionBytes = length
        guard !peer.pointee.admission.mayBegin(length, limits(for: peer)) else { return admit(slot, at: now) }
        counters.callsQueued += 1
        record(.queued, slot, length, at: now)
        sendQueue.remove(slot)
        rpc.pointee.admission = .queued
        peer.pointee.admission.enqueue(slot, length: length, rpcs.view)
    }

    private mutating func limits(for peer: UnsafeMutablePointer<Peer>) -> AdmissionLimits {
        var limits = admissionLimits
        limits.bytes = peer.pointee.bytesUnderWay
        return limits
    }

    /// Works out how many bytes may be under way to the peer: when it is new, and when its round trip changes.
    mutating func reviseBytesUnderWay(_ peer: UnsafeMutablePointer<Peer>) {
        let more = tuning.bytesForDistance(roundTrip: peer.pointee.knownRoundTrip) / UInt32(shardCount)
        peer.pointee.bytesUnderWay = UInt32(clamping: UInt64(admissionLimits.bytes) + UInt64(more))
    }

    private mutating func admit(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        record(.admitted, slot, rpc.pointee.admissionBytes, at: now)
        rpc.pointee.admission = .admitted
        peers.at(rpc.pointee.peer).pointee.admission.admit(
            rpc.pointee.admissionBytes, oldestEarning: admissionLimits.oldestEarning)
    }

    /// A call of ours, or a one-way message, is over: others may begin.
    mutating func releaseAdmission(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        if rpc.pointee.admission == .queued { return dequeue(slot) }
        let peer = peer(of: slot)
        if rpc.pointee.admission == .admitted { peer.pointee.admission.handOver(rpc.pointee.admissionBytes) }
        rpc.pointee.admission = .none
        peer.pointee.admission.finish()
        admitQueued(rpc.pointee.peer, at: now)
    }

    /// A request that left long ago, and of whose response nothing has come, is with the server's application: how long
    /// that takes says nothing about the network, and others need not wait for it.
    ///
    /// - Returns: when to look again; nil when there is nothing to wait for.
    mutating func handOverIfServed(_ slot: UInt32, at now: Instant) -> Instant? {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.admission == .admitted, rpc.pointee.state == .outgoing, rpc.pointee.outgoing.isFullySent,
            !sendQueue.contains(slot)
        else { return nil }
        let due = rpc.pointee.lastHeard.advanced(byNanoseconds: tuning.resendAfter)
        guard now >= due else { return due }
        rpc.pointee.admission = .handedOver
        peer(of: slot).pointee.admission.handOver(rpc.pointee.admissionBytes)
        admitQueued(rpc.pointee.peer, at: now)
        return nil
    }

    private mutating func admitQueued(_ index: UInt32, at now: Instant) {
        let peer = peers.at(index)
        guard peer.pointee.admission.hasQueued else { return }
        let limits = limits(for: peer)
        while let slot = peer.pointee.admission.next(limits, rpcs.view) { start(slot, at: now) }
    }

    private mutating func start(_ slot: UInt32, at now: Instant) {
        dequeue(slot)
        admit(slot, at: now)
        let rpc = rpcs.at(slot)
        noteProgress(slot, at: now)
        sendQueue.set(slot, remaining: rpc.pointee.outgoing.rank, birth: rpc.pointee.birth)
        armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
    }

    private mutating func dequeue(_ slot: UInt32) {
        let rpc = rpcs.at(slot)
        rpc.pointee.admission = .none
        peer(of: slot).pointee.admission.dequeue(slot, length: rpc.pointee.admissionBytes, rpcs.view)
    }
}
