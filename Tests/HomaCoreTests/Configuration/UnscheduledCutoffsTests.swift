// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Cutoffs for known sizes")
struct UnscheduledCutoffsTests {
    /// The share of each level (0 … 7) in the unscheduled bytes of many messages drawn from the table.
    static func shares(
        _ cutoffs: [UInt32], of sizes: [(bytes: Int, cumulative: Double)], unscheduledBytes: Int
    ) -> [Double] {
        var random = SeededRandom(seed: 6)
        var bytes = [Double](repeating: 0, count: 8)
        for _ in 0..<100_000 {
            let size = draw(sizes, random.nextUnit())
            var level = 7
            while level > 0, Int(cutoffs[level]) < size { level -= 1 }
            bytes[level] += Double(min(size, unscheduledBytes))
        }
        let total = bytes.reduce(0, +)
        return bytes.map { $0 / total }
    }

    static func draw(_ sizes: [(bytes: Int, cumulative: Double)], _ u: Double) -> Int {
        let high = sizes.firstIndex { $0.cumulative >= u } ?? sizes.count - 1
        guard high > 0 else { return sizes[0].bytes }
        let (low, top) = (sizes[high - 1], sizes[high])
        let part = (u - low.cumulative) / (top.cumulative - low.cumulative)
        return Int((Double(low.bytes) + part * Double(top.bytes - low.bytes)).rounded())
    }

    /// Sizes spread like W2's and W3's: their deciles, from the table of workloads in the SIGCOMM 2018 paper.
    static let w2: [(bytes: Int, cumulative: Double)] = [
        (1, 0), (3, 0.1), (34, 0.2), (58, 0.3), (171, 0.4), (269, 0.5), (320, 0.6), (366, 0.7), (427, 0.8), (512, 0.9),
        (3151, 0.99), (3_529_904, 1),
    ]
    static let w3: [(bytes: Int, cumulative: Double)] = [
        (1, 0), (36, 0.1), (77, 0.2), (110, 0.3), (158, 0.4), (268, 0.5), (313, 0.6), (402, 0.7), (573, 0.8),
        (1755, 0.9), (31_013, 0.99), (15_158_197, 1),
    ]

    @Test("every level gets the same share of the unscheduled bytes", arguments: [w2, w3], [2...7, 4...7, 6...7])
    func even(sizes: [(bytes: Int, cumulative: Double)], levels: ClosedRange<Int>) {
        let cutoffs = UnscheduledCutoffs.balanced(sizes: sizes, unscheduledBytes: 9328, levels: levels)
        let shares = Self.shares(cutoffs, of: sizes, unscheduledBytes: 9328)
        for level in levels {
            #expect(abs(shares[level] - 1 / Double(levels.count)) < 0.02, "level \(level) of \(cutoffs)")
        }
        #expect(cutoffs[levels.lowerBound] == UInt32(Int32.max))
        #expect(cutoffs[..<levels.lowerBound].allSatisfy { $0 == 0 })
        #expect(zip(cutoffs[levels], cutoffs[levels].dropFirst()).allSatisfy { $0 >= $1 })
    }

    @Test("sizes that cannot be split share a level, and the others are closed or take nothing longer")
    func oneSize() throws {
        let cutoffs = UnscheduledCutoffs.balanced(
            sizes: [(500, 0), (500, 1)], unscheduledBytes: 9328, levels: 4...7)
        #expect(cutoffs.reversed().first { $0 >= 500 } != nil)
        var configuration = EndpointConfiguration.small
        configuration.unscheduledCutoffs = cutoffs
        _ = try LoneHost(configuration)
    }

    @Test("one level takes everything")
    func oneLevel() {
        #expect(
            UnscheduledCutoffs.balanced(sizes: Self.w2, unscheduledBytes: 9328, levels: 7...7)
                == [0, 0, 0, 0, 0, 0, 0, UInt32(Int32.max)])
    }

    @Test("the published preset keeps the lowest levels for granted data", arguments: 1...8)
    func preset(levels: Int) throws {
        let configuration = EndpointConfiguration.sigcomm2018(scheduledLevels: levels, sizes: Self.w3)
        try configuration.validated(bpageSize: nil)
        #expect(Tuning(configuration).maximumScheduledPriority == min(7, levels) - 1)
    }
}
