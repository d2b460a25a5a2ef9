// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// How long the messages of a workload are: a cumulative table of sizes in bytes.
///
/// Between two rows the size grows linearly with the fraction; two rows with the same size put weight
/// on exactly that size. A draw costs one random number and a binary search, and depends on nothing but
/// the generator's state, so that the simulator, the Homa load and the TCP load can share one sequence.
public struct SizeDistribution: Sendable, Equatable {
    /// One row: a fraction `cumulative` of all messages has at most `bytes` bytes.
    public struct Row: Sendable, Equatable {
        /// Message size in bytes, at least 1.
        public var bytes: Int
        /// Fraction of messages that are not longer, from 0 to 1.
        public var cumulative: Double

        public init(bytes: Int, cumulative: Double) {
            self.bytes = bytes
            self.cumulative = cumulative
        }
    }

    /// The name it is asked for by, such as `w3` or `500000`.
    public let name: String
    /// The table, in ascending order; the last row's fraction is 1.
    public let rows: [Row]

    /// Makes a distribution from its rows. They must start at fraction 0, end at 1, and never decrease.
    public init(name: String, rows: [Row]) {
        precondition(rows.count >= 2, "a table needs a first and a last row")
        precondition(rows[0].bytes >= 1, "a message has at least one byte")
        precondition(rows[0].cumulative == 0 && rows[rows.count - 1].cumulative == 1, "fractions run from 0 to 1")
        for (row, next) in zip(rows, rows.dropFirst()) {
            precondition(row.bytes <= next.bytes && row.cumulative <= next.cumulative, "rows must ascend")
        }
        self.name = name
        self.rows = rows
    }

    init(name: String, table: [(Int, Double)]) {
        self.init(name: name, rows: table.map { Row(bytes: $0.0, cumulative: $0.1) })
    }

    /// Every message has `bytes` bytes.
    public static func fixed(_ bytes: Int) -> SizeDistribution {
        SizeDistribution(name: String(bytes), table: [(bytes, 0), (bytes, 1)])
    }

    /// The same distribution with longer messages clamped to `limit` bytes.
    ///
    /// Homa's messages end at 1 000 000 bytes (`HomaLimits.maximumMessageLength`), so a load over Homa, and a
    /// load compared with it, draws from the truncated form. That makes W4 and W5 much lighter: their
    /// means fall to about 60 kB and 385 kB.
    public func truncated(to limit: Int) -> SizeDistribution {
        precondition(limit >= 1, "a message has at least one byte")
        guard maximum > limit else { return self }
        let kept = rows.prefix { $0.bytes <= limit }
        guard let last = kept.last else {
            return SizeDistribution(name: name, table: [(limit, 0), (limit, 1)])
        }
        let atLimit = last.bytes == limit ? last.cumulative : fraction(ofMessagesUpTo: limit)
        let tail = [Row(bytes: limit, cumulative: atLimit), Row(bytes: limit, cumulative: 1)]
        return SizeDistribution(name: name, rows: Array(kept) + tail)
    }

    /// The shortest message, in bytes.
    public var minimum: Int { rows[0].bytes }

    /// The longest message the table names, in bytes.
    public var maximum: Int { rows[rows.count - 1].bytes }

    /// Draws one size in bytes.
    public func sample(using random: inout SeededRandom) -> Int {
        quantile(random.nextUnit())
    }
}
