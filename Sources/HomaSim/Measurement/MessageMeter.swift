// SPDX-License-Identifier: Apache-2.0

import HomaWorkloads

/// Completion times and slowdowns of measured messages, by size.
struct MessageMeter: ~Copyable {
    /// A distribution that is filled one by one: exact count, mean and maximum, percentiles by histogram.
    private struct Sample {
        var histogram = LogHistogram(precision: 7, bits: 50)
        var count = 0
        var sum = 0.0
        var maximum = 0.0

        @inline(__always)
        mutating func add(_ value: Double, scaledBy scale: Double) {
            histogram.add(UInt64(value * scale))
            count += 1
            sum += value
            maximum = max(maximum, value)
        }

        mutating func add(_ other: Sample) {
            histogram.add(other.histogram)
            count += other.count
            sum += other.sum
            maximum = max(maximum, other.maximum)
        }

        func summary(scaledBy scale: Double) -> SampleSummary {
            var summary = SampleSummary()
            guard count > 0 else { return summary }
            summary.count = count
            summary.mean = sum / Double(count)
            summary.median = min(maximum, Double(histogram.quantile(0.5)) / scale)
            summary.p99 = min(maximum, Double(histogram.quantile(0.99)) / scale)
            summary.p999 = min(maximum, Double(histogram.quantile(0.999)) / scale)
            summary.maximum = maximum
            return summary
        }
    }

    /// Slowdowns are counted in steps of 1/4096, times in nanoseconds.
    private static let slowdownScale = 4096.0
    /// Percentiles of sizes that published figures are about, and from where messages are taken for each.
    private static let points = [
        (10.0, from: 8.5), (50.0, from: 48.5), (90.0, from: 88.5), (99.0, from: 98.0), (100.0, from: 99.0),
    ]
    /// Cells of sizes: every half percentile is one.
    private static let fineCells = 200

    private let sizes: SizeDistribution
    private let bins: SizeBins
    private var fineBounds: [Int] = []
    private var fine: [Sample] = []
    private var slowdowns: [Sample] = []
    private var times: [Sample] = []

    init(sizes: SizeDistribution, bins count: Int) {
        self.sizes = sizes
        bins = SizeBins(sizes, count: count)
        fineBounds = (1...Self.fineCells).map { sizes.quantile(Double($0) / Double(Self.fineCells)) }
        fine = (0..<Self.fineCells).map { _ in Sample() }
        slowdowns = (0..<bins.count).map { _ in Sample() }
        times = (0..<bins.count).map { _ in Sample() }
    }

    deinit {
        for sample in fine { sample.histogram.destroy() }
        for sample in slowdowns { sample.histogram.destroy() }
        for sample in times { sample.histogram.destroy() }
    }

    /// A measured message of so many bytes is complete.
    mutating func add(bytes: Int, picoseconds: UInt64, best: UInt64) {
        let slowdown = Double(picoseconds) / Double(best)
        let nanoseconds = Double(picoseconds) / 1000
        let bin = bins.index(of: bytes)
        slowdowns[bin].add(slowdown, scaledBy: Self.slowdownScale)
        times[bin].add(nanoseconds, scaledBy: 1)
        fine[cell(of: bytes)].add(slowdown, scaledBy: Self.slowdownScale)
    }

    /// The first percentile of sizes that is not below so many bytes.
    private func cell(of bytes: Int) -> Int {
        var low = 0
        var high = Self.fineCells - 1
        while low < high {
            let middle = (low + high) / 2
            if fineBounds[middle] >= bytes { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // MARK: Results

    /// All messages together.
    mutating func fill(_ result: inout SimulationResult) {
        var slowdown = Sample()
        var time = Sample()
        for bin in 0..<bins.count {
            slowdown.add(slowdowns[bin])
            time.add(times[bin])
        }
        result.messages = slowdown.count
        result.slowdown = slowdown.summary(scaledBy: Self.slowdownScale)
        result.completionMicroseconds = Self.microseconds(time.summary(scaledBy: 1))
        slowdown.histogram.destroy()
        time.histogram.destroy()
        for bin in 0..<bins.count { result.sizeBins.append(binResult(bin)) }
        for point in Self.points {
            result.sizePercentiles.append(pointResult(point.0, from: point.from))
        }
    }

    private static func microseconds(_ summary: SampleSummary) -> SampleSummary {
        var scaled = summary
        scaled.mean /= 1000
        scaled.median /= 1000
        scaled.p99 /= 1000
        scaled.p999 /= 1000
        scaled.maximum /= 1000
        return scaled
    }

    private func binResult(_ bin: Int) -> SizeBinResult {
        SizeBinResult(
            fromPercentile: bin == 0 ? 0 : bins.percentiles[bin - 1], toPercentile: bins.percentiles[bin],
            maximumBytes: bins.upperBounds[bin],
            slowdown: slowdowns[bin].summary(scaledBy: Self.slowdownScale),
            completionMicroseconds: Self.microseconds(times[bin].summary(scaledBy: 1)))
    }

    private func pointResult(_ percentile: Double, from: Double) -> SizePercentileResult {
        let last = cell(of: sizes.quantile(percentile / 100))
        let first = min(last, cell(of: sizes.quantile(from / 100)) + 1)
        var sum = Sample()
        for cell in first...last { sum.add(fine[cell]) }
        defer { sum.histogram.destroy() }
        return SizePercentileResult(
            percentile: percentile, fromPercentile: from, toPercentile: percentile,
            bytes: sizes.quantile(percentile / 100),
            slowdown: sum.summary(scaledBy: Self.slowdownScale))
    }
}
