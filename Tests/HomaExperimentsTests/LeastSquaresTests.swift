// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaExperiments

@Suite struct LeastSquaresTests {
    @Test func `a plane is found again from its points`() throws {
        var rows: [(x: [Double], y: Double)] = []
        for x in 0..<5 {
            for z in 0..<4 { rows.append((x: [Double(x), Double(z * z)], y: 3 + 2 * Double(x) - 0.5 * Double(z * z))) }
        }
        let fit = try #require(LinearFit(rows))
        #expect(abs(fit.coefficients[0] - 3) < 1e-9)
        #expect(abs(fit.coefficients[1] - 2) < 1e-9)
        #expect(abs(fit.coefficients[2] + 0.5) < 1e-9)
        #expect(fit.error < 1e-9)
        #expect(fit.determination > 0.999_999)
    }

    @Test func `the error is that of the points`() throws {
        let fit = try #require(LinearFit([(x: [0], y: 1), (x: [0], y: -1), (x: [1], y: 1), (x: [1], y: -1)]))
        #expect(abs(fit.error - 1) < 1e-9)
        #expect(abs(fit.determination) < 1e-9)
    }

    @Test func `variables that say the same give no relation`() {
        #expect(LinearFit((0..<9).map { (x: [Double($0), Double(2 * $0)], y: Double($0)) }) == nil)
        #expect(LinearFit([(x: [1], y: 1)]) == nil)
    }

    @Test func `a power law is found again, and points without figures are left out`() throws {
        let fit = try #require(PowerFit([(1, 5), (4, 10), (16, 20), (64, 40), (3, .nan)]))
        #expect(abs(fit.exponent - 0.5) < 1e-9)
        #expect(abs(fit.factor - 5) < 1e-9)
    }

    @Test(arguments: [
        ([0.0, 7], false, 0.0, 8.0), ([95, 100], false, 95, 100), ([3, 800], true, 3, 1000), ([5, 5], false, 0, 5),
    ])
    func `an axis covers its values with round ticks`(values: [Double], log: Bool, low: Double, high: Double) {
        let scale = AxisScale(values, logarithmic: log)
        #expect(scale.low <= values[0] && scale.high >= values[1])
        #expect(scale.low == low && scale.high == high, "\(scale)")
        #expect(scale.ticks.count >= 2 && scale.ticks.count <= 12)
        for tick in scale.ticks { #expect((-1e-9...1 + 1e-9).contains(scale.place(tick))) }
    }
}
