// SPDX-License-Identifier: Apache-2.0

import HomaBase

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

    /// Somebody has said since that packets to it do not arrive.
    var isRefused = false
    private var hasSpoken = false

    static var tellingProbes: UInt8 { 12 }

    init(at now: Instant) { lastHeard = now }

    @inline(__always)
    mutating func heard(at now: Instant) {
        lastHeard = now
        probes = 0
        isRefused = false
        hasSpoken = true
    }

    /// Nothing came from it of late, or ever: packets to it may never leave this host.
    @inline(__always)
    func isUnheard(at now: Instant) -> Bool { !hasSpoken || now.nanoseconds(since: lastHeard) >= Self.silence }

    /// The same for what is sent without a look at the clock: it has not answered the last probe.
    @inline(__always)
    var isUnanswered: Bool { !hasSpoken || probes > 0 }

    private static var silence: UInt64 { 1_000_000_000 }

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
