// SPDX-License-Identifier: Apache-2.0

import HomaScenarios

extension Experiment {
    /// Real sockets: what receiving into bpages is worth.
    static let receiveThroughput = Experiment(
        name: "receive-throughput", title: "Large messages over real sockets",
        question: """
            How much faster are 500 KB messages when they are put into bpages as they arrive than when they are copied \
            once they are complete, and than TCP?
            """,
        method: """
            Real, not simulated: the records of homa bench --suite, which measures 500 KB requests between two network \
            namespaces with each way to receive and with TCP, in turns. This experiment reads them from \
            bench-suite.jsonl in the folder of the points; it is made with \
            homa bench --suite --json > homa-experiments/bench-suite.jsonl.
            """
    ) { laboratory in
        ThroughputStudy.findings(laboratory.records("bench-suite.jsonl"))
    }
}

private enum ThroughputStudy {
    static func findings(_ records: [JSONValue]) -> Findings {
        func record(_ measure: String) -> JSONValue? { records.last { $0["measure"]?.text == measure } }
        let copy = record("goodput_500kb_vs_copy_after_complete")
        let tcp = record("goodput_500kb_vs_tcp")
        let own = [tcp, copy].compactMap { $0?["homa_value"]?.number }.first ?? .nan
        let copied = copy?["rival_value"]?.number ?? .nan
        let rival = tcp?["rival_value"]?.number ?? .nan
        let machine = records.first?["machine"]?.text ?? ""
        let missing = records.isEmpty ? "no bench-suite.jsonl was found: see the method" : machine
        let bound = "no network card here: both ends share one machine, whose processors bound every figure"
        func claim(_ text: String, _ published: Figure, _ ours: Double, _ unit: String, _ tolerance: Tolerance) -> Claim
        {
            Claim(
                text, source: Setup.seedRegions, published: published, ours: ours, unit: unit, tolerance: tolerance,
                note: missing, reason: records.isEmpty ? "" : bound)
        }
        var findings = Findings()
        findings.claims = [
            claim(
                "Goodput of 500 KB messages with bpages over that with copies of complete messages", .number(1.7),
                copy?["value"]?.number ?? .nan, "ratio", .share(0.2)),
            claim(
                "Goodput of 500 KB messages, Homa over TCP", .range(17.0 / 19, 19.0 / 18),
                tcp?["value"]?.number ?? .nan,
                "ratio", .share(0.1)),
            claim("Goodput with bpages", .range(17, 19), own / 1e9, "Gb/s", .share(0.1)),
            claim("Goodput with copies of complete messages", .range(10, 11), copied / 1e9, "Gb/s", .share(0.1)),
            claim("Goodput of TCP", .range(18, 19), rival / 1e9, "Gb/s", .share(0.1)),
        ]
        findings.charts = [
            Chart(
                "Goodput of 500 KB messages: 1 bpages, 2 copy after complete, 3 TCP",
                x: Axis("way to receive", unit: "number"),
                y: Axis("goodput", unit: "Gb/s"),
                series: [
                    Series(
                        "ours", marks: .points, [.init(1, own / 1e9), .init(2, copied / 1e9), .init(3, rival / 1e9)]),
                    Series("published, at 25 Gb/s", marks: .points, [.init(1, 18), .init(2, 10.5), .init(3, 18.5)]),
                ])
        ]
        var table = DataTable("Records of the suite", ["measure", "value", "unit"])
        for one in records {
            table.add(
                .text(one["measure"]?.text ?? ""), .number(one["value"]?.number ?? .nan), .text(one["unit"]?.text ?? "")
            )
        }
        findings.tables = records.isEmpty ? [] : [table]
        return findings
    }
}
