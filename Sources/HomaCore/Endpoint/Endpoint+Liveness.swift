// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Who is dead, and why: the one place where RPCs end for the silence of the other side.
///
/// Liveness is the host's: as long as anything comes from it, its RPCs go on. Progress is the RPC's: one about which
/// the host says nothing though it was asked again and again is lost there, and one of which no byte advances ends,
/// whatever is said about it (`standsStill`).
extension Endpoint {
    /// Probes about one RPC that a living host may leave unanswered: with a fifth of all packets lost each way, so
    /// many are once in 10¹⁴ cases.
    private static var mostUnanswered: UInt8 { 32 }

    /// Whether the silence about the RPC means that its peer has gone, or has forgotten it without a word.
    mutating func isLost(_ slot: UInt32, at now: Instant) -> Bool {
        // Without a limit on probes, as in the published simulations, an RPC's silence is its host's.
        guard tuning.probesPerPeer > 0 else { return true }
        let rpc = rpcs.at(slot)
        if rpc.pointee.probesSince == rpc.pointee.lastHeard, rpc.pointee.unansweredProbes >= Self.mostUnanswered,
            now.nanoseconds(since: rpc.pointee.lastHeard) >= tuning.longestWay
        {
            return true
        }
        return peer(of: slot).pointee.liveness.isDead(at: now, timeout: tuning.timeout)
    }

    /// Whether a host that must not be asked has been silent for so long that it is taken for dead without: it may
    /// grant slowly.
    mutating func isSilent(_ slot: UInt32, at now: Instant) -> Bool {
        let heard = max(peer(of: slot).pointee.liveness.lastHeard, rpcs.at(slot).pointee.lastHeard)
        return now.nanoseconds(since: heard) >= tuning.timeout * 10
    }

    /// Whether the peer may be dead: then it is asked at short intervals, whatever it usually takes.
    mutating func isSuspect(_ slot: UInt32, at now: Instant) -> Bool {
        peer(of: slot).pointee.liveness.isSuspect(at: now, timeout: tuning.timeout)
    }

    /// Time in which this process did not run is no silence of the peer: its packets may wait in the socket,
    /// and nobody has asked it. A timer that comes up very late betrays such a time.
    mutating func forgiveAbsence(_ slot: UInt32, since due: UInt64, at now: Instant) {
        let absence = now.nanoseconds - due
        guard absence > tuning.resendAfter else { return }
        let rpc = rpcs.at(slot)
        rpc.pointee.lastHeard = min(now, rpc.pointee.lastHeard.advanced(byNanoseconds: absence))
        rpc.pointee.lastProgress = min(now, rpc.pointee.lastProgress.advanced(byNanoseconds: absence))
        peer(of: slot).pointee.liveness.forgive(absence, at: now)
    }

    /// Remembers when this process went on after it had not run, see ``longestWait(at:)``.
    @inline(__always)
    mutating func noteAbsence(since due: UInt64, at now: Instant) {
        guard now.nanoseconds - due > tuning.resendAfter else { return }
        absence = (now, now.nanoseconds - due)
    }

    /// For how long a packet that is taken now may have waited in the socket, in nanoseconds: as long as this process
    /// did not run, if it goes on only now or has not for longer than it takes to empty a socket.
    mutating func longestWait(at now: Instant) -> UInt64 {
        if let due = timers.firstKey, now.nanoseconds > due, now.nanoseconds - due > tuning.resendAfter {
            return now.nanoseconds - due
        }
        let since = now.nanoseconds(since: absence.end)
        return absence.nanoseconds > 0 && since <= tuning.resendAfter ? absence.nanoseconds + since : 0
    }

    /// Not later than the timeout, unless that is over.
    mutating func earlier(_ due: Instant, _ slot: UInt32, at now: Instant) -> Instant {
        let end = rpcs.at(slot).pointee.lastHeard.advanced(byNanoseconds: tuning.timeout)
        return end > now ? min(due, end) : due
    }

    mutating func giveUp(_ slot: UInt32, at now: Instant) {
        if rpcs.at(slot).pointee.isClient {
            failCall(slot, reasonForSilence(slot), at: now)
        } else {
            counters.clientsLost += 1
            // A request of which a part is missing has not run, and may if it comes again.
            if rpcs.at(slot).pointee.state == .incoming {
                if !isOurTurn(slot), !rpcs.at(slot).pointee.isUnproven { noteBroken(rpcs.at(slot).pointee.peer) }
                removeRPC(slot, at: now)
            } else {
                finishServerRPC(slot, at: now)
            }
        }
    }

    // MARK: Progress
    //
    // Words keep a peer from being taken for dead, but they are no progress. What a message keeps from others, a share
    // of the bytes on their way and a place among those granted to, it keeps only while its bytes come; and an RPC of
    // which no byte advances ends, whatever is said about it.

    /// Bytes of the RPC's messages have arrived for the first time, or left.
    @inline(__always)
    mutating func noteProgress(_ slot: UInt32, at now: Instant) {
        rpcs.at(slot).pointee.lastHeard = now
        rpcs.at(slot).pointee.lastProgress = now
    }

    // MARK: Messages that arrive

    /// New bytes of the message have come. On a slow way what its sender asks comes behind all that it has sent: so
    /// that it does not take us for dead meanwhile, it is told now and then that we are there, if it is not granted to.
    @inline(__always)
    mutating func assure(_ slot: UInt32, at now: Instant) {
        let peer = peer(of: slot)
        guard tuning.adaptsTimers, now.nanoseconds(since: peer.pointee.assuredAt) >= tuning.timeout / 4 else { return }
        // The sender of a message that has just begun has waited for nothing yet.
        guard now.nanoseconds(since: rpcs.at(slot).pointee.birth) >= tuning.timeout / 4 else { return }
        peer.pointee.assuredAt = now
        sendControl(.busy, for: slot)
    }

    /// A grant leaves: if nothing was on its way before, the sender has until the next look to bring something.
    mutating func notePace(_ slot: UInt32, from limit: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        peer(of: slot).pointee.assuredAt = now
        guard rpc.pointee.incoming.received >= limit else { return }
        rpc.pointee.incoming.paceSince = now
        rpc.pointee.incoming.paceReceived = rpc.pointee.incoming.received
        noteAhead(slot)
    }

    /// Looks whether a sender that is not silent brings enough to keep its share.
    mutating func checkPace(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.state == .incoming, rpc.pointee.incoming.buffers == .held,
            now.nanoseconds(since: rpc.pointee.incoming.paceSince) >= resendTimeout(slot)
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
        if sendQueue.contains(slot), rpc.pointee.outgoing.next < rpc.pointee.outgoing.granted {
            rpc.pointee.lastProgress = now
        }
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
}
