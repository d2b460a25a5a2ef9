// SPDX-License-Identifier: Apache-2.0

public import HomaWorkloads

/// The idle network that a latency is compared with.
///
/// `slowdown = latency ÷ (rttNanoseconds + bytes × 8 ÷ bitsPerSecond)`, where `bytes` is the request's
/// length: the definition of the Homa kernel measurements (ATC 2021). The round trip is that of a small
/// message without load, measured once and used for every protocol, so that slowdowns of different
/// protocols can be compared. The response's bytes are not in the ideal: where messages are echoed, a long
/// one crosses the link twice, one crossing after the other, and its slowdown is about 2 at best.
public struct SlowdownBaseline: Sendable, Equatable {
    /// Round trip of a small message on the idle network, in nanoseconds.
    public var rttNanoseconds: UInt64
    /// Rate of the link in bits per second.
    public var bitsPerSecond: UInt64

    public init(rttNanoseconds: UInt64, bitsPerSecond: UInt64) {
        precondition(rttNanoseconds > 0 && bitsPerSecond > 0, "an ideal network still takes time")
        self.rttNanoseconds = rttNanoseconds
        self.bitsPerSecond = bitsPerSecond
    }

    /// Nanoseconds that an RPC with a request of `bytes` bytes takes at best.
    public func idealNanoseconds(bytes: Int) -> Double {
        Double(rttNanoseconds) + Double(bytes) * 8e9 / Double(bitsPerSecond)
    }
}

/// Slowdowns sorted by message size, a histogram for each percentile bin of the workload.
public struct SlowdownBins: Sendable {
    /// The size bins.
    public let bins: SizeBins
    /// What latencies are divided by.
    public let baseline: SlowdownBaseline
    private var histograms: [CensoredHistogram]

    /// Slowdowns are kept in thousandths: right to 0.001 up to 2, to three digits above, at most 1 000 000.
    private static let scale = 1000.0
    private static let largest: UInt64 = 1_000_000_000

    public init(bins: SizeBins, baseline: SlowdownBaseline) {
        self.bins = bins
        self.baseline = baseline
        histograms = Array(repeating: CensoredHistogram(largest: Self.largest), count: bins.count)
    }

    /// Adds the latency of one RPC whose request had `bytes` bytes.
    public mutating func record(bytes: Int, latencyNanoseconds: UInt64) {
        histograms[bins.index(of: bytes)].record(thousandths(bytes, latencyNanoseconds))
    }

    /// Adds an RPC whose request of `bytes` bytes had not been answered after so many nanoseconds, and never was.
    public mutating func record(bytes: Int, latencyAtLeast nanoseconds: UInt64) {
        histograms[bins.index(of: bytes)].record(atLeast: thousandths(bytes, nanoseconds))
    }

    private func thousandths(_ bytes: Int, _ nanoseconds: UInt64) -> UInt64 {
        let slowdown = Double(nanoseconds) / baseline.idealNanoseconds(bytes: bytes)
        return UInt64(min(slowdown * Self.scale, Double(Self.largest)))
    }

    /// Adds what another recorder with the same bins and baseline has seen.
    public mutating func merge(_ other: SlowdownBins) {
        precondition(bins == other.bins && baseline == other.baseline, "only like slowdowns can be merged")
        for index in histograms.indices { histograms[index].merge(other.histograms[index]) }
    }

    /// The recorded slowdowns of each bin, in thousandths, to be handed to another process.
    var counts: [CensoredHistogram.Counts] { histograms.map(\.counts) }

    /// Adds slowdowns in the form of `counts`; bins that there are not are left out.
    mutating func add(_ counts: [CensoredHistogram.Counts]) {
        for (index, bin) in counts.enumerated() where index < histograms.count { histograms[index].add(bin) }
    }

    /// Messages recorded in a bin.
    public func count(bin: Int) -> UInt64 { histograms[bin].count }

    /// The slowdown that `percent` (0 to 100) of a bin's messages do not exceed; nil when the bin is empty.
    public func percentile(_ percent: Double, bin: Int) -> Double? { measured(percent, bin: bin)?.value }

    /// The slowdown that `percent` (0 to 100) of all messages do not exceed; nil when there are none.
    public func percentile(_ percent: Double) -> Double? { measured(percent)?.value }

    /// The percentile of a bin with what is known of it; nil when the bin is empty.
    public func measured(_ percent: Double, bin: Int) -> MeasuredValue? { Self.measured(percent, histograms[bin]) }

    /// The percentile of all messages with what is known of it; nil when there are none.
    public func measured(_ percent: Double) -> MeasuredValue? {
        var all = CensoredHistogram(largest: Self.largest)
        for histogram in histograms { all.merge(histogram) }
        return Self.measured(percent, all)
    }

    private static func measured(_ percent: Double, _ histogram: CensoredHistogram) -> MeasuredValue? {
        guard histogram.count > 0 else { return nil }
        return MeasuredValue(
            Double(histogram.percentile(percent)) / scale, isLowerBound: histogram.isLowerBound(atPercentile: percent))
    }

    /// One bin as a row of a report.
    public struct Row: Sendable, Equatable {
        /// Percentile of messages at which the bin ends, 0 to 100.
        public var percentile: Double
        /// Longest message of the bin, in bytes.
        public var upperBound: Int
        /// Messages recorded.
        public var count: UInt64
        /// Median slowdown; nil when the bin is empty.
        public var median: MeasuredValue?
        /// 99th percentile of the slowdown; nil when the bin is empty.
        public var tail: MeasuredValue?

        public var p50: Double? { median?.value }
        public var p99: Double? { tail?.value }
    }

    /// All bins, shortest messages first.
    public var rows: [Row] {
        (0..<bins.count).map { bin in
            Row(
                percentile: bins.percentiles[bin], upperBound: bins.upperBounds[bin], count: count(bin: bin),
                median: measured(50, bin: bin), tail: measured(99, bin: bin))
        }
    }
}
