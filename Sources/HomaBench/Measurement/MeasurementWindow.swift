// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The part of a run that counts: after the warm-up, before the end of sending.
///
/// Times are nanoseconds since the start of the run. Half open: `start` counts, `end` does not.
public struct MeasurementWindow: Sendable, Equatable {
    /// End of the warm-up, in nanoseconds since the start of the run.
    public let start: UInt64
    /// End of sending, in nanoseconds since the start of the run.
    public let end: UInt64

    public init(warmUp: Duration, duration: Duration) {
        start = warmUp.wholeNanoseconds
        end = start + duration.wholeNanoseconds
        precondition(end > start, "a measurement needs a positive duration")
    }

    /// True when `time` (nanoseconds since the start of the run) is measured.
    @inline(__always)
    public func contains(_ time: UInt64) -> Bool { time >= start && time < end }

    /// Length in seconds.
    public var seconds: Double { Double(end - start) / 1e9 }

    /// Events per second, for `count` events inside the window.
    public func rate(of count: UInt64) -> Double { Double(count) / seconds }

    /// Bits per second, for `bytes` bytes inside the window.
    public func bitsPerSecond(bytes: UInt64) -> Double { Double(bytes) * 8 / seconds }
}
