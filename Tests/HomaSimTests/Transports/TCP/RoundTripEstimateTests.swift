// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaSim

@Suite struct RoundTripEstimateTests {
    @Test func `the first sample counts three times`() {
        let estimate = RoundTripEstimate(firstSample: 1000, minimum: 1, maximum: .max)
        #expect(estimate.timeout == 3000)
    }

    @Test func `samples count by an eighth, deviations by a fourth`() {
        var estimate = RoundTripEstimate(firstSample: 8000, minimum: 1, maximum: .max)
        estimate.add(16_000, minimum: 1, maximum: .max)
        #expect(estimate.smoothed == 9000)
        // 4000 × 3/4 + 8000 / 4.
        #expect(estimate.timeout == 9000 + 4 * 5000)
    }

    @Test func `the timeout stays between its bounds, and a sample ends its doubling`() {
        var estimate = RoundTripEstimate(firstSample: 10, minimum: 1000, maximum: 3000)
        #expect(estimate.timeout == 1000)
        estimate.backOff(maximum: 3000)
        #expect(estimate.timeout == 2000)
        estimate.backOff(maximum: 3000)
        #expect(estimate.timeout == 3000)
        estimate.add(10, minimum: 1000, maximum: 3000)
        #expect(estimate.timeout == 1000)
    }
}
