// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

/// A distribution with the figures of its full table (simulation form), to be reproduced by the compact one.
struct Published: Sendable, CustomTestStringConvertible {
    var sizes: SizeDistribution
    var mean: Double
    var kernelMean: Double
    var truncatedMean: Double
    var maximum: Int
    var shareOfFirst9328: Double
    var deciles: [Int]
    var p99: Int
    var testDescription: String { sizes.name }

    static let all = [
        Published(
            sizes: .w1, mean: 187.8, kernelMean: 189.2, truncatedMean: 189.2, maximum: 100_000, shareOfFirst9328: 0.995,
            deciles: [2, 3, 5, 11, 27, 79, 151, 264, 503], p99: 1876),
        Published(
            sizes: .w2, mean: 440.8, kernelMean: 441.6, truncatedMean: 433, maximum: 3_529_904, shareOfFirst9328: 0.77,
            deciles: [3, 34, 58, 171, 269, 320, 366, 427, 512], p99: 3151),
        Published(
            sizes: .w3, mean: 2927, kernelMean: 2928, truncatedMean: 2423, maximum: 15_158_197, shareOfFirst9328: 0.29,
            deciles: [36, 77, 110, 158, 268, 313, 402, 573, 1755], p99: 31_013),
        Published(
            sizes: .w4, mean: 127_797, kernelMean: 127_797, truncatedMean: 60_175, maximum: 10_000_000,
            shareOfFirst9328: 0.026, deciles: [315, 376, 502, 561, 662, 960, 6387, 49_408, 120_373], p99: 3_430_822),
        Published(
            sizes: .w5, mean: 2_515_857, kernelMean: 2_564_690, truncatedMean: 385_315, maximum: 28_840_000,
            shareOfFirst9328: 0.003,
            deciles: [5768, 18_746, 27_398, 47_586, 70_658, 191_786, 961_814, 1_922_186, 4_806_186], p99: 26_917_814),
    ]
}

func isClose(_ value: Double, _ expected: Double, within part: Double) -> Bool {
    abs(value - expected) <= part * abs(expected)
}

@Suite("Size distributions")
struct SizeDistributionTests {
    @Test("means are those of the full tables, within 1.5 %", arguments: Published.all)
    func means(published: Published) {
        #expect(isClose(published.sizes.mean, published.mean, within: 0.015))
        let truncated = published.sizes.truncated(to: HomaLimits.maximumMessageLength)
        #expect(isClose(truncated.mean, published.truncatedMean, within: 0.015))
        #expect(published.sizes.maximum == published.maximum)
        #expect(truncated.maximum == min(published.maximum, 1_000_000))
    }

    /// The full tables are steps: W5 has whole packets, and its ninth decile lies in a gap between 4.8 and
    /// 10.1 MB, so there only the bounds are checked.
    @Test("deciles are those of the full tables, within 6 % or a step", arguments: Published.all)
    func deciles(published: Published) {
        let step = published.sizes.name == "w5" ? 1442 : 1
        for (index, expected) in published.deciles.enumerated() {
            let value = published.sizes.quantile(Double(index + 1) / 10)
            if published.sizes.name == "w5", index == 8 {
                #expect((4_806_186...10_095_442).contains(value))
            } else {
                #expect(abs(value - expected) <= step || isClose(Double(value), Double(expected), within: 0.06))
            }
        }
        #expect(isClose(Double(published.sizes.quantile(0.99)), Double(published.p99), within: 0.03))
    }

    @Test("the share of bytes within the unscheduled limit is the published one", arguments: Published.all)
    func unscheduledShare(published: Published) {
        #expect(abs(published.sizes.byteShare(inFirst: 9328) - published.shareOfFirst9328) < 0.015)
    }

    @Test("quantiles never decrease and undo fractions", arguments: Published.all)
    func monotonicity(published: Published) {
        var previous = 0
        for step in 0...2000 {
            let size = published.sizes.quantile(Double(step) / 2000)
            #expect(size >= previous)
            previous = size
        }
        for size in [100, 5000, 1_000_000] where size >= published.sizes.minimum && size < published.sizes.maximum {
            let fraction = published.sizes.fraction(ofMessagesUpTo: size)
            guard fraction > 0, fraction < 0.999 else { continue }
            #expect(isClose(Double(published.sizes.quantile(fraction)), Double(size), within: 0.001))
        }
    }

    @Test("draws have the table's mean and depend on the seed alone", arguments: Published.all)
    func draws(published: Published) {
        let sizes = published.sizes.truncated(to: 1_000_000)
        var random = SeededRandom(seed: 11)
        var again = SeededRandom(seed: 11)
        var other = SeededRandom(seed: 12)
        var sum = 0
        var different = false
        for _ in 0..<400_000 {
            let size = sizes.sample(using: &random)
            sum += size
            #expect(size == sizes.sample(using: &again))
            if size != sizes.sample(using: &other) { different = true }
        }
        #expect(isClose(Double(sum) / 400_000, sizes.mean, within: 0.08))  // five deviations of W3
        #expect(different)
    }

    @Test("the byte-weighted fraction runs from 0 to 1 and agrees with a sum over draws")
    func byteShare() {
        let sizes = SizeDistribution.w4.truncated(to: 1_000_000)
        #expect(abs(sizes.byteShare(ofMessagesUpTo: sizes.maximum) - 1) < 1e-9)
        #expect(sizes.byteShare(ofMessagesUpTo: 49) < 1e-9)
        var random = SeededRandom(seed: 3)
        var short = 0
        var all = 0
        for _ in 0..<400_000 {
            let size = sizes.sample(using: &random)
            all += size
            if size <= 100_000 { short += size }
        }
        #expect(isClose(Double(short) / Double(all), sizes.byteShare(ofMessagesUpTo: 100_000), within: 0.02))
    }

    @Test("truncation clamps and moves nothing below the limit")
    func truncation() {
        let sizes = SizeDistribution.w4.truncated(to: 10_000)
        #expect(sizes.quantile(0.5) == SizeDistribution.w4.quantile(0.5))
        #expect(sizes.quantile(0.9) == 10_000)
        #expect(SizeDistribution.w4.truncated(to: 10).quantile(0.3) == 10)
        #expect(SizeDistribution.w1.truncated(to: 1_000_000) == .w1)
        #expect(SizeDistribution.w4.truncated(to: 1534).fraction(ofMessagesUpTo: 1533) < 0.64643)
        #expect(SizeDistribution.fixed(77).truncated(to: 50).mean == 50)
    }

    @Test("a fixed size is always that size")
    func fixedSize() {
        let sizes = SizeDistribution.fixed(500_000)
        var random = SeededRandom(seed: 1)
        #expect((0..<100).allSatisfy { _ in sizes.sample(using: &random) == 500_000 })
        #expect(sizes.mean == 500_000)
        #expect(sizes.fraction(ofMessagesUpTo: 499_999) == 0)
        #expect(sizes.fraction(ofMessagesUpTo: 500_000) == 1)
    }
}
