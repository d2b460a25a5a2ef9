// SPDX-License-Identifier: Apache-2.0

/// Works out cutoffs that give every unscheduled level the same number of bytes.
///
/// That is how the SIGCOMM 2018 paper assigns them (section 3.4): each level then carries as much as any other, and
/// within the levels shorter messages stand above longer ones. Used for known workloads and by ``CutoffLearner``.
public enum UnscheduledCutoffs {
    /// Messages of up to `size` bytes, and longer than those of the share before, bring `bytes` unscheduled bytes.
    @frozen
    public struct Share: Sendable, BitwiseCopyable {
        /// Longest message of the share, in bytes.
        public var size: UInt32
        /// Unscheduled bytes, in any unit that is the same for all shares.
        public var bytes: Double

        @inlinable
        public init(size: UInt32, bytes: Double) {
            self.size = size
            self.bytes = bytes
        }
    }

    /// Cutoffs, by level, for messages of known sizes.
    ///
    /// - Parameters:
    ///   - sizes: cumulative fractions of messages (0 … 1) by size in bytes, ascending; between two rows the size grows
    ///     linearly, and two rows of one size put weight on exactly that size.
    ///   - unscheduledBytes: of each message, sent without a grant; at least 1.
    ///   - levels: the unscheduled levels, within 0 … 7. The lowest takes every length.
    public static func balanced(
        sizes: [(bytes: Int, cumulative: Double)], unscheduledBytes: Int, levels: ClosedRange<Int>
    ) -> [UInt32] {
        var shares: [Share] = []
        for (low, high) in zip(sizes, sizes.dropFirst()) {
            let weight = high.cumulative - low.cumulative
            guard weight > 0 else { continue }
            // Fine enough that rounding to a step moves less than a thousandth of the row's messages.
            let steps = max(1, min(1000, high.bytes - low.bytes))
            for step in 1...steps {
                let size = low.bytes + (high.bytes - low.bytes) * step / steps
                shares.append(
                    Share(
                        size: UInt32(min(size, Int(Int32.max))),
                        bytes: weight / Double(steps) * Double(min(size, unscheduledBytes))))
            }
        }
        let result = shares.withUnsafeBufferPointer { balanced($0, levels: levels) }
        return (0..<8).map { result[$0] }
    }

    /// Cutoffs, by level, that split the shares as evenly as they can be split. Without any bytes all but the lowest
    /// level are closed.
    static func balanced(_ shares: UnsafeBufferPointer<Share>, levels: ClosedRange<Int>) -> InlineArray<8, UInt32> {
        var cutoffs = InlineArray<8, UInt32>(repeating: 0)
        cutoffs[levels.lowerBound] = UInt32(Int32.max)
        var total = 0.0
        for share in shares { total += share.bytes }
        guard total > 0, levels.count > 1 else { return cutoffs }
        let part = total / Double(levels.count)
        var level = levels.upperBound
        var sum = 0.0
        var position = 0
        while level > levels.lowerBound {
            let wanted = part * Double(levels.upperBound - level + 1)
            // A share is taken while that brings the sum nearer to what is wanted.
            while position < shares.count, sum + shares[position].bytes / 2 <= wanted {
                sum += shares[position].bytes
                position += 1
            }
            cutoffs[level] = position > 0 ? shares[position - 1].size : 0
            level -= 1
        }
        return cutoffs
    }
}

extension InlineArray where count == 8, Element == UInt32 {
    /// Read as cutoffs: the level of unscheduled bytes of a message, the highest that takes its length.
    func level(length: UInt32) -> UInt8 {
        var level = 7
        while level > 0, self[level] < length { level -= 1 }
        return UInt8(level)
    }
}
