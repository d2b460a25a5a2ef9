// SPDX-License-Identifier: Apache-2.0

import Histogram

/// A histogram as plain numbers, which can be handed to another process and added up there.
extension Histogram where Count == UInt64 {
    /// Value, count, value, count, … of everything recorded, values ascending.
    var flatCounts: [UInt64] {
        recordedValues().flatMap { [$0.value, UInt64($0.count)] }
    }

    /// Adds what `flatCounts` of another histogram has. Values that are too large are recorded as the largest.
    mutating func add(flatCounts: [UInt64], _ each: (_ value: UInt64, _ count: UInt64) -> Void) {
        for index in stride(from: 0, to: flatCounts.count - 1, by: 2) {
            let value = Swift.min(flatCounts[index], highestTrackableValue)
            record(value, count: flatCounts[index + 1])
            each(value, flatCounts[index + 1])
        }
    }
}
