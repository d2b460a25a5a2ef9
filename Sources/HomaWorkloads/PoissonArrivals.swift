// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Arrivals that do not wait for each other: gaps drawn from the exponential distribution.
///
/// The gaps are whole nanoseconds; what rounding takes off one gap is added to the next, so the mean
/// holds also when it is a few nanoseconds. Same seed, same gaps, on every machine.
public struct PoissonArrivals: Sendable {
    /// Mean time between arrivals, in nanoseconds.
    public let meanIntervalNanoseconds: Double
    private var random: SeededRandom
    private var remainder = 0.0

    public init(meanIntervalNanoseconds: Double, seed: UInt64) {
        precondition(meanIntervalNanoseconds > 0 && meanIntervalNanoseconds.isFinite, "the mean must be positive")
        self.meanIntervalNanoseconds = meanIntervalNanoseconds
        random = SeededRandom(seed: seed)
    }

    /// Arrivals at `perSecond` per second on average.
    public init(perSecond: Double, seed: UInt64) {
        self.init(meanIntervalNanoseconds: 1e9 / perSecond, seed: seed)
    }

    /// Nanoseconds from one arrival to the next.
    public mutating func nextGap() -> UInt64 {
        let exact = remainder - naturalLogarithm(1 - random.nextUnit()) * meanIntervalNanoseconds
        // 37 mean intervals is the longest draw there is (53 random bits); this only guards absurd means.
        let whole = min(exact.rounded(.down), 0x1p62)
        remainder = exact - whole
        return UInt64(whole)
    }
}

/// The natural logarithm of a positive normal number, from additions, multiplications and divisions only.
///
/// A C library may round its logarithm differently from the next one, and one different nanosecond makes
/// another simulation. IEEE arithmetic is the same everywhere. Relative error below 1e-15.
func naturalLogarithm(_ x: Double) -> Double {
    var mantissa = x.significand
    var exponent = Double(x.exponent)
    if mantissa > 1.4142135623730951 {
        mantissa /= 2
        exponent += 1
    }
    // log m = 2 artanh s, with |s| <= 0.1716, as an odd power series in s.
    let s = (mantissa - 1) / (mantissa + 1)
    let square = s * s
    var sum = 0.0
    var divisor = 23.0
    while divisor >= 1 {
        sum = sum * square + 1 / divisor
        divisor -= 2
    }
    return exponent * 0.6931471805599453 + 2 * s * sum
}
