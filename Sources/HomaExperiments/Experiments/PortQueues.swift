// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// Queues per port in the fabric of 2018, and what was not measured then: their sum.
    static let portQueues = Experiment(
        name: "port-queues", title: "The longest queue of a port, and all ports together",
        question: """
            Do the longest queues of the 2018 simulations come out, and what did a whole switch hold, which was not \
            measured then?
            """,
        method: """
            144 hosts at 10 Gb/s, 80 % load, unlimited buffers; for each workload the longest queue by tier, and the \
            most that one leaf held in all its downlinks and in all its ports at the same moment. The quick form \
            leaves W1 and W5 out and permits a factor of 2 for its shorter runs, the full form 1.5.
            """
    ) { laboratory in
        try PortQueueStudy.evaluate(&laboratory)
    }
}

private enum PortQueueStudy {
    /// Longest queues in KB: from leaf to host, leaf to spine, spine to leaf.
    static let published: [(String, down: Double, up: Double, back: Double)] = [
        ("w1", 58.7, 21.1, 22.4), ("w2", 93.0, 30.0, 34.1), ("w3", 117.9, 50.3, 57.1), ("w4", 146.1, 82.7, 92.2),
        ("w5", 126.4, 93.6, 78.1),
    ]

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        let isQuick = laboratory.scale == .quick
        let short = ["w2": (200_000, 1.0), "w3": (150_000, 6), "w4": (8_000, 30)]
        var findings = Findings()
        var table = DataTable(
            "Longest queues and occupancy of a leaf",
            [
                "workload", "to a host, published (KB)", "to a host (KB)", "leaf to spine, published (KB)",
                "leaf to spine (KB)", "spine to leaf, published (KB)", "spine to leaf (KB)",
                "all downlinks of a leaf (KB)", "a whole leaf (KB)", "a whole leaf (µs)",
            ])
        for row in published where !isQuick || short[row.0] != nil {
            let outcome = try laboratory.run(
                Setup.sigcomm(
                    row.0, load: 0.8, messages: isQuick ? short[row.0]?.0 : nil,
                    warmUpMilliseconds: isQuick ? short[row.0]?.1 : nil))
            table.add(
                .text(row.0.uppercased()), .number(row.down), .number(outcome.queueBytes / 1000), .number(row.up),
                .number(outcome.tier("leaf_uplink", "queue.max_bytes") / 1000), .number(row.back),
                .number(outcome.tier("spine_downlink", "queue.max_bytes") / 1000),
                .number(outcome.switches("leaf", "downlinks.max_bytes") / 1000),
                .number(outcome.switches("leaf", "total.max_bytes") / 1000),
                .number(outcome.switches("leaf", "total.max_us")))
        }
        findings.claims = claims(table, .factor(laboratory.choose(quick: 2, full: 1.5)))
        findings.tables = [table]
        findings.charts = [chart(table)]
        return findings
    }

    private static func claims(_ table: DataTable, _ tolerance: Tolerance) -> [Claim] {
        func column(_ place: Int) -> [Double] { table.rows.map { number($0[place]) } }
        let down = column(2)
        let leaf = column(8)
        let sums = zip(column(7), down).map { $0 / (16 * $1) }
        var claims = table.rows.map { row in
            Claim(
                "Longest queue to a host under \(row[0].text)", source: Setup.sigcomm + ", table 1",
                published: row[1], ours: number(row[2]), unit: "KB", tolerance: tolerance,
                reason: "a maximum belongs to a run's length, which was not published")
        }
        claims += [
            Claim(
                "Longest queue of any port of the 2018 simulations", source: Setup.seedBuffers,
                published: .number(146), ours: down.max() ?? .nan, unit: "KB", tolerance: tolerance),
            Claim(
                "The longest queue varies more than so many times over the workloads", source: Setup.seedBuffers,
                published: .number(2), ours: (down.max() ?? .nan) / (down.min() ?? .nan), unit: "ratio",
                tolerance: .atLeast(0.75), note: "the quick form has no W1, whose queue is the shortest"),
            Claim(
                "What did all ports of one leaf hold together?", source: Setup.seedBuffers,
                ours: leaf.max() ?? .nan, unit: "KB",
                note: "all downlinks of a leaf never held more than \(readable((sums.max() ?? .nan) * 100)) % of "
                    + "sixteen times the longest queue"),
        ]
        return claims
    }

    private static func chart(_ table: DataTable) -> Chart {
        func series(_ name: String, _ place: Int) -> Series {
            Series(
                name, marks: .points,
                table.rows.map { row in
                    .init(Double(row[0].text.dropFirst()) ?? .nan, number(row[place]))
                })
        }
        return Chart(
            "Longest queues and what a whole leaf held", x: .workloads,
            y: Axis("bytes held", unit: "KB", logarithmic: true),
            series: [
                series("to a host, published", 1), series("to a host", 2), series("leaf to spine", 4),
                series("spine to leaf", 6), series("all downlinks of a leaf", 7), series("a whole leaf", 8),
            ])
    }
}
