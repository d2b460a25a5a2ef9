// SPDX-License-Identifier: Apache-2.0

/// The trends that HomaModule's notes on buffer usage report of W5 (and W4) on 20 nodes.
struct TrendStudy {
    private var rows: [(name: String, claim: String, published: Double, low: PoolSearch, high: PoolSearch)] = []
    private var slowdown = Double.nan
    /// The same ratio of pools where each message may have a fixed window granted, and only their number is limited.
    private var withWindows = Double.nan

    init(_ laboratory: inout Laboratory) throws {
        let scale = laboratory.choose(quick: 1, full: 20)
        func recipe(_ workload: String, _ load: Double) -> Recipe {
            Setup.clusterRPC(workload, load: load, messages: (workload == "w5" ? 4_000 : 10_000) * scale)
                .with("traffic.active_hosts", 20)
        }
        let busy = try PoolSearch(recipe("w5", 0.8), &laboratory)
        rows.append(
            (
                "load", "Smallest pool at 80 % over that at 50 %, W5", 4,
                try PoolSearch(recipe("w5", 0.5), &laboratory), busy
            ))
        let four = try PoolSearch(recipe("w5", 0.8).with("transport.overcommitment", 4), &laboratory)
        rows.append(("overcommitment", "Smallest pool with overcommitment 8 over that with 4, W5", 2, four, busy))
        slowdown = four.base.mean / busy.base.mean
        let windows = recipe("w5", 0.8).with("transport.window_bytes", 60_000)
            .with("transport.maximum_incoming_bytes", 10_000_000)
        let few = try laboratory.run(windows.with("transport.overcommitment", 4).unlimited())
        withWindows = try laboratory.run(windows.unlimited()).switchBytes / few.switchBytes
        for workload in ["w4", "w5"] {
            rows.append(
                (
                    "unscheduled bytes",
                    "Smallest pool with 120 KB unscheduled over that with 40 KB, \(workload.uppercased())", 2,
                    workload == "w5" ? busy : try PoolSearch(recipe(workload, 0.8), &laboratory),
                    try PoolSearch(recipe(workload, 0.8).with("transport.unscheduled_bytes", 120_000), &laboratory)
                ))
        }
    }

    var claims: [Claim] {
        rows.map { row in
            Claim(
                row.claim, source: Setup.notes, published: .number(row.published),
                ours: row.high.smallest / row.low.smallest, unit: "ratio", tolerance: .factor(1.5),
                note:
                    "what was held without limit grew \(readable(row.high.base.switchBytes / row.low.base.switchBytes))"
                    + " times",
                reason: row.name == "overcommitment"
                    ? "the limit of 400 KB granted to all messages together decides, not their number: with 60 KB for "
                        + "each message and no common limit, \(readable(withWindows)) times as much is held with 8 "
                        + "as with 4"
                    : "the common limit of granted bytes decides (see granted bytes); the notes are of an older version"
            )
        } + [
            Claim(
                "Mean slowdown with overcommitment 4 over that with 8, W5", source: Setup.notes, published: .number(3),
                ours: slowdown, unit: "ratio", tolerance: .factor(1.5),
                reason: "the kernel's mean includes the work of its processors, which is not simulated; here links "
                    + "alone decide, and four senders fill one almost always")
        ]
    }

    var table: DataTable {
        var table = DataTable(
            "Trends on 20 nodes",
            ["factor", "what", "smallest pool, low (MB)", "smallest pool, high (MB)", "mean, low", "mean, high"])
        for row in rows {
            table.add(
                .text(row.name), .text(row.claim), .number(row.low.smallest / 1e6), .number(row.high.smallest / 1e6),
                .number(row.low.base.mean), .number(row.high.base.mean))
        }
        return table
    }
}
