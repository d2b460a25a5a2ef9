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
            least possible one, of messages of the shortest tenth. TCP is CUBIC and DCTCP is marked at 74 KB, 32 \
            connections per pair of hosts and segmentation offload as published, least timeout 200 ms as in Linux. \
            Beside that, W2 at 80 % load, and TCP with one connection per pair. Work of processors is not simulated.
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
        let scale = laboratory.choose(quick: 1, full: 16)
        var rows: [Row] = []
        var busy: [Row] = []
        var single: [Row] = []
        for (workload, load) in Setup.clusterLoads {
            let homa = Setup.clusterRPC(workload, load: load, messages: lengths[workload, default: 1] * scale)
                .with("transport.maximum_packet_bytes", 1472)
            for (name, recipe) in [("Homa", homa)] + Rival.streams(homa) {
                rows.append(Row(workload: workload, transport: name, outcome: try laboratory.run(recipe)))
                guard workload == "w2" else { continue }
                let outcome = try laboratory.run(recipe.with("load", 0.8))
                busy.append(Row(workload: "w2", transport: name, outcome: outcome))
            }
            if workload != "w2" {
                let outcome = try laboratory.run(Rival.stream("tcp", in: homa, connections: 1))
                single.append(Row(workload: workload, transport: "TCP, one connection", outcome: outcome))
            }
        }
        return findings(rows, busy: busy, single: single)
    }

    /// Each rival's tail over Homa's on the same workload.
    private static func ratios(_ rows: [Row]) -> [(rival: Row, ratio: Double)] {
        rows.filter { $0.transport != "Homa" }.map { rival in
            let homa = rows.first { $0.workload == rival.workload && $0.transport == "Homa" }
            return (rival, rival.tail / (homa?.tail ?? .nan))
        }
    }

    private static func told(_ ratios: [(rival: Row, ratio: Double)]) -> String {
        ratios.map { "\($0.rival.transport) \($0.rival.workload.uppercased()) \(readable($0.ratio))" }
            .joined(separator: ", ")
    }

    private static func findings(_ rows: [Row], busy: [Row], single: [Row]) -> Findings {
        let ratios = Self.ratios(rows)
        let loaded = ratios.filter { $0.rival.workload != "w2" }
        let alone = Self.ratios(rows.filter { $0.transport == "Homa" } + single)
        var findings = Findings()
        func claim(_ text: String, _ published: Double, _ ours: Double?, _ tolerance: Tolerance, _ reason: String = "")
            -> Claim
        {
            Claim(
                text, source: Setup.atc, published: .number(published), ours: ours ?? .nan, unit: "ratio",
                tolerance: tolerance, note: told(ratios), reason: reason)
        }
        let most = ratios.map(\.ratio).max()
        findings.claims = [
            claim(
                "Least of the ratios of short messages' p99 to Homa's, W3 to W5 and both rivals", 7,
                loaded.map(\.ratio).min(), .factor(2)),
            claim(
                "The same with W2", 7, ratios.map(\.ratio).min(), .factor(2),
                "W2 loads links with 3.2 of 25 Gb/s, and nothing queues in the network; at 80 % load the ratios of W2 "
                    + "are \(told(Self.ratios(busy))); what made TCP slow at 3.2 Gb/s was in its hosts, which are "
                    + "not simulated"),
            claim(
                "Greatest of the ratios of short messages' p99 to Homa's, over workloads and rivals", 83, most,
                .factor(2),
                "with one connection per pair, where messages wait for all before them, it is "
                    + "\(readable(alone.map(\.ratio).max() ?? .nan)); the measured ones took any of 32 connections, "
                    + "ours the one with least to do: in between"),
            Claim(
                "Homa's short messages are faster on every workload: least ratio", source: Setup.atc,
                published: .number(1), ours: ratios.map(\.ratio).min() ?? .nan, unit: "ratio",
                tolerance: .atLeast(1)),
        ]
        let rows = rows + single
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
        findings.tables = [table("By workload and transport", rows), table("W2 at 80 % load", busy)]
        return findings
    }

    private static func table(_ title: String, _ rows: [Row]) -> DataTable {
        var table = DataTable(
            title,
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
