// SPDX-License-Identifier: Apache-2.0

/// The trends that HomaModule's notes on buffer usage report of W5 (and W4) on 20 nodes.
struct TrendStudy {
    private struct Row {
        var transport: String
        var claim: String
        /// What the higher setting's smallest pool is over the lower one's; a bound where the notes only say more or
        /// less.
        var published: Double
        var tolerance: Tolerance
        var low: PoolSearch
        var high: PoolSearch
        var reason = ""

        var ratio: Double { high.smallest / low.smallest }
        var held: Double { high.base.switchBytes / low.base.switchBytes }
    }

    /// Two runs without limit that differ in one setting.
    private struct Pair {
        var low: Outcome
        var high: Outcome
        var held: Double { high.switchBytes / low.switchBytes }
        var slower: Double { low.mean / high.mean }
    }

    private var rows: [Row] = []
    /// Overcommitment 4 and 8 with the kernel's own windows, and with fixed ones on hosts as in the simulation and on
    /// slow ones.
    private var slowdown = Double.nan
    private var fixed: Pair
    private var slow: Pair
    private var slowUnscheduled: Pair

    /// Software of a host under load, each way: with it a round trip of a short packet takes 82 µs.
    static let slowHost = 20_000

    init(_ laboratory: inout Laboratory) throws {
        let scale = laboratory.choose(quick: 1, full: 8)
        func recipe(_ workload: String, _ load: Double) -> Recipe {
            Setup.clusterRPC(workload, load: load, messages: (workload == "w5" ? 4_000 : 10_000) * scale)
                .with("traffic.active_hosts", 20)
        }
        // The kernel's windows as the notes' version had them: the same for every message, eight of them in all.
        func windowed(_ delay: Int, _ count: Int, _ unscheduled: Int = 40_000) -> Recipe {
            recipe("w5", 0.8).with("transport.window_bytes", 40_000).with("transport.maximum_incoming_bytes", 320_000)
                .with("transport.overcommitment", count).with("transport.unscheduled_bytes", unscheduled)
                .with("topology.host_send_delay_ns", delay).with("topology.host_receive_delay_ns", delay).unlimited()
        }
        fixed = Pair(low: try laboratory.run(windowed(3_150, 4)), high: try laboratory.run(windowed(3_150, 8)))
        slow = Pair(
            low: try laboratory.run(windowed(Self.slowHost, 4)), high: try laboratory.run(windowed(Self.slowHost, 8)))
        slowUnscheduled = Pair(low: slow.high, high: try laboratory.run(windowed(Self.slowHost, 8, 120_000)))
        let busy = try PoolSearch(recipe("w5", 0.8), &laboratory)
        rows.append(
            Row(
                transport: "Homa", claim: "Smallest pool at 80 % over that at 50 %, W5", published: 4,
                tolerance: .factor(1.5), low: try PoolSearch(recipe("w5", 0.5), &laboratory), high: busy))
        let four = try PoolSearch(recipe("w5", 0.8).with("transport.overcommitment", 4), &laboratory)
        slowdown = four.base.mean / busy.base.mean
        rows.append(
            Row(
                transport: "Homa", claim: "Smallest pool with overcommitment 8 over that with 4, W5", published: 2,
                tolerance: .factor(1.5), low: four, high: busy, reason: overcommitmentReason))
        for workload in ["w4", "w5"] {
            let large = recipe(workload, 0.8).with("transport.unscheduled_bytes", 120_000)
            rows.append(
                Row(
                    transport: "Homa",
                    claim: "Smallest pool with 120 KB unscheduled over that with 40 KB, \(workload.uppercased())",
                    published: 2, tolerance: .factor(1.5),
                    low: workload == "w5" ? busy : try PoolSearch(recipe(workload, 0.8), &laboratory),
                    high: try PoolSearch(large, &laboratory), reason: unscheduledReason))
        }
        try addRivals(recipe, busy, &laboratory)
    }

