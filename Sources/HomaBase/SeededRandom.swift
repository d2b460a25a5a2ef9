// SPDX-License-Identifier: Apache-2.0

/// A seeded generator (SplitMix64: Steele, Lea and Flood, OOPSLA 2014). Same seed, same run, on every machine.
@frozen
public struct SeededRandom: RandomNumberGenerator, Sendable, BitwiseCopyable {
    @usableFromInline
    var state: UInt64

    @inlinable
    public init(seed: UInt64) { state = seed }

    @inlinable
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in [0, 1), with 53 random bits.
    @inlinable
    public mutating func nextUnit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}
