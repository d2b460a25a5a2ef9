// SPDX-License-Identifier: Apache-2.0

import Histogram

/// Latencies in nanoseconds, kept as an HDR histogram: three significant digits from 1 ns to 1000 s.
///
/// All memory (about 260 kB) is taken at the start, so recording never allocates. The mean and the
/// maximum are exact; percentiles are right to one part in a thousand.
public struct LatencyRecorder: Sendable {
    /// Longer latencies are recorded as this many nanoseconds (1000 s).
    public static let longestNanoseconds: UInt64 = 1_000_000_000_000

    private var histogram = Histogram<UInt64>(highestTrackableValue: longestNanoseconds)
    private var sum = 0.0

    public init() {}

    /// Adds one latency in nanoseconds.
    public mutating func record(nanoseconds: UInt64) {
        let value = min(nanoseconds, Self.longestNanoseconds)
        histogram.record(value)
        sum += Double(value)
    }

    /// Adds everything another recorder has seen.
    public mutating func merge(_ other: LatencyRecorder) {
        histogram.add(other.histogram)
        sum += other.sum
    }

    /// Every recorded latency in nanoseconds, to the recorder's precision, and how often it was recorded, flat:
    /// latency, count, latency, count, …
    var counts: [UInt64] { histogram.flatCounts }

    /// Adds latencies in the form of `counts`, which came from another process. The mean is right to the
    /// recorder's precision only.
    mutating func add(counts: [UInt64]) {
        histogram.add(flatCounts: counts) { sum += Double($0) * Double($1) }
    }

    /// How many latencies were recorded.
    public var count: UInt64 { histogram.totalCount }

    /// The longest latency in nanoseconds; 0 when empty.
    public var maximum: UInt64 { histogram.maxRecorded }

    /// The shortest latency in nanoseconds; 0 when empty.
    public var minimum: UInt64 { histogram.min }

    /// The mean latency in nanoseconds; 0 when empty.
    public var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// The latency in nanoseconds that `percent` (0 to 100) of the recorded ones do not exceed; 0 when empty.
    public func percentile(_ percent: Double) -> UInt64 {
        count == 0 ? 0 : histogram.valueAtPercentile(percent)
    }
}
