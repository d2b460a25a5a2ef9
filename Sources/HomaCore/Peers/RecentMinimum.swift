// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The least of the values that were noted in the last ten to twenty seconds, as congestion controls keep their
/// path's shortest round trip (BBR: ten seconds). Remembers the last ones when nothing is noted for longer.
struct RecentMinimum: BitwiseCopyable {
    /// Of the present half and of the one before.
    private var current = UInt64.max
    private var previous = UInt64.max
    private var since = Instant.zero

    private static var half: UInt64 { 10_000_000_000 }

    /// `UInt64.max` until there is a value.
    var value: UInt64 { min(current, previous) }

    mutating func note(_ value: UInt64, at now: Instant) {
        if current != .max, now.nanoseconds(since: since) < Self.half {
            current = min(current, value)
            return
        }
        previous = now.nanoseconds(since: since) < 2 * Self.half ? current : .max
        current = value
        since = now
    }
}
