// SPDX-License-Identifier: Apache-2.0

/// Latencies in nanoseconds, kept as an HDR histogram: three significant digits from 1 ns to 1000 s.
///
/// A request that was never answered counts as one whose latency is at least so much: see ``record(atLeast:)``. All
/// memory (about half a megabyte) is taken at the start, so recording never allocates. The mean and the maximum are
/// exact; percentiles are right to one part in a thousand.
public struct LatencyRecorder: Sendable {
    /// Longer latencies are recorded as this many nanoseconds (1000 s), and told as lower bounds.
    public static let longestNanoseconds: UInt64 = 1_000_000_000_000

    private var histogram = CensoredHistogram(largest: longestNanoseconds)
    private var sum = 0.0

    public init() {}

    /// Adds one latency in nanoseconds.
    public mutating func record(nanoseconds: UInt64) {
        histogram.record(nanoseconds)
        sum += Double(min(nanoseconds, Self.longestNanoseconds))
    }

    /// Adds a request that had not been answered after so many nanoseconds, and never was.
    ///
    /// It stands above all that were answered: no percentile is the better for what failed.
    public mutating func record(atLeast nanoseconds: UInt64) {
        histogram.record(atLeast: nanoseconds)
        sum += Double(min(nanoseconds, Self.longestNanoseconds))
    }

    /// Adds everything another recorder has seen.
    public mutating func merge(_ other: LatencyRecorder) {
        histogram.merge(other.histogram)
        sum += other.sum
    }

    /// Every latency to the recorder's precision, to be handed to another process.
    var counts: CensoredHistogram.Counts { histogram.counts }

    /// Adds latencies in the form of `counts`, which came from another process. The mean is right to the
    /// recorder's precision only.
    mutating func add(_ counts: CensoredHistogram.Counts) {
        histogram.add(counts)
        for list in [counts.exact, counts.bounds] {
            for index in stride(from: 0, to: list.count - 1, by: 2) {
                sum += Double(list[index]) * Double(list[index + 1])
            }
        }
    }

    /// How many latencies were recorded, those of unanswered requests among them.
    public var count: UInt64 { histogram.count }

    /// How many of them are of requests that were never answered.
    public var unanswered: UInt64 { histogram.censoredCount }

    /// The longest latency in nanoseconds; 0 when empty.
    public var maximum: UInt64 { histogram.maximum }

    /// The shortest latency in nanoseconds; 0 when empty.
    public var minimum: UInt64 { histogram.minimum }

    /// The mean latency in nanoseconds; 0 when empty. A lower bound when anything was left unanswered.
    public var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// The latency in nanoseconds that `percent` (0 to 100) of the recorded ones do not exceed; 0 when empty.
    public func percentile(_ percent: Double) -> UInt64 { histogram.percentile(percent) }

    /// True when the percentile falls on a request that was never answered: then it is at least ``percentile(_:)``.
    public func isLowerBound(atPercentile percent: Double) -> Bool { histogram.isLowerBound(atPercentile: percent) }

    /// The percentile in nanoseconds with what is known of it; nil when empty.
    public func measured(_ percent: Double) -> MeasuredValue? {
        count == 0
            ? nil
            : MeasuredValue(Double(percentile(percent)), isLowerBound: isLowerBound(atPercentile: percent))
    }
}
