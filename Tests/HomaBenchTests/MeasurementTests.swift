// SPDX-License-Identifier: Apache-2.0

import HomaBench
import HomaWorkloads
import Testing

@Suite("Latency recorder")
struct LatencyRecorderTests {
    @Test("percentiles are right to a thousandth, mean and extremes exact")
    func percentiles() {
        var latency = LatencyRecorder()
        for value in 1...10_000 as ClosedRange<UInt64> { latency.record(nanoseconds: value * 100) }
        #expect(latency.count == 10_000)
        #expect(latency.minimum == 100 && latency.maximum == 1_000_000)
        #expect(latency.mean == 500_050)
        for (percent, expected) in [(50.0, 500_000.0), (99, 990_000), (99.9, 999_000)] {
            #expect(abs(Double(latency.percentile(percent)) - expected) <= 0.001 * expected)
        }
        #expect(latency.percentile(100) == 1_000_000)
    }

    @Test("merging is recording both")
    func merge() {
        var first = LatencyRecorder()
        var second = LatencyRecorder()
        var both = LatencyRecorder()
        for value in 1...1000 as ClosedRange<UInt64> {
            if value % 3 == 0 { first.record(nanoseconds: value * value) } else { second.record(nanoseconds: value) }
            both.record(nanoseconds: value % 3 == 0 ? value * value : value)
        }
        first.merge(second)
        #expect(first.count == both.count && first.maximum == both.maximum && first.mean == both.mean)
        for percent in [0.0, 1, 50, 90, 99, 100] { #expect(first.percentile(percent) == both.percentile(percent)) }
    }

    @Test("empty and enormous are no trouble")
    func extremes() {
        var latency = LatencyRecorder()
        #expect(latency.percentile(99) == 0 && latency.mean == 0 && latency.maximum == 0)
        latency.record(nanoseconds: .max)
        #expect(latency.maximum == LatencyRecorder.longestNanoseconds)
    }
}

@Suite("Slowdown")
struct SlowdownTests {
    let baseline = SlowdownBaseline(rttNanoseconds: 10_000, bitsPerSecond: 10_000_000_000)

    @Test("ideal is the small round trip and the time on the link")
    func ideal() {
        #expect(baseline.idealNanoseconds(bytes: 100_000) == 90_000)
    }

    @Test("slowdowns go to the bin of their size")
    func bins() {
        var slowdown = SlowdownBins(bins: SizeBins(.w4), baseline: baseline)
        for size in [100, 100_000, 5_000_000] {
            let ideal = baseline.idealNanoseconds(bytes: size)
            for step in 1...100 { slowdown.record(bytes: size, latencyNanoseconds: UInt64(ideal * Double(step))) }
        }
        #expect(slowdown.rows.map(\.count) == [100, 0, 0, 0, 0, 0, 0, 0, 100, 100])
        #expect(abs((slowdown.percentile(50, bin: 8) ?? 0) - 50) < 0.1)
        #expect(abs((slowdown.rows[9].p99 ?? 0) - 99) < 0.1)
        #expect(slowdown.percentile(50, bin: 1) == nil)
        #expect(abs((slowdown.percentile(100) ?? 0) - 100) < 0.1)
        let copy = slowdown
        slowdown.merge(copy)
        #expect(slowdown.count(bin: 0) == 200)
    }
}

@Suite("Measurement window")
struct MeasurementWindowTests {
    @Test("the warm-up is left out, the end is open")
    func window() {
        let window = MeasurementWindow(warmUp: .seconds(1), duration: .seconds(2))
        #expect(!window.contains(999_999_999) && window.contains(1_000_000_000))
        #expect(window.contains(2_999_999_999) && !window.contains(3_000_000_000))
        #expect(window.rate(of: 100) == 50)
        #expect(window.bitsPerSecond(bytes: 250) == 1000)
    }
}
