// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// How a receive region may be cut.
    static let bufferStructures = Experiment(
        name: "buffer-structures", title: "Whole-message buffers, packet buffers, or bpages",
        question: """
            What do an array of 1 MB message buffers, an array of packet buffers and bpages cost in memory and in book \
            keeping?
            """,
        method: """
            A model of one receiving host at 25 Gb/s over the library's own pool of bpages: messages arrive at random \
            at 80 % load and are held by the application for 100 µs; W1 to W5, and a burst of 20 000 messages of 100 \
            bytes at once. A region of 256 MB. Memory that was ever written to, in pages of 4 KB; memory taken over \
            bytes of messages at the fullest moment; pieces that a message lies in.
            """
    ) { laboratory in
        try StructureStudy.evaluate(&laboratory)
    }
}

private enum StructureStudy {
    typealias Structure = ReceiverModel.Structure

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        let messages = laboratory.choose(quick: 10_000, full: 200_000)
        var rows: [(load: String, structure: Structure, outcome: Outcome)] = []
        for workload in ["w1", "w2", "w3", "w4", "w5", "burst"] {
            for structure in Structure.allCases {
                var model = ReceiverModel()
                model.workload = workload == "burst" ? "100" : workload
                model.isBurst = workload == "burst"
                model.messages = model.isBurst ? 20_000 : messages
                model.structure = structure
                model.regionBytes = 256 << 20
                model.holdMicroseconds = 100
                rows.append((workload, structure, laboratory.run(model)))
            }
        }
        var idle = ReceiverModel()
        idle.workload = "w1"
        idle.load = 0.05
        idle.messages = messages
        let simplest = laboratory.run(idle)
        return findings(rows, simplest)
    }

    private static func findings(
        _ rows: [(load: String, structure: Structure, outcome: Outcome)], _ simplest: Outcome
    ) -> Findings {
        func figure(_ load: String, _ structure: Structure, _ path: String) -> Double {
            rows.first { $0.load == load && $0.structure == structure }?.outcome(path) ?? .nan
        }
        let burst = figure("burst", .messageBuffers, "touched_bytes") / figure("burst", .bpages, "touched_bytes")
        let waited = figure("burst", .messageBuffers, "waited_share")
        var findings = Findings()
        findings.claims = [
            Claim(
                "Memory inefficient in a big burst of small messages: 1 MB buffers over bpages, memory taken",
                source: Setup.seedRegions, published: .number(10),
                ours: figure("burst", .messageBuffers, "high_water_bytes")
                    / figure("burst", .bpages, "high_water_bytes"),
                unit: "ratio", tolerance: .atLeast(1),
                note: "the talk gives no number, ten times counts as inefficient; memory written to: "
                    + "\(readable(burst)) times; \(readable(waited * 100)) % of the messages had to wait for one of "
                    + "the "
                    + "268 buffers"),
            Claim(
                "High overhead for metadata: pieces per message of packet buffers over bpages, W5",
                source: Setup.seedRegions, published: .number(10),
                ours: figure("w5", .packetBuffers, "pieces_per_message") / figure("w5", .bpages, "pieces_per_message"),
                unit: "ratio", tolerance: .atLeast(1), note: "the talk gives no number, ten times counts as high"),
            Claim(
                "Most chunks of a message in bpages", source: Setup.seedRegions, published: .number(16),
                ours: rows.filter { $0.structure == .bpages }.map { $0.outcome("pieces_most") }.max() ?? .nan,
                unit: "pieces", tolerance: .atMost(1)),
            Claim(
                "Simplest case: only 2 bpages used", source: Setup.seedRegions, published: .number(2),
                ours: simplest("high_water_bytes") / 65_536, unit: "bpages", tolerance: .atMost(1),
                note: "W1 at 5 % load, messages returned at once"),
            Claim(
                "Bpages are memory efficient: taken over bytes of messages at the fullest moment, worst workload",
                source: Setup.seedRegions, published: .number(2),
                ours: ["w3", "w4", "w5", "burst"].map { figure($0, .bpages, "held_over_live") }.max() ?? .nan,
                unit: "ratio", tolerance: .atMost(1),
                note: "the talk gives no number; W1 and W2 hold less than two bpages at a time and are left out"),
        ]
        findings.charts = charts(rows)
        findings.tables = [table(rows)]
        return findings
    }

    private static func charts(_ rows: [(load: String, structure: Structure, outcome: Outcome)]) -> [Chart] {
        func chart(_ title: String, _ axis: Axis, _ figure: (Outcome) -> Double) -> Chart {
            Chart(
                title, x: Axis("workload", categories: ["W1", "W2", "W3", "W4", "W5", "burst"]), y: axis,
                series: Structure.allCases.map { structure in
                    Series(
                        structure.rawValue, marks: .points,
                        rows.filter { $0.structure == structure }.enumerated().map {
                            .init(Double($0.offset + 1), figure($0.element.outcome))
                        })
                })
        }
        return [
            chart("Memory ever written to", Axis("memory", unit: "MB", logarithmic: true)) {
                $0("touched_bytes") / 1e6
            },
            chart("Pieces that a message lies in", Axis("pieces", unit: "pieces per message", logarithmic: true)) {
                $0("pieces_per_message")
            },
        ]
    }

    private static func table(_ rows: [(load: String, structure: Structure, outcome: Outcome)]) -> DataTable {
        var table = DataTable(
            "Structures by workload",
            [
                "workload", "structure", "memory written to (MB)", "most taken (MB)", "taken over message bytes",
                "pieces per message", "most pieces", "pieces taken per second", "messages that waited (%)",
                "mean slowdown",
            ])
        for row in rows {
            table.add(
                .text(row.load), .text(row.structure.rawValue), .number(row.outcome("touched_bytes") / 1e6),
                .number(row.outcome("high_water_bytes") / 1e6), .number(row.outcome("held_over_live")),
                .number(row.outcome("pieces_per_message")), .number(row.outcome("pieces_most")),
                .number(row.outcome("pieces_per_second")), .number(row.outcome("waited_share") * 100),
                .number(row.outcome.mean))
        }
        return table
    }
}
