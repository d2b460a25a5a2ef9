// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The way from a peer: how fast its narrowest link brings the peer's bytes, and how many may be on it.
///
/// The windows are made for links of 10 Gb/s; on slow ones the same bytes stand in a queue for long, which looks like a
/// long way. Nobody says how fast a link is that is not one's own, but bytes that come without a pause while more are
/// on their way come as fast as it carries. Then no more need be on their way than come in a round trip and the time
/// for which a queue does not matter. Where the way was idle before what a grant released, there may be twice as many.
/// (BBR, draft-ietf-ccwg-bbr, measures the same at the sender; here the receiver does, which grants.)
struct IncomingPath: BitwiseCopyable {
    /// Most bytes that may be on their way, as far as grants go; `max`: the way is known to take whatever is wanted.
    private(set) var most: UInt32
    /// Bytes since ``began``, the longest pause among them, and the last of them.
    private var arrived: UInt32 = 0
    private var pause: UInt64 = 0
    private var began = Instant.zero
    private(set) var last = Instant.zero
    /// What a byte took at best of late, in picoseconds.
    private var pace = RecentMinimum()
    /// The shortest round trip of late that was not spent in a queue.
    private var roundTrip = RecentMinimum()

    /// Nobody minds a queue that lasts no longer (CoDel, RFC 8289: 5 ms).
    private static var shortQueue: UInt64 { 5_000_000 }

    /// The window that is configured holds until something is known, and none that grows with the distance.
    init(_ tuning: Tuning) { most = tuning.adaptsWindows ? UInt32(tuning.maximumIncoming) : .max }

    private init(most: UInt32) { self.most = most }
    static var unlimited: Self { Self(most: .max) }

    /// Bytes have come. The last: no more are known to be on their way. True when it is time to ``measure``.
    ///
    /// This runs for every packet, so it takes no `Tuning`, which would be copied.
    @inline(__always)
    mutating func arrive(_ bytes: UInt32, isLast: Bool, at now: Instant) -> Bool {
        let since = now.nanoseconds(since: last)
        last = now
        pause = isLast ? .max : max(pause, since)
        arrived &+= bytes
        return now.nanoseconds(since: began) >= Self.shortQueue
    }

    /// Takes what has come since the last time as a sample of the pace, if it is enough and came without a pause, and
    /// begins anew.
    mutating func measure(_ tuning: Tuning, at now: Instant) {
        guard tuning.adaptsWindows, arrived >= tuning.leastIncoming else { return }
        let time = now.nanoseconds(since: began)
        if pause < time / 4 {
            pace.note(time * 1000 / UInt64(arrived), at: now)
            let queue = min(Self.shortQueue * 1000 / max(1, pace.value), UInt64(tuning.maximumIncoming))
            let distance = roundTrip.value == .max ? 0 : roundTrip.value
            most = tuning.mostIncoming(queue + distance * 1000 / max(1, pace.value))
        }
        began = now
        arrived = 0
        pause = 0
    }

    /// Whether a byte that comes now, and that a grant released so long ago, has waited in a queue that matters: what
    /// was before it came until now.
    func hadQueue(_ time: UInt64, at now: Instant) -> Bool { time >= Self.shortQueue && !wasIdle(time, at: now) }

    private func wasIdle(_ time: UInt64, at now: Instant) -> Bool { now.nanoseconds(since: last) >= time / 8 }

    /// A byte came so long after the grant that released it, and has not waited in a queue: more may be on the way, and
    /// more than the configured window if that has left it idle.
    mutating func noteRoundTrip(_ time: UInt64, _ tuning: Tuning, at now: Instant) {
        roundTrip.note(time, at: now)
        guard most != .max, most < UInt32(tuning.maximumIncoming) || wasIdle(time, at: now) else { return }
        let more = tuning.mostIncoming(2 * UInt64(most))
        most = wasIdle(time, at: now) ? more : min(more, UInt32(tuning.maximumIncoming))
    }
}
