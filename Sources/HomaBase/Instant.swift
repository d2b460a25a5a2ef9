// SPDX-License-Identifier: Apache-2.0

/// A point on the protocol's own clock, in nanoseconds since an arbitrary origin.
///
/// Nothing below `HomaIO` reads a real clock: every entry point takes the time as an argument.
@frozen
public struct Instant: Comparable, Hashable, Sendable, BitwiseCopyable {
    public var nanoseconds: UInt64

    @inlinable
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The origin of the clock.
    @inlinable
    public static var zero: Instant { Instant(nanoseconds: 0) }

    /// Later than every time a clock can show: "never".
    @inlinable
    public static var distantFuture: Instant { Instant(nanoseconds: .max) }

    @inlinable
    public static func < (lhs: Instant, rhs: Instant) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    /// The instant `nanoseconds` later, or `distantFuture` when that cannot be represented.
    @inlinable
    public func advanced(byNanoseconds nanoseconds: UInt64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }

    /// Nanoseconds from `earlier` to this instant; 0 when `earlier` is in fact later.
    @inlinable
    public func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds >= earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }

    /// The instant `duration` later. A negative duration counts as zero: time only moves forward.
    public static func + (lhs: Instant, rhs: Duration) -> Instant {
        lhs.advanced(byNanoseconds: rhs.wholeNanoseconds)
    }
}

extension Duration {
    /// The duration in nanoseconds, rounded down; 0 when negative, `UInt64.max` when too long.
    public var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (scaled, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .max }
        let (sum, carried) = scaled.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
        return carried ? .max : sum
    }
}
