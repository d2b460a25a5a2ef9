// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Maps the values of an axis to places on the page and chooses its ticks.
struct AxisScale: Equatable {
    let low: Double
    let high: Double
    let isLogarithmic: Bool
    let ticks: [Double]

    /// Covers all values; a linear axis of values of one sign begins at zero unless they lie far from it.
    init(_ values: [Double], logarithmic: Bool) {
        isLogarithmic = logarithmic
        let least = values.min() ?? 0
        let most = values.max() ?? 1
        (low, high, ticks) = logarithmic ? Self.decades(least, most) : Self.even(least, most)
    }

    /// Room for so many named things, in the middle of equal parts.
    init(categories count: Int) {
        isLogarithmic = false
        (low, high, ticks) = (0.5, Double(count) + 0.5, (1...max(1, count)).map(Double.init))
    }

    /// From 0 at the low end to 1 at the high one.
    func place(_ value: Double) -> Double {
        isLogarithmic ? log(value / low) / log(high / low) : (value - low) / (high - low)
    }

    private static func even(_ least: Double, _ most: Double) -> (Double, Double, [Double]) {
        let start = least >= 0 && least < most * 0.6 || least == most && least > 0 ? 0 : least
        let span = most > start ? most - start : 1
        let step = niceStep(span / 5)
        let low = (start / step).rounded(.down) * step
        let high = (most / step).rounded(.up) * step + (most == start ? step : 0)
        let count = Int(((high - low) / step).rounded())
        return (low, high, (0...max(1, count)).map { rounded(low + Double($0) * step, digits: 10) })
    }

    /// 1, 2 or 5 times a power of ten, not below what is asked for.
    private static func niceStep(_ least: Double) -> Double {
        let power = pow(10, log10(least).rounded(.down))
        return [1, 2, 5, 10].map { $0 * power }.first { $0 >= least * 0.999 } ?? power * 10
    }

    private static func decades(_ least: Double, _ most: Double) -> (Double, Double, [Double]) {
        let factors: [Double] = log10(most / least) > 2.5 ? [1] : log10(most / least) > 1.2 ? [1, 3] : [1, 2, 5]
        var ticks: [Double] = []
        let first = Int(log10(least).rounded(.down)) - 1
        let last = Int(log10(most).rounded(.up)) + 1
        for power in first...last { ticks += factors.map { rounded($0 * pow(10, Double(power)), digits: 6) } }
        let low = ticks.last { $0 <= least * 1.0001 } ?? least
        var high = ticks.first { $0 >= most * 0.9999 } ?? most
        if high <= low { high = low * 10 }
        return (low, high, ticks.filter { $0 >= low && $0 <= high })
    }
}
