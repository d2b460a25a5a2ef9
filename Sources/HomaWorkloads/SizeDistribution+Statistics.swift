// SPDX-License-Identifier: Apache-2.0

extension SizeDistribution {
    /// The size in bytes that a fraction `p` (0 to 1) of the messages does not exceed.
    public func quantile(_ p: Double) -> Int {
        let index = firstRow(reaching: min(max(p, 0), 1))
        guard index > 0 else { return rows[0].bytes }
        let low = rows[index - 1]
        let high = rows[index]
        guard high.bytes > low.bytes else { return high.bytes }
        let part = (p - low.cumulative) / (high.cumulative - low.cumulative)
        let size = Double(low.bytes) + part * Double(high.bytes - low.bytes)
        return Int(size.rounded(.toNearestOrAwayFromZero))
    }

    /// Index of the first row whose fraction is at least `p`.
    private func firstRow(reaching p: Double) -> Int {
        var low = 0
        var high = rows.count - 1
        while low < high {
            let middle = (low + high) / 2
            if rows[middle].cumulative >= p { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The mean message size in bytes.
    public var mean: Double { meanOfPrefix(Int.max) }

    /// The mean number of bytes per message that lie within its first `length` bytes.
    ///
    /// Its ratio to `mean` is the share of traffic that, say, the unscheduled bytes can carry.
    public func meanOfPrefix(_ length: Int) -> Double {
        zip(rows, rows.dropFirst()).reduce(0) { sum, pair in
            let (low, high) = pair
            let weight = high.cumulative - low.cumulative
            return sum + weight * Self.mean(from: low.bytes, to: high.bytes, clampedTo: length)
        }
    }

    /// Mean of a size spread evenly over `low...high`, where what exceeds `limit` counts as `limit`.
    private static func mean(from low: Int, to high: Int, clampedTo limit: Int) -> Double {
        if high <= limit { return (Double(low) + Double(high)) / 2 }
        if low >= limit { return Double(limit) }
        let part = Double(limit - low) / Double(high - low)
        return part * Double(low + limit) / 2 + (1 - part) * Double(limit)
    }

    /// Share of all bytes (0 to 1) that lie within the first `length` bytes of their message.
    public func byteShare(inFirst length: Int) -> Double { meanOfPrefix(length) / mean }

    /// Share of all bytes (0 to 1) that belong to messages of at most `size` bytes: the byte-weighted
    /// cumulative fraction. Priority cutoffs that give every level the same traffic are its quantiles.
    public func byteShare(ofMessagesUpTo size: Int) -> Double {
        // Messages longer than `size` contribute exactly `size` bytes each to the prefix mean.
        (meanOfPrefix(size) - (1 - fraction(ofMessagesUpTo: size)) * Double(size)) / mean
    }

    /// Fraction of messages (0 to 1) of at most `size` bytes.
    public func fraction(ofMessagesUpTo size: Int) -> Double {
        guard let above = rows.firstIndex(where: { $0.bytes > size }) else { return 1 }
        guard above > 0 else { return 0 }
        let low = rows[above - 1]
        let high = rows[above]
        let part = Double(size - low.bytes) / Double(high.bytes - low.bytes)
        return low.cumulative + part * (high.cumulative - low.cumulative)
    }
}
