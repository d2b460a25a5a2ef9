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
        /// Where the notes compare by bandwidth: how many times more nodes the higher setting has.
        var nodes = 1.0

        var ratio: Double { high.smallest / low.smallest / nodes }
        var held: Double { high.base.switchBytes / low.base.switchBytes }
    }

    /// The same traffic without limit of memory on hosts whose software takes so long, each way.
    private struct Speed {
        var delay: Int
        var base: Outcome
        var four: Outcome
        var unscheduled: Outcome
        var half: Outcome

        var microseconds: String { readable(Double(delay) / 1000) }
        var overcommitment: Double { base.switchBytes / four.switchBytes }
        var slower: Double { four.mean / base.mean }
        var large: Double { unscheduled.switchBytes / base.switchBytes }
        var load: Double { base.switchBytes / half.switchBytes }
    }

    private var rows: [Row] = []
    private var speeds: [Speed] = []
    private var slowdown = Double.nan

    /// Software of a host under load, each way.
    static let slowHost = 20_000

    /// As the notes had it: fixed windows, of 60 KB at 25 Gb/s, eight of them in all. Dynamic windows, which divide a
    /// limit among all messages, were new and an experiment of their own (util/cp_config_buf of that time).
    private static func windows(_ recipe: Recipe) -> Recipe {
        recipe.with("transport.window_bytes", 60_000).with("transport.maximum_incoming_bytes", 480_000)
    }

    init(_ laboratory: inout Laboratory) throws {
        let scale = laboratory.choose(quick: 1, full: 8)
        func recipe(_ workload: String, _ load: Double) -> Recipe {
            Setup.clusterRPC(workload, load: load, messages: (workload == "w5" ? 4_000 : 10_000) * scale)
                .with("traffic.active_hosts", 20)
        }
        func homa(_ workload: String, _ load: Double) -> Recipe { Self.windows(recipe(workload, load)) }
        for delay in [3_150, Self.slowHost, 30_000, 40_000] {
            let base = homa("w5", 0.8).with("topology.host_send_delay_ns", delay)
                .with("topology.host_receive_delay_ns", delay).unlimited()
            speeds.append(
                Speed(
                    delay: delay, base: try laboratory.run(base),
                    four: try laboratory.run(base.with("transport.overcommitment", 4)),
                    unscheduled: try laboratory.run(base.with("transport.unscheduled_bytes", 120_000)),
                    half: try laboratory.run(base.with("load", 0.5))))
        }
        let busy = try PoolSearch(homa("w5", 0.8), &laboratory)
        rows.append(
            Row(
                transport: "Homa", claim: "Smallest pool at 80 % over that at 50 %, W5", published: 4,
                tolerance: .factor(1.5), low: try PoolSearch(homa("w5", 0.5), &laboratory), high: busy,
                reason: told("what is held grows", \.load)))
        let four = try PoolSearch(homa("w5", 0.8).with("transport.overcommitment", 4), &laboratory)
        slowdown = four.base.mean / busy.base.mean
        rows.append(
            Row(
                transport: "Homa", claim: "Smallest pool with overcommitment 8 over that with 4, W5", published: 2,
                tolerance: .factor(1.5), low: four, high: busy,
                reason: told("what is held grows", \.overcommitment)))
        for workload in ["w4", "w5"] {
            let large = homa(workload, 0.8).with("transport.unscheduled_bytes", 120_000)
            rows.append(
                Row(
                    transport: "Homa",
                    claim: "Smallest pool with 120 KB unscheduled over that with 40 KB, \(workload.uppercased())",
                    published: 2, tolerance: .factor(1.5),
                    low: workload == "w5" ? busy : try PoolSearch(homa(workload, 0.8), &laboratory),
                    high: try PoolSearch(large, &laboratory), reason: told("what W5 holds grows", \.large)))
        }
        try addRivals(recipe, &laboratory)
        let few = homa("w5", 0.8).with("traffic.active_hosts", 10)
        rows.append(
            Row(
                transport: "Homa", claim: "Homa's smallest pool in µs grows with more nodes: 20 over 10, W5",
                published: 1, tolerance: .atLeast(1), low: try PoolSearch(few, &laboratory), high: busy,
                reason: "maxima of more ports grow less than their number: see pool-sharing", nodes: 2))
    }

    /// How a figure changes with the hosts' speed.
    private func told(_ what: String, _ figure: (Speed) -> Double) -> String {
        let each = speeds.map { "\(readable(figure($0))) times with hosts that take \($0.microseconds) µs each way" }
        return "where memory has no limit, \(what) " + each.joined(separator: ", ")
            + "; hosts under load are slower than the simulated ones"
    }

    private mutating func add(
        _ transport: String, _ claim: String, _ published: Double, _ tolerance: Tolerance = .factor(1.5),
        low: PoolSearch, high: PoolSearch, perNode: Bool = false, reason: String = ""
    ) {
        rows.append(
            Row(
                transport: transport, claim: claim, published: perNode ? published * 2 : published,
                tolerance: perNode && tolerance == .atLeast(2) ? .atLeast(1) : tolerance, low: low, high: high,
                reason: reason, nodes: perNode ? 2 : 1))
    }

    /// What the notes say of TCP and DCTCP, and of more nodes.
    private mutating func addRivals(_ recipe: (String, Double) -> Recipe, _ laboratory: inout Laboratory) throws {
        let chip = SmallestPool.chip
        let long = laboratory.scale == .quick ? "a run as short as the quick form's does not fill the buffer" : ""
        for (name, published) in [("TCP", 3.0), ("DCTCP", 1 / 0.65)] {
            func search(_ homa: Recipe) throws -> PoolSearch {
                try PoolSearch(Rival.stream(name.lowercased(), in: homa), baseline: chip, &laboratory)
            }
            let busy = try search(recipe("w5", 0.8))
            rows.append(
                Row(
                    transport: name, claim: "Smallest pool under \(name) at 80 % over that at 50 %, W5",
                    published: published, tolerance: .factor(1.5), low: try search(recipe("w5", 0.5)), high: busy,
                    reason: long))
            if laboratory.scale == .full {
                let few = try search(recipe("w5", 0.8).with("traffic.active_hosts", 10))
                rows.append(
                    Row(
                        transport: name, claim: "Smallest pool under \(name) in µs shrinks with more nodes: 20 over 10",
                        published: 1, tolerance: .atMost(1), low: few, high: busy, nodes: 2))
            }
            guard name == "DCTCP" else { continue }
            let late = Rival.stream("dctcp", in: recipe("w5", 0.8)).with("topology.leaf.ecn_threshold_bytes", 300_000)
            rows.append(
                Row(
                    transport: name, claim: "DCTCP's smallest pool grows with the threshold: 300 KB over 74 KB, W5",
                    published: 1.5, tolerance: .atLeast(1), low: busy,
                    high: try PoolSearch(late, baseline: chip, &laboratory)))
        }
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
                reason: told("slowdowns grow", \.slower))
        ]
    }

    /// How the trends depend on the hosts' speed.
    var speedTable: DataTable {
        var table = DataTable(
            "Trends of W5 by speed of the hosts, without limit of memory",
            [
                "software of a host, each way (µs)", "most held (MB)", "mean slowdown", "held: overcommitment 8 over 4",
                "slowdown: overcommitment 4 over 8", "held: 120 KB over 40 KB unscheduled", "held: load 80 % over 50 %",
            ])
        for speed in speeds {
            table.add(
                .number(Double(speed.delay) / 1000), .number(speed.base.switchBytes / 1e6), .number(speed.base.mean),
                .number(speed.overcommitment), .number(speed.slower), .number(speed.large), .number(speed.load))
        }
        return table
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
