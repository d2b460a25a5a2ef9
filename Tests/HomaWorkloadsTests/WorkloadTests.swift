// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@Suite("Workloads by name")
struct WorkloadTests {
    @Test("published names", arguments: ["w1", "W2", "w3", "w4", "w5"])
    func published(name: String) throws {
        #expect(try Workload.named(name).name == name.lowercased())
    }

    @Test("sizes with suffixes", arguments: [("100", 100), ("64K", 64_000), ("64k", 64_000), ("1M", 1_000_000)])
    func sizes(name: String, bytes: Int) throws {
        let workload = try Workload.named(name)
        #expect(workload.sizes.maximum == bytes && workload.sizes.minimum == bytes)
    }

    @Test("anything else is an error that says what is possible", arguments: ["", "w6", "0", "-5", "K", "1G", "1e3"])
    func unknown(name: String) {
        #expect(throws: WorkloadError.unknown(name)) { try Workload.named(name) }
        #expect("\(WorkloadError.unknown(name))".contains("w1"))
    }
}

@Suite("Poisson arrivals")
struct PoissonArrivalsTests {
    @Test("gaps have the mean asked for, also when it is a few nanoseconds", arguments: [2.5, 1000, 3_333_333.3])
    func mean(interval: Double) {
        var arrivals = PoissonArrivals(meanIntervalNanoseconds: interval, seed: 5)
        var sum = 0.0
        var squares = 0.0
        for _ in 0..<300_000 {
            let gap = Double(arrivals.nextGap())
            sum += gap
            squares += gap * gap
        }
        let mean = sum / 300_000
        #expect(isClose(mean, interval, within: 0.01))
        // The deviation of an exponential distribution is its mean.
        guard interval > 100 else { return }
        #expect(isClose((squares / 300_000 - mean * mean).squareRoot(), interval, within: 0.02))
    }

    @Test("same seed, same gaps; the first ones are pinned")
    func determinism() {
        var first = PoissonArrivals(perSecond: 1e6, seed: 9)
        var second = PoissonArrivals(meanIntervalNanoseconds: 1000, seed: 9)
        let gaps = (0..<1000).map { _ in first.nextGap() }
        #expect(gaps == (0..<1000).map { _ in second.nextGap() })
        #expect(Array(gaps.prefix(4)) == [1146, 1389, 309, 1536])
    }
}

@Suite("Size bins")
struct SizeBinsTests {
    @Test("ten bins hold a tenth of the messages each", arguments: [SizeDistribution.w3, .w4, .w5])
    func equalShares(sizes: SizeDistribution) {
        let bins = SizeBins(sizes)
        #expect(bins.count == 10)
        var counts = Array(repeating: 0, count: 10)
        var random = SeededRandom(seed: 2)
        for _ in 0..<100_000 { counts[bins.index(of: sizes.sample(using: &random))] += 1 }
        #expect(counts.allSatisfy { isClose(Double($0), 10_000, within: 0.06) })
    }

    @Test("bounds belong to their own bin; beyond the last there is no other")
    func bounds() {
        let bins = SizeBins(.w4)
        for (index, bound) in bins.upperBounds.enumerated() {
            #expect(bins.index(of: bound) == index)
            #expect(bins.index(of: bound + 1) == min(index + 1, 9))
        }
        #expect(bins.index(of: 1) == 0)
    }

    @Test("one size makes one bin")
    func single() {
        let bins = SizeBins(.fixed(100))
        #expect(bins.upperBounds == [100] && bins.percentiles == [100])
        #expect(bins.index(of: 100) == 0)
    }
}
