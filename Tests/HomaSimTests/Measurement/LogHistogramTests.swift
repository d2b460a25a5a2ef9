// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

@Suite struct LogHistogramTests {
    @Test func `small values are exact and weights count`() {
        let histogram = LogHistogram(precision: 7, bits: 40)
        defer { histogram.destroy() }
        histogram.add(3, weight: 10)
        histogram.add(100, weight: 89)
        histogram.add(127, weight: 1)
        #expect(histogram.total == 100)
        #expect(histogram.quantile(0.1) == 3)
        #expect(histogram.quantile(0.11) == 100)
        #expect(histogram.quantile(0.99) == 100)
        #expect(histogram.quantile(1) == 127)
    }

    @Test func `large values are within half a cell`() {
        let histogram = LogHistogram(precision: 7, bits: 50)
        defer { histogram.destroy() }
        var random = SeededRandom(seed: 5)
        for _ in 0..<2000 {
            let value = random.next() >> (15 + random.next() % 40)
            histogram.clear()
            histogram.add(value)
            let found = histogram.quantile(0.5)
            let error = found > value ? found - value : value - found
            #expect(error <= value / 256 + 1)
        }
    }

    @Test func `values beyond the range are in the last cell`() {
        let histogram = LogHistogram(precision: 4, bits: 10)
        defer { histogram.destroy() }
        histogram.add(.max)
        #expect(histogram.quantile(0.5) >= 1 << 9)
        #expect(histogram.total == 1)
    }
}
