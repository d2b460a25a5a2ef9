// SPDX-License-Identifier: Apache-2.0

/// A transmission rate.
@frozen
public struct BitRate: Comparable, Hashable, Sendable, BitwiseCopyable {
    /// Bits per second.
    public var bitsPerSecond: UInt64

    @inlinable
    public init(bitsPerSecond: UInt64) { self.bitsPerSecond = bitsPerSecond }

    @inlinable
    public static func gigabitsPerSecond(_ value: Double) -> BitRate {
        BitRate(bitsPerSecond: UInt64(value * 1e9))
    }

    @inlinable
    public static func megabitsPerSecond(_ value: Double) -> BitRate {
        BitRate(bitsPerSecond: UInt64(value * 1e6))
    }

    @inlinable
    public static func < (lhs: BitRate, rhs: BitRate) -> Bool { lhs.bitsPerSecond < rhs.bitsPerSecond }

    /// Nanoseconds that `byteCount` bytes occupy a link of this rate, rounded up.
    ///
    /// Exact for up to 2 GB at a time, which is far above any message.
    @inlinable
    public func nanoseconds(forBytes byteCount: Int) -> UInt64 {
        let bitNanoseconds = UInt64(byteCount) * 8 * 1_000_000_000
        return (bitNanoseconds + bitsPerSecond - 1) / bitsPerSecond
    }
}

extension BitRate: CustomStringConvertible {
    public var description: String {
        bitsPerSecond >= 1_000_000_000
            ? "\(Double(bitsPerSecond) / 1e9) Gb/s" : "\(Double(bitsPerSecond) / 1e6) Mb/s"
    }
}
