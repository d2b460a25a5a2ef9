// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// Short messages under Homa, TCP and DCTCP on the same loads.
    static let rivalLatency = Experiment(
        name: "rival-latency", title: "Short messages: Homa against TCP and DCTCP",
        question:
            "How many times lower is Homa's 99th percentile for short messages on the loads of the ATC 2021 paper?",
        method: """
            40 hosts at 25 Gb/s on one SN2410 with 13.2 MB, requests with equally long responses, W2 to W5 at 3.2, 14, \
            20 and 20 Gb/s per node, packets of 1500 bytes for all. 99th percentile of the completion time over the \
            least possible one, of messages of the shortest tenth. TCP is CUBIC and DCTCP is marked at 74 KB, one \
            connection per pair of hosts, on which messages wait for each other; least timeout 200 ms as in Linux. \
            Work of processors is not simulated.
            """
    ) { laboratory in
        try LatencyStudy.evaluate(&laboratory)
    }
}

private enum LatencyStudy {
    struct Row {
        var workload: String
        var transport: String
        var outcome: Outcome
        /// 99th percentile of the slowdown of the shortest messages.
        var tail: Double { outcome("slowdown_p99_by_size_percentile.10") }
    }

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        let lengths = ["w2": 40_000, "w3": 30_000, "w4": 8_000, "w5": 2_000]
        let scale = laboratory.choose(quick: 1, full: 25)
        var rows: [Row] = []
        for (workload, load) in Setup.clusterLoads {
            let homa = Setup.clusterRPC(workload, load: load, messages: lengths[workload, default: 1] * scale)
                .with("transport.maximum_packet_bytes", 1472)
            for (name, recipe) in [("Homa", homa)] + Rival.streams(homa) {
                rows.append(Row(workload: workload, transport: name, outcome: try laboratory.run(recipe)))
            }
        }
        return findings(rows)
    }

    private static func findings(_ rows: [Row]) -> Findings {
        let ratios = rows.filter { $0.transport != "Homa" }.map { rival in
            let homa = rows.first { $0.workload == rival.workload && $0.transport == "Homa" }
            return (rival, rival.tail / (homa?.tail ?? .nan))
        }
        let told = ratios.map { "\($0.transport) \($0.workload.uppercased()) \(readable($1))" }.joined(separator: ", ")
        var findings = Findings()
        func claim(_ text: String, _ published: Double, _ ours: Double?, _ tolerance: Tolerance) -> Claim {
            Claim(
                text, source: Setup.atc, published: .number(published), ours: ours ?? .nan, unit: "ratio",
                tolerance: tolerance, note: told,
                reason: "the measured rivals' times include processors, segmentation in bursts and several connections "
                    + "per pair, which are not simulated; here they wait in the switch and behind long messages of "
                    + "their own connection only")
        }
        findings.claims = [
            claim(
                "Least of the ratios of short messages' p99 to Homa's, over workloads and rivals", 7,
                ratios.map(\.1).min(), .factor(3)),
            claim(
                "Greatest of the ratios of short messages' p99 to Homa's, over workloads and rivals", 83,
                ratios.map(\.1).max(), .factor(3)),
            Claim(
                "Homa's short messages are faster on every workload: least ratio", source: Setup.atc,
                published: .number(1), ours: ratios.map(\.1).min() ?? .nan, unit: "ratio", tolerance: .atLeast(1)),
        ]
        var names: [String] = []
        for row in rows where !names.contains(row.transport) { names.append(row.transport) }
        findings.charts = [
            Chart(
                "Shortest tenth of the messages: 99th percentile", x: .workloads,
                y: Axis("p99 slowdown", unit: "ratio", logarithmic: true),
                series: names.map { name in
                    Series(
                        name, marks: .points,
                        rows.filter { $0.transport == name }.map {
                            .init(Double($0.workload.dropFirst()) ?? .nan, $0.tail)
                        })
                })
        ]
        findings.tables = [table(rows)]
        return findings
    }

    private static func table(_ rows: [Row]) -> DataTable {
        var table = DataTable(
            "By workload and transport",
            [
                "workload", "transport", "p99, shortest tenth", "p99, median messages", "mean slowdown",
                "most held by the switch (MB)", "drops (packets)", "incomplete (%)",
            ])
        for row in rows {
            table.add(
                .text(row.workload.uppercased()), .text(row.transport), .number(row.tail),
                .number(row.outcome.shortP99),
                .number(row.outcome.mean), .number(row.outcome.switchBytes / 1e6), .number(row.outcome.drops),
                .number(row.outcome.incompleteShare * 100))
        }
        return table
    }
}
