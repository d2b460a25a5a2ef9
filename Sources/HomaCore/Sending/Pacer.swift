// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Keeps the queue at the host's link short, so that a short message never waits behind much of a long one.
///
/// It knows when the link will have drained everything handed to it, by the configured rate. Without a
/// rate it lets everything pass.
struct Pacer: BitwiseCopyable {
    private let rate: BitRate?
    private let limit: UInt64
    /// Shards that use the link at present: each gets its part of the rate.
    var sharers: UInt64 = 1
    /// When the link will fall idle.
    private(set) var idleAt = Instant.zero

    init(_ tuning: Tuning) {
        rate = tuning.linkRate
        limit = tuning.linkQueueLimit
    }

    /// Whether a packet that must wait for the link may leave now.
    func mayLeave(at now: Instant) -> Bool {
        rate == nil || idleAt.nanoseconds(since: now) <= limit
    }

    /// When such a packet may leave.
    var nextLeave: Instant {
        idleAt.nanoseconds > limit ? Instant(nanoseconds: idleAt.nanoseconds - limit) : .zero
    }

    /// Counts a packet that occupies the link with so many bytes, frame overhead included.
    mutating func charge(_ bytes: Int, at now: Instant) {
        guard let rate else { return }
        idleAt = max(idleAt, now).advanced(byNanoseconds: rate.nanoseconds(forBytes: bytes) * sharers)
    }
}
