// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// A point of simulated time: whole picoseconds since the start, so that the serialisation time of a byte
/// on any link rate in use is exact or rounds the same everywhere. 2⁶⁴ ps are 213 days.
public struct SimulatedTime: Comparable, Hashable, Sendable, BitwiseCopyable {
    public var picoseconds: UInt64

    @inlinable
    public init(picoseconds: UInt64) { self.picoseconds = picoseconds }

    public static let zero = SimulatedTime(picoseconds: 0)
    public static let distantFuture = SimulatedTime(picoseconds: .max)

    @inlinable
    public static func < (left: Self, right: Self) -> Bool { left.picoseconds < right.picoseconds }

    /// The protocol core's clock, in whole nanoseconds, rounded down: time never decreases there either.
    @inlinable
    public var instant: Instant { Instant(nanoseconds: picoseconds / 1000) }

    @inlinable
    public func advanced(byPicoseconds picoseconds: UInt64) -> Self {
        Self(picoseconds: self.picoseconds &+ picoseconds)
    }
}