    /// What the notes say of TCP and DCTCP, and of more nodes.
    private mutating func addRivals(
        _ recipe: (String, Double) -> Recipe, _ homa: PoolSearch, _ laboratory: inout Laboratory
    ) throws {
        let chip = SmallestPool.chip
        let long = laboratory.scale == .quick ? "a run as short as the quick form's does not fill the buffer" : ""
        for (name, published) in [("TCP", 3.0), ("DCTCP", 1 / 0.65)] {
            let kind = name.lowercased()
            guard Rival.exists(kind) else { continue }
            func search(_ homa: Recipe) throws -> PoolSearch {
                try PoolSearch(Rival.stream(kind, in: homa), baseline: chip, &laboratory)
            }
            let busy = try search(recipe("w5", 0.8))
            rows.append(
                Row(
                    transport: name, claim: "Smallest pool under \(name) at 80 % over that at 50 %, W5",
                    published: published, tolerance: .factor(1.5), low: try search(recipe("w5", 0.5)), high: busy,
                    reason: long))
            if laboratory.scale == .full {
                let few = recipe("w5", 0.8).with("traffic.active_hosts", 10)
                rows.append(
                    Row(
                        transport: name, claim: "Smallest pool under \(name) shrinks with more nodes: 20 over 10, W5",
                        published: 1, tolerance: .atMost(1), low: try search(few), high: busy))
            }
            guard name == "DCTCP" else { continue }
            let late = Rival.stream(kind, in: recipe("w5", 0.8)).with("topology.leaf.ecn_threshold_bytes", 300_000)
            rows.append(
                Row(
                    transport: name, claim: "DCTCP's smallest pool grows with the threshold: 300 KB over 74 KB, W5",
                    published: 1.5, tolerance: .atLeast(1), low: busy,
                    high: try PoolSearch(late, baseline: chip, &laboratory)))
        }
        rows.append(
            Row(
                transport: "Homa", claim: "Homa's smallest pool grows with more nodes: 20 over 10, W5", published: 1,
                tolerance: .atLeast(1),
                low: try PoolSearch(recipe("w5", 0.8).with("traffic.active_hosts", 10), &laboratory), high: homa))
    }

    private var overcommitmentReason: String {
        "by default one limit for all messages together decides (400 KB), not their number; with a fixed window of "
            + "40 KB for each, \(readable(fixed.held)) times as much is held with 8 as with 4, and where hosts "
            + "take 20 µs each way, as loaded kernels do, \(readable(slow.held)) times"
    }

    private var unscheduledReason: String {
        "granted bytes decide (see granted bytes); where windows are fixed at 40 KB and hosts take 20 µs each way, so "
            + "that grants come late, \(readable(slowUnscheduled.held)) times as much is held with 120 KB"
    }

    var claims: [Claim] {
        rows.map { row in
            Claim(
                row.claim, source: Setup.notes, published: .number(row.published), ours: row.ratio, unit: "ratio",
                tolerance: row.tolerance, note: "with memory enough \(readable(row.held)) times as much was held",
                reason: row.reason)
        } + [
            Claim(
                "Mean slowdown with overcommitment 4 over that with 8, W5", source: Setup.notes, published: .number(3),
                ours: slowdown, unit: "ratio", tolerance: .factor(1.5),
                note: "fixed windows of 40 KB: \(readable(fixed.slower)), and on hosts that take 20 µs each way "
                    + "\(readable(slow.slower))",
                reason:
                    "with round trips of 15 µs four windows fill a link; with round trips of 82 µs they do not, and "
                    + "the published effect comes out: the kernel's hosts under load were that slow, or slower")
        ]
    }

    var table: DataTable {
        var table = DataTable(
            "Trends on 20 nodes",
            ["transport", "what", "smallest pool, low (MB)", "smallest pool, high (MB)", "mean, low", "mean, high"])
        for row in rows {
            table.add(
                .text(row.transport), .text(row.claim), .number(row.low.smallest / 1e6),
                .number(row.high.smallest / 1e6), .number(row.low.base.mean), .number(row.high.base.mean))
        }
        return table
    }
}
