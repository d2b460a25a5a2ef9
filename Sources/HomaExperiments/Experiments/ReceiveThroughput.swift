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
            First a model of one host at 25 Gb/s whose processor copies at a fixed rate: each packet as it comes, or \
            each message once it is complete. That rate is taken from the published goodput of TCP, which is below the \
            link's and therefore the processor's. Then two hosts of the simulator with such processors, which run the \
            protocol itself: 500 KB requests with short responses, one, two and four under way. Then real sockets: the \
            records of homa bench --suite, which measures 500 KB requests between two network namespaces with each \
            way to receive and with TCP, in turns, read from bench-suite.jsonl in the folder of the points; it is \
            made with homa bench --suite --json > homa-experiments/bench-suite.jsonl.
            """
    ) { laboratory in
        let rows = CopyStudy.rows(&laboratory)
        let simulated = try CopyingHosts.rows(&laboratory)
        var findings = ThroughputStudy.findings(laboratory.records("bench-suite.jsonl"))
        findings.claims = CopyStudy.claims(rows) + CopyingHosts.claims(simulated) + findings.claims
        findings.charts = [CopyStudy.chart(rows), CopyingHosts.chart(simulated)] + findings.charts
        findings.tables = [CopyStudy.table(rows), CopyingHosts.table(simulated)] + findings.tables
        return findings
    }
}

/// The model.
enum CopyStudy {
    typealias Row = (model: CopyModel, goodput: Double)

    /// The published goodput of TCP, in the middle of 18 and 19 Gb/s: what a processor copied.
    static let published = 18.5

    static func rows(_ laboratory: inout Laboratory) -> [Row] {
        var rows: [Row] = []
        for mode in CopyModel.Mode.allCases {
            for outstanding in [1, 2, 4] {
                for rate in [6, 9, 13, published, 25, 35, 50, 70, 100] {
                    let model = CopyModel(mode: mode, copyGbps: rate, outstanding: outstanding)
                    rows.append((model, laboratory.run(model)("goodput_gbps")))
                }
            }
        }
        return rows
    }

    private static func goodput(_ rows: [Row], _ mode: CopyModel.Mode, _ outstanding: Int, _ rate: Double) -> Double {
        rows.first { $0.model.mode == mode && $0.model.outstanding == outstanding && $0.model.copyGbps == rate }?
            .goodput ?? .nan
    }

    static func claims(_ rows: [Row]) -> [Claim] {
        let pipelined = goodput(rows, .pipelined, 1, published)
        let after = goodput(rows, .afterComplete, 1, published)
        let two = goodput(rows, .pipelined, 2, published) / goodput(rows, .afterComplete, 2, published)
        func claim(_ text: String, _ figure: Figure, _ ours: Double, _ unit: String) -> Claim {
            Claim(
                "Model of copying: \(text)", source: Setup.seedRegions, published: figure, ours: ours, unit: unit,
                tolerance: .share(0.1), note: "a processor that copies 18.5 Gb/s, one message outstanding")
        }
        return [
            claim("goodput when packets are copied as they come", .range(17, 19), pipelined, "Gb/s"),
            claim("goodput when complete messages are copied", .range(10, 11), after, "Gb/s"),
            claim("the one over the other", .number(1.7), pipelined / after, "ratio"),
            Claim(
                question: "Does it matter when several messages are under way?", source: Setup.seedRegions,
                answer: two.isFinite
                    ? "with two the ratio is \(readable(two)): one is copied while the next comes" : "",
                note: "the model has a processor that does nothing but copy"),
        ]
    }

    static func chart(_ rows: [Row]) -> Chart {
        Chart(
            "Model: goodput of 500 KB messages at 25 Gb/s",
            x: Axis("rate at which a processor copies", unit: "Gb/s", logarithmic: true),
            y: Axis("goodput", unit: "Gb/s"),
            series: CopyModel.Mode.allCases.flatMap { mode in
                [1, 2, 4].map { outstanding in
                    let mine = rows.filter { $0.model.mode == mode && $0.model.outstanding == outstanding }
                    return Series(
                        "\(mode.rawValue), \(outstanding) under way", mine.map { .init($0.model.copyGbps, $0.goodput) })
                }
            })
    }

    static func table(_ rows: [Row]) -> DataTable {
        var table = DataTable("Model", ["copied", "messages under way", "copy rate (Gb/s)", "goodput (Gb/s)"])
        for (model, goodput) in rows {
            table.add(
                .text(model.mode.rawValue), .number(Double(model.outstanding)), .number(model.copyGbps),
                .number(goodput))
        }
        return table
    }
}

/// Real sockets.
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
        let bound =
            "no network card here: both ends share one machine, whose processors bound every figure; and the suite "
            + "keeps four messages under way, where the model above gives a ratio of 1 as well"
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
                "Real sockets: goodput of 500 KB messages",
                x: Axis("way to receive", categories: ["bpages", "copy after complete", "TCP"]),
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
