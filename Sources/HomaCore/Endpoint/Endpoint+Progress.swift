// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Whether messages advance.
///
/// Words keep a peer from being taken for dead, but they are no progress. What a message keeps from others, a share of
/// the bytes on their way and a place among those granted to, it keeps only while its bytes come; and an RPC of which
/// no byte advances ends, whatever is said about it.
extension Endpoint {
    /// Bytes of the RPC's messages have arrived for the first time, or left.
    @inline(__always)
    mutating func noteProgress(_ slot: UInt32, at now: Instant) {
        rpcs.at(slot).pointee.lastHeard = now
        rpcs.at(slot).pointee.lastProgress = now
    }

    // MARK: Messages that arrive

    /// A grant leaves: if nothing was on its way before, the sender has until the next look to bring something.
    mutating func notePace(_ slot: UInt32, from limit: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.incoming.received >= limit else { return }
        rpc.pointee.incoming.paceSince = now
        rpc.pointee.incoming.paceReceived = rpc.pointee.incoming.received
        noteAhead(slot)
    }

    /// Looks whether a sender that is not silent brings enough to keep its share.
    mutating func checkPace(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.state == .incoming, rpc.pointee.incoming.buffers == .held,
            now.nanoseconds(since: rpc.pointee.incoming.paceSince) >= patience(slot)
        else { return }
        if !rpc.pointee.incoming.keepsPace {
            granter.stall(slot)
            endUnscheduled(slot)
        }
        rpc.pointee.incoming.paceSince = now
        rpc.pointee.incoming.paceReceived = rpc.pointee.incoming.received
    }

    // MARK: Without end

    /// True when no byte of the RPC has advanced for longer than anything takes. What waits in our own queue waits for
    /// the local link, which is no peer's doing.
    mutating func standsStill(_ slot: UInt32, at now: Instant) -> Bool {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.state == .incoming || rpc.pointee.state == .outgoing else { return false }
        // But what has left and is to leave again waits for a peer that does not take it.
        if sendQueue.contains(slot), !rpc.pointee.outgoing.isFullySent { rpc.pointee.lastProgress = now }
        return now.nanoseconds(since: rpc.pointee.lastProgress) >= tuning.progressTimeout
    }

    /// The server asks for parts of a request, or for all of it: it has not got it.
    mutating func noteLacking(_ slot: UInt32) { rpcs.at(slot).pointee.busyInARow = 0 }

    /// A server says that it is alive. That it works on the request, one with extensions says as well; of another it is
    /// taken for granted when it says BUSY again and again, and does not ask for any of the request.
    mutating func noteBusy(_ slot: UInt32, _ extensions: HeaderExtension, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.outgoing.isFullySent else { return }
        if extensions.version > 0 {
            if extensions.marks.contains(.inService) { rpc.pointee.lastProgress = now }
        } else if rpc.pointee.busyInARow == 8 {
            rpc.pointee.lastProgress = now
        } else {
            rpc.pointee.busyInARow += 1
        }
    }

    // MARK: Bytes on a slow way

    /// Whether what is missing of the RPC may only be waiting behind other bytes of its peer: it delivers those fast
    /// enough for all to come within the timeout, and has delivered fewer than were on their way. To ask now would put
    /// the same bytes once more on a way that is busy already.
    mutating func mayBeBehindOthers(_ slot: UInt32, at now: Instant) -> Bool {
        guard tuning.adaptsTimers else { return false }
        let rpc = rpcs.at(slot)
        let since = UInt64(peer(of: slot).pointee.arrived &- rpc.pointee.incoming.peerArrived)
        let ahead = UInt64(max(rpc.pointee.incoming.ahead, bytesAhead(slot)))
        let silence = now.nanoseconds(since: rpc.pointee.lastHeard)
        // At 8 Mb/s at least: what comes more slowly keeps no way busy.
        return since > silence / 1000 && since < ahead && silence < tuning.timeout
            && since * tuning.timeout * 8 >= ahead * silence
    }

    /// Bytes of an arriving message have come for the first time.
    @inline(__always)
    mutating func noteArrival(_ slot: UInt32, bytes: UInt32) {
        let rpc = rpcs.at(slot)
        let peer = peers.at(rpc.pointee.peer)
        let (arrived, ahead) = (peer.pointee.arrived &+ bytes, Self.bytesAhead(peer))
        counters.bytesReceived += UInt64(bytes)
        peer.pointee.arrived = arrived
        rpc.pointee.incoming.peerArrived = arrived
        rpc.pointee.incoming.ahead = ahead
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
}
