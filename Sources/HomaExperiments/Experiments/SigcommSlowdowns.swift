// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// Whether the simulator is to be believed: published slowdowns come out.
    static let sigcommSlowdowns = Experiment(
        name: "sigcomm-slowdowns", title: "Do the simulations of 2018 come out?",
        question: "Does this simulator with this protocol core give the slowdowns that the SIGCOMM 2018 paper printed?",
        method: """
            144 hosts at 10 Gb/s, 80 % load, the paper's settings; the mean over all messages and the 99th percentile \
            of messages around the median size. An all-knowing scheduler on the same traffic says what is possible. \
            The quick form leaves W5 out and is short.
            """
    ) { laboratory in
        // Mean, then p99 at the 50th percentile of sizes, as printed (figure 12 and its data).
        let published: [(String, mean: Double, p99: Double, oracle: Double)] = [
            ("w1", 1.384, 2.01, 1.107), ("w3", 1.465, 2.02, 1.022), ("w5", 1.734, 1.56, 1.354),
        ]
        var findings = Findings()
        var table = DataTable(
            "Slowdowns", ["workload", "mean published", "mean", "p99 published", "p99", "oracle's mean"])
        let isQuick = laboratory.scale == .quick
        for row in published where !isQuick || row.0 != "w5" {
            let messages: Int? = isQuick ? (row.0 == "w1" ? 300_000 : 100_000) : nil
            let warmUp = isQuick ? (row.0 == "w1" ? 0.5 : 5) : nil
            let recipe = Setup.sigcomm(row.0, load: 0.8, messages: messages, warmUpMilliseconds: warmUp)
            let homa = try laboratory.run(recipe)
            // The scheduler looks at every waiting message at every step: a few of W1's many messages are enough.
            let few = Setup.sigcomm(row.0, load: 0.8, messages: 20_000, warmUpMilliseconds: row.0 == "w1" ? 0.05 : 2)
            let oracle = try laboratory.run((isQuick ? few : recipe).with("transport", "srpt-oracle"))
            let name = row.0.uppercased()
            findings.claims.append(
                Claim(
                    "Mean slowdown of \(name) at 80 % load", source: Setup.sigcomm, published: .number(row.mean),
                    ours: homa.mean, unit: "ratio", tolerance: .share(0.05)))
            findings.claims.append(
                Claim(
                    "99th percentile of the slowdown of \(name)'s median messages", source: Setup.sigcomm,
                    published: .number(row.p99), ours: homa.shortP99, unit: "ratio", tolerance: .share(0.25)))
            findings.claims.append(
                Claim(
                    "Mean slowdown of \(name) under an all-knowing scheduler", source: Setup.sigcomm,
                    published: .number(row.oracle), ours: oracle.mean, unit: "ratio", tolerance: .share(0.1),
                    reason: "the published scheduler's rules are not known in full; it gives values below 1 elsewhere, "
                        + "so its least times are others than ours"))
            findings.claims.append(
                Claim(
                    "No protocol beats it: its mean over Homa's, \(name)", source: Setup.sigcomm, published: .number(1),
                    ours: oracle.mean / homa.mean, unit: "ratio", tolerance: .atMost(1)))
            table.add(
                .text(name), .number(row.mean), .number(homa.mean), .number(row.p99), .number(homa.shortP99),
                .number(oracle.mean))
        }
        findings.tables = [table]
        let rows = published.indices.map { Double($0 * 2 + 1) }
        findings.charts = [
            Chart(
                "Mean slowdown at 80 % load, published and ours", x: .workloads,
                y: Axis("mean slowdown", unit: "ratio"),
                series: [
                    Series("published", marks: .points, zip(rows, published).map { .init($0, $1.mean) }),
                    Series(
                        "ours", marks: .points,
                        zip(rows, table.rows).map { .init($0, number($1[2])) }),
                ])
        ]
        return findings
    }
}

/// The number in a cell.
func number(_ figure: Figure) -> Double { if case .number(let value) = figure { value } else { .nan } }
