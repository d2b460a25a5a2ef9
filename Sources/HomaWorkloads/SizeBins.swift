// SPDX-License-Identifier: Apache-2.0

/// Message sizes cut into bins that hold the same share of messages each, for results by size.
///
/// Workloads span five orders of magnitude; bins by percentile keep every bin well filled. Where one size
/// takes more than a bin's share (W1 and W2, or a fixed size), the bins it would fill are one bin.
public struct SizeBins: Sendable, Equatable {
    /// The longest message of each bin, in bytes, strictly ascending.
    public let upperBounds: [Int]
    /// The percentile of messages (0 to 100) at which each bin ends; the last is 100.
    public let percentiles: [Double]

    public init(_ sizes: SizeDistribution, count: Int = 10) {
        precondition(count >= 1, "at least one bin")
        var bounds: [Int] = []
        var ends: [Double] = []
        for bin in 1...count {
            let part = Double(bin) / Double(count)
            let bound = bin == count ? sizes.maximum : sizes.quantile(part)
            if bounds.last == bound {
                ends[ends.count - 1] = 100 * part
            } else {
                bounds.append(bound)
                ends.append(100 * part)
            }
        }
        upperBounds = bounds
        percentiles = ends
    }

    /// Number of bins: as many as asked for, less those that fell together.
    public var count: Int { upperBounds.count }

    /// The bin of a message of `size` bytes. Longer messages than the distribution has belong to the last.
    public func index(of size: Int) -> Int {
        var low = 0
        var high = upperBounds.count - 1
        while low < high {
            let middle = (low + high) / 2
            if upperBounds[middle] >= size { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
