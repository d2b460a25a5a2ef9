// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// How much one switch held at worst.
    static let switchOccupancy = Experiment(
        name: "switch-occupancy", title: "Worst-case occupancy of one switch",
        question: "How much buffer does Homa use at worst, in one switch with 40 hosts, by workload?",
        method: """
            40 hosts at 25 Gb/s on one SN2410 with 13.2 MB, requests with equally long responses, W2 to W5 at the \
            loads of the ATC 2021 paper (3.2, 14, 20 and 20 Gb/s per node), the kernel's settings of 2026 (40 KB \
            unscheduled, 400 KB incoming) and, beside them, those its notes name for 25 Gb/s (60 KB, 480 KB). The \
            most that the switch held from the end of the warm-up on. A longer run finds a higher maximum, so its \
            length is varied.
            """
    ) { laboratory in
        try OccupancyStudy.evaluate(&laboratory)
    }
}

private enum OccupancyStudy {
    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        let scale = laboratory.choose(quick: 1, full: 12)
        let lengths = ["w2": 200_000, "w3": 80_000, "w4": 30_000, "w5": 12_000]
        var rows: [(name: String, now: Outcome, notes: Outcome)] = []
        for (workload, load) in Setup.clusterLoads {
            let recipe = Setup.clusterRPC(workload, load: load, messages: lengths[workload, default: 10_000] * scale)
            let notes = recipe.with("transport.unscheduled_bytes", 60_000)
                .with("transport.maximum_incoming_bytes", 480_000)
            rows.append((workload, try laboratory.run(recipe), try laboratory.run(notes)))
        }
        var growth: [(Double, Double)] = []
        for messages in laboratory.choose(
            quick: [3_000, 10_000, 30_000], full: [3_000, 10_000, 30_000, 100_000, 360_000])
        {
            let outcome = try laboratory.run(Setup.clusterRPC("w4", load: 0.8, messages: messages))
            growth.append((Double(messages), outcome.switchBytes / 1e6))
        }
        var findings = Findings()
        findings.claims = claims(rows)
        findings.charts = charts(rows, growth)
        findings.tables = [table(rows)]
        if let law = PowerFit(growth) {
            findings.remarks.append(
                "W4's maximum grows with the \(readable(law.exponent))th power of the run's length: a maximum belongs "
                    + "to a length, and the published runs lasted seconds, ours milliseconds.")
        }
        return findings
    }

    private static func claims(_ rows: [(name: String, now: Outcome, notes: Outcome)]) -> [Claim] {
        let most = rows.map(\.now.switchBytes).max() ?? .nan
        let least = rows.map(\.now.switchBytes).min() ?? .nan
        let older = rows.map(\.notes.switchBytes).max() ?? .nan
        let time = rows.map(\.now.switchMicroseconds).max() ?? .nan
        let drops = rows.reduce(0) { $0 + $1.now.drops }
        let aside = "with 60 KB unscheduled and 480 KB incoming it is \(readable(older / 1e6)) MB"
        return [
            Claim(
                "Worst-case occupancy of the workload that uses least", source: Setup.seedBuffers,
                published: .number(246), ours: least / 1000, unit: "KB", tolerance: .factor(2),
                reason: "the run is shorter than the published one, and the maximum grows with its length"),
            Claim(
                "Worst-case occupancy of the workload that uses most", source: Setup.seedBuffers,
                published: .number(8.5), ours: most / 1e6, unit: "MB", tolerance: .factor(1.5), note: aside,
                reason: "the maximum grows with the run's length"),
            Claim(
                "The same in time of the switch's bandwidth", source: Setup.seedBuffers, published: .number(68),
                ours: time, unit: "µs", tolerance: .factor(1.5)),
            Claim(
                "Packets dropped for want of buffer with 13.2 MB", source: Setup.seedBuffers, published: .number(0),
                ours: drops, unit: "packets", tolerance: .atMost(1)),
            Claim(
                "Occupancy varies more than so many times over the workloads", source: Setup.seedBuffers,
                published: .number(3), ours: most / least, unit: "ratio", tolerance: .atLeast(1)),
        ]
    }

    private static func charts(
        _ rows: [(name: String, now: Outcome, notes: Outcome)], _ growth: [(Double, Double)]
    ) -> [Chart] {
        func series(_ name: String, _ figure: (Int) -> Double) -> Series {
            Series(name, marks: .points, rows.indices.map { .init(Double($0 + 2), figure($0)) })
        }
        return [
            Chart(
                "Most that the switch held", x: .workloads,
                y: Axis("occupancy", unit: "MB", logarithmic: true),
                series: [
                    series("40 KB unscheduled, 400 KB incoming") { rows[$0].now.switchBytes / 1e6 },
                    series("60 KB unscheduled, 480 KB incoming") { rows[$0].notes.switchBytes / 1e6 },
                ],
                levels: [.init(0.246, "published least: 246 KB"), .init(8.5, "published most: 8.5 MB")]),
            Chart(
                "W4's maximum by length of the run", x: Axis("measured requests", unit: "requests", logarithmic: true),
                y: Axis("occupancy", unit: "MB"), series: [Series("W4", growth.map { .init($0.0, $0.1) })],
                levels: [.init(8.5, "published most: 8.5 MB")]),
        ]
    }

    private static func table(_ rows: [(name: String, now: Outcome, notes: Outcome)]) -> DataTable {
        var table = DataTable(
            "By workload",
            [
                "workload", "most held (KB)", "most held (µs)", "longest queue to a host (KB)", "mean slowdown",
                "drops (packets)", "most held with 60/480 KB (KB)", "measured time (ms)",
            ])
        for row in rows {
            table.add(
                .text(row.name.uppercased()), .number(row.now.switchBytes / 1000), .number(row.now.switchMicroseconds),
                .number(row.now.queueBytes / 1000), .number(row.now.mean), .number(row.now.drops),
                .number(row.notes.switchBytes / 1000), .number(row.now("measured_seconds") * 1000))
        }
        return table
    }
}
