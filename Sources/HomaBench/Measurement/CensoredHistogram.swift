// SPDX-License-Identifier: Apache-2.0

import Histogram

/// A figure of a measurement.
public struct MeasuredValue: Sendable, Equatable {
    public var value: Double
    /// The figure rests on requests that were never answered: it is at least `value`, and nobody knows how much more.
    public var isLowerBound: Bool

    public init(_ value: Double, isLowerBound: Bool = false) {
        self.value = value
        self.isLowerBound = isLowerBound
    }
}

/// A histogram some of whose values are known to be at least so much, and no more: right-censored, as statistics says.
///
/// A request that was never answered has no latency, and leaving it out would reward the protocol that fails most. So
/// it counts, above every answered one: percentiles that the answered ones reach are exact whatever became of the
/// others, and those beyond are told as lower bounds.
struct CensoredHistogram: Sendable {
    /// Values above this are recorded as this, and are lower bounds from then on.
    let largest: UInt64
    private var exact: Histogram<UInt64>
    private var bounds: Histogram<UInt64>

    init(largest: UInt64) {
        self.largest = largest
        exact = Histogram(highestTrackableValue: largest)
        bounds = Histogram(highestTrackableValue: largest)
    }

    var count: UInt64 { exact.totalCount + bounds.totalCount }
    /// Values known by a lower bound only.
    var censoredCount: UInt64 { bounds.totalCount }
    var minimum: UInt64 { exact.totalCount > 0 ? exact.min : bounds.min }
    var maximum: UInt64 { Swift.max(exact.maxRecorded, bounds.maxRecorded) }

    mutating func record(_ value: UInt64) { exact.record(min(value, largest)) }

    /// Adds a value that is `value` or more.
    mutating func record(atLeast value: UInt64) { bounds.record(min(value, largest)) }

    mutating func merge(_ other: CensoredHistogram) {
        exact.add(other.exact)
        bounds.add(other.bounds)
    }

    /// The value that `percent` (0 to 100) of all do not exceed; 0 when there are none.
    func percentile(_ percent: Double) -> UInt64 {
        guard bounds.totalCount > 0 else { return exact.totalCount > 0 ? exact.valueAtPercentile(percent) : 0 }
        let rank = rank(percent)
        guard rank > exact.totalCount else { return exact.value(atRank: rank) }
        return Swift.max(exact.maxRecorded, bounds.value(atRank: rank - exact.totalCount))
    }

    /// True when the percentile is known to be at least what ``percentile(_:)`` says, and no more.
    func isLowerBound(atPercentile percent: Double) -> Bool {
        count > 0 && (rank(percent) > exact.totalCount || percentile(percent) >= largest)
    }

    /// Which value, counted from 1 in ascending order, a percentile is.
    private func rank(_ percent: Double) -> UInt64 {
        // One unit in the last place less, so that the product's rounding does not reach into the next value.
        let share = Swift.min(Swift.max(percent.nextDown, 0), 100) / 100 * Double(count)
        return percent >= 100 ? count : Swift.min(count, Swift.max(1, UInt64(share.rounded(.up))))
    }

    /// Both parts as plain numbers, which can be handed to another process and added up there.
    var counts: Counts { Counts(exact: exact.flatCounts, bounds: bounds.flatCounts) }

    /// Value, count, value, count, … of everything recorded, values ascending.
    struct Counts: Codable, Sendable, Equatable {
        var exact: [UInt64]
        var bounds: [UInt64]
    }

    mutating func add(_ counts: Counts) {
        exact.add(flatCounts: counts.exact)
        bounds.add(flatCounts: counts.bounds)
    }
}

extension Histogram where Count == UInt64 {
    /// Value, count, value, count, … of everything recorded, values ascending.
    fileprivate var flatCounts: [UInt64] {
        recordedValues().flatMap { [$0.value, UInt64($0.count)] }
    }

    /// Adds what `flatCounts` of another histogram has. Values that are too large are recorded as the largest.
    fileprivate mutating func add(flatCounts: [UInt64]) {
        for index in stride(from: 0, to: flatCounts.count - 1, by: 2) {
            record(Swift.min(flatCounts[index], highestTrackableValue), count: flatCounts[index + 1])
        }
    }

    /// The value at a place, counted from 1, of all in ascending order.
    fileprivate func value(atRank rank: UInt64) -> UInt64 {
        var seen: UInt64 = 0
        for entry in recordedValues() {
            seen += UInt64(entry.count)
            if seen >= rank { return Swift.min(highestEquivalentForValue(entry.value), maxRecorded) }
        }
        return maxRecorded
    }
}
