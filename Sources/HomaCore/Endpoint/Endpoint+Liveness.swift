// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// Whether a host lives: what was last heard of it, and how often it was asked since.
///
/// A host is dead when it has been silent for the timeout *and* has left a dozen probes unanswered, sent one after the
/// other. Silence alone proves nothing: on a way that loses a fifth of all packets each way a probe or its answer is
/// lost in 36 % of all cases, so that four probes remain without an answer once in 60 times, and twelve once in 200
/// 000.
struct Liveness: BitwiseCopyable {
    /// When anything came from it.
    private(set) var lastHeard: Instant
    /// Probes sent since, as far as they were sent some time apart: those sent together are lost together.
    private(set) var probes: UInt8 = 0
    private var lastProbe = Instant.zero
    private var lastForgiven = Instant.zero

    static var tellingProbes: UInt8 { 12 }

    init(at now: Instant) { lastHeard = now }

    @inline(__always)
    mutating func heard(at now: Instant) {
        lastHeard = now
        probes = 0
    }

    /// A packet has left that it will answer if it lives.
    mutating func probed(at now: Instant, apart: UInt64) {
        guard probes == 0 || now.nanoseconds(since: lastProbe) >= apart else { return }
        lastProbe = now
        if probes < Self.tellingProbes { probes += 1 }
    }

    /// Time in which this process did not run is no silence. Many RPCs report the same time at once.
    mutating func forgive(_ absence: UInt64, at now: Instant) {
        guard lastForgiven != now else { return }
        lastForgiven = now
        lastHeard = min(now, lastHeard.advanced(byNanoseconds: absence))
    }

    func isDead(at now: Instant, timeout: UInt64) -> Bool {
        probes >= Self.tellingProbes && now.nanoseconds(since: lastHeard) >= timeout
    }

    /// Silent for so long that it is time to make sure.
    func isSuspect(at now: Instant, timeout: UInt64) -> Bool {
        probes > 0 && now.nanoseconds(since: lastHeard) >= timeout / 4
    }
}

/// Who is dead, and why: the one place where RPCs end for the silence of the other side.
///
/// Liveness is the host's: as long as anything comes from it, its RPCs go on. Progress is the RPC's: one about which
/// the host says nothing though it was asked again and again is lost there, and one of which no byte advances ends,
/// whatever is said about it (`standsStill`).
extension Endpoint {
    /// Questions about one RPC that a living host may leave unanswered: with a fifth of all packets lost each way, so
    /// many are once in 10¹⁴ cases.
    private static var mostUnanswered: UInt8 { 32 }

    /// Whether the silence about the RPC means that its peer has gone, or has forgotten it without a word.
    mutating func isLost(_ slot: UInt32, at now: Instant) -> Bool {
        // Without a limit on questions, as in the published simulations, an RPC's silence is its host's.
        guard tuning.questionsPerPeer > 0 else { return true }
        let rpc = rpcs.at(slot)
        if rpc.pointee.questionsSince == rpc.pointee.lastHeard, rpc.pointee.questions >= Self.mostUnanswered {
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

    /// Not later than the end of all patience, unless that is over.
    mutating func earlier(_ due: Instant, _ slot: UInt32, at now: Instant) -> Instant {
        let end = rpcs.at(slot).pointee.lastHeard.advanced(byNanoseconds: tuning.timeout)
        return end > now ? min(due, end) : due
    }

    mutating func giveUp(_ slot: UInt32, at now: Instant) {
        if rpcs.at(slot).pointee.isClient {
            failCall(slot, .timedOut, at: now)
        } else {
            counters.clientsLost += 1
            // A request of which a part is missing has not run, and may if it comes again.
            if rpcs.at(slot).pointee.state == .incoming {
                if !isOurTurn(slot) { noteBroken(rpcs.at(slot).pointee.peer) }
                removeRPC(slot, at: now)
            } else {
                finishServerRPC(slot, at: now)
            }
        }
    }

    /// The network reported that a packet of ours cannot be delivered. Only a report about an RPC
    /// we have counts (`offending` is the identifier in the packet it quotes), since anybody can
    /// forge one; then every call to that peer ends.
    public mutating func unreachable(
        _ address: PeerAddress, failure: RPCFailure, offending: RPCID, at now: Instant
    ) {
        guard let peer = findPeer(address), find(offending, at: peer) != nil else { return }
        while let oldest = peers.at(peer).pointee.calls.first { failCall(oldest, failure, at: now) }
        // Calls that have not begun are in no list of the peer's.
        var next = rpcs.live(from: 0)
        while let slot = next {
            let rpc = rpcs.at(slot)
            if rpc.pointee.isClient, rpc.pointee.peer == peer { failCall(slot, failure, at: now) }
            next = rpcs.live(from: slot + 1)
        }
    }
}
