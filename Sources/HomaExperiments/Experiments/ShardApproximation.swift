// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// What it costs that shards know of their own messages only.
    static let shardApproximation = Experiment(
        name: "shard-approximation", title: "Shortest first within shards",
        question: """
            A node of several threads lets the shortest message of each thread come, not the shortest of all. How much \
            slower are messages for it, with up to 16 threads?
            """,
        method: """
            A model of one host's downlink at 25 Gb/s and 80 % load: messages belong to shards at random; each shard's \
            shortest remaining message comes, and the shards that have one share the link equally. One shard is \
            shortest remaining first over all. Slowdown: the time to complete over that on an idle link, 2.5 µs \
            included. Nothing else is modelled, and no processor: with packets, switches and priorities the \
            difference is smaller, since delays that shards do not cause come on top.
            """
    ) { laboratory in
        ShardStudy.evaluate(&laboratory)
    }
}

private enum ShardStudy {
    typealias Row = (workload: String, shards: Int, outcome: Outcome)

    static let counts = [1, 2, 4, 8, 16]

    static func evaluate(_ laboratory: inout Laboratory) -> Findings {
        let messages = laboratory.choose(quick: 20_000, full: 400_000)
        var rows: [Row] = []
        for workload in ["w1", "w2", "w3", "w4", "w5"] {
            for shards in counts {
                let model = ShardedLink(workload: workload, shards: shards, messages: messages)
                rows.append((workload, shards, laboratory.run(model)))
            }
        }
        var findings = Findings()
        findings.claims = claims(rows)
        findings.charts = [chart(rows)]
        findings.tables = [table(rows)]
        return findings
    }

    private static func claims(_ rows: [Row]) -> [Claim] {
        func ratio(_ workload: String, _ shards: Int, _ path: String) -> Double {
            figure(rows, workload, shards, path) / figure(rows, workload, 1, path)
        }
        return [2, 16].flatMap { shards in
            ["w1", "w2", "w3", "w4", "w5"].map { workload in
                Claim(
                    "Mean slowdown with \(shards) shards over one, \(workload.uppercased())", source: "this project",
                    ours: ratio(workload, shards, "slowdown_mean"), unit: "ratio",
                    note: "p99 of the shortest half of the messages: "
                        + "\(readable(ratio(workload, shards, "slowdown_p99_short"))) times as slow")
            }
        }
    }

    private static func figure(_ rows: [Row], _ workload: String, _ shards: Int, _ path: String) -> Double {
        rows.first { $0.workload == workload && $0.shards == shards }?.outcome(path) ?? .nan
    }

    private static func chart(_ rows: [Row]) -> Chart {
        Chart(
            "Mean slowdown by number of shards", x: Axis("shards", unit: "threads", logarithmic: true),
            y: Axis("mean slowdown", unit: "ratio"),
            series: ["w1", "w2", "w3", "w4", "w5"].map { workload in
                Series(
                    workload.uppercased(),
                    rows.filter { $0.workload == workload }.map {
                        .init(Double($0.shards), $0.outcome("slowdown_mean"))
                    })
            })
    }

    private static func table(_ rows: [Row]) -> DataTable {
        var table = DataTable(
            "Slowdowns by workload and number of shards",
            ["workload", "shards", "mean", "p99", "p99 of the shortest half", "shards with a message"])
        for row in rows {
            table.add(
                .text(row.workload.uppercased()), .number(Double(row.shards)), .number(row.outcome("slowdown_mean")),
                .number(row.outcome("slowdown_p99")), .number(row.outcome("slowdown_p99_short")),
                .number(row.outcome("busy_shards")))
        }
        return table
    }
}
