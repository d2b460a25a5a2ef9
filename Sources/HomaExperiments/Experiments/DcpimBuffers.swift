// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// dcPIM's set-up, with Homa's memory cut as there and not cut.
    static let dcpimBuffers = Experiment(
        name: "dcpim-buffers", title: "dcPIM's set-up",
        question: """
            What do switches hold under dcPIM and under Homa, does Homa lose to dcPIM when its buffers are limited as \
            there, and does it when they are not?
            """,
        method: """
            144 hosts at 100 Gb/s, 0.65 µs per link, 500 KB for each port, IMC10's messages, dcPIM with its paper's \
            parameters and frames; Homa with one bandwidth-delay product (72 500 bytes) unscheduled and granted per \
            message, with unlimited memory, with 500 KB for each port, with the same in one pool and under a dynamic \
            threshold; Homa with Aeolus with 500 KB for each port. The most that any switch held, and slowdowns.
            """
    ) { laboratory in
        try DcpimStudy.evaluate(&laboratory)
    }
}

private enum DcpimStudy {
    static let dcpim = "dcPIM, SIGCOMM 2022"
    static let repository = "dcPIM's repository, buffer data of IMC10"
    /// Most held per switch in KB, by load: dcPIM and "Homa unlimit".
    static let published: [(load: Double, dcpim: Double, homa: Double)] = [
        (0.5, 188, 1745), (0.6, 203, 2572), (0.7, 270, 3499), (0.8, 273, 5226),
    ]

    enum Subject: String, CaseIterable {
        case dcpim = "dcPIM, 500 KB per port"
        case unlimited = "Homa, unlimited"
        case perPort = "Homa, 500 KB per port"
        case shared = "Homa, the same, shared"
        case dynamic = "Homa, the same, dynamic threshold"
        case aeolus = "Homa with Aeolus, 500 KB per port"
    }

    static func recipe(_ subject: Subject, _ workload: String, load: Double, messages: Int) -> Recipe {
        var recipe = Recipe(
            #"{"topology": {"preset": "fabric-100g"}, "length": {"warm_up_ms": 1.5, "drain_ms": 500}}"#
        ).with("workload", workload).with("load", load).with("messages", messages).with("traffic.mode", "rpc")
            .with("traffic.response_bytes", 1)
        let policy =
            switch subject {
            case .dcpim, .perPort, .aeolus: "per-port"
            case .unlimited: "unlimited"
            case .shared: "shared"
            case .dynamic: "dynamic"
            }
        for (kind, ports) in [("leaf", 20), ("spine", 9)] {
            recipe = recipe.with("topology.\(kind).buffer", policy)
            if subject != .unlimited { recipe = recipe.with("topology.\(kind).buffer_bytes", ports * 500_000) }
        }
        guard subject != .dcpim else {
            return recipe.with("transport", "dcpim").with("transport.frames", "sigcomm2022")
        }
        return recipe.with("transport.kind", subject == .aeolus ? "aeolus" : "homa")
            .with("transport.preset", "sigcomm2018").with("transport.unscheduled_bytes", 72_500)
            .with("transport.window_bytes", 72_500).with("transport.resend_after_us", 1_000)
            .with("transport.resend_interval_limit_us", 1_000).with("transport.timeout_us", 10_000_000)
    }

    struct Row {
        var subject: Subject
        var workload: String
        var load: Double
        var outcome: Outcome
    }

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        var rows: [Row] = []
        func add(_ subject: Subject, _ workload: String, _ load: Double, _ messages: Int) throws {
            let outcome = try laboratory.run(recipe(subject, workload, load: load, messages: messages))
            rows.append(Row(subject: subject, workload: workload, load: load, outcome: outcome))
        }
        let isQuick = laboratory.scale == .quick
        for load in laboratory.choose(quick: [0.6, 0.8], full: [0.5, 0.6, 0.7, 0.8]) {
            for subject in Subject.allCases {
                // All of them at the load that slowdowns were published for.
                guard load == 0.6 || subject != .perPort && subject != .shared && subject != .dynamic else { continue }
                try add(subject, "imc10", load, isQuick ? 3_000 : length(subject, load))
            }
        }
        for (workload, messages) in [("websearch", 8_000), ("datamining", 4_000)] where laboratory.scale == .full {
            for subject in [Subject.dcpim, .aeolus] {
                try add(subject, workload, 0.6, messages)
            }
        }
        return findings(rows)
    }

    /// Messages of a full run. dcPIM's slowdowns at 80 % grow with the length until about 200 000.
    private static func length(_ subject: Subject, _ load: Double) -> Int {
        load == 0.6 ? 120_000 : load == 0.8 && subject == .dcpim ? 200_000 : 40_000
    }

    private static func findings(_ rows: [Row]) -> Findings {
        func outcome(_ subject: Subject, _ load: Double, _ workload: String = "imc10") -> Outcome {
            rows.first { $0.subject == subject && $0.load == load && $0.workload == workload }?.outcome ?? Outcome(nil)
        }
        var findings = Findings()
        for figure in published where rows.contains(where: { $0.load == figure.load }) {
            for (subject, kilobytes) in [(Subject.dcpim, figure.dcpim), (.unlimited, figure.homa)] {
                findings.claims.append(
                    Claim(
                        "Most held by a switch at \(readable(figure.load * 100)) % load, \(subject.rawValue)",
                        source: repository, published: .number(kilobytes),
                        ours: outcome(subject, figure.load).switchBytes / 1000, unit: "KB", tolerance: .factor(2),
                        reason: "a maximum belongs to a run's length, which was not published; the settings of Homa "
                            + "there are not documented"))
            }
        }
        findings.claims += slowdowns.filter { slowdown in rows.contains { $0.workload == slowdown.workload } }
            .flatMap { claims($0, outcome) }
        findings.claims.append(answer(rows.filter { $0.load == 0.6 && $0.workload == "imc10" }))
        findings.charts = [chart(rows.filter { $0.workload == "imc10" })]
        findings.tables = [table(rows)]
        return findings
    }

    /// Published slowdowns: mean and 99th percentile of dcPIM and of Homa with Aeolus.
    private static let slowdowns: [Slowdown] = [
        Slowdown(workload: "imc10", load: 0.6, dcpim: (1.52, 7.1), aeolus: (2.70, 7.1)),
        Slowdown(workload: "imc10", load: 0.8, dcpim: (1.97, 17.7), aeolus: (3.42, 14.4)),
        Slowdown(workload: "websearch", load: 0.6, dcpim: (1.97, 8.2), aeolus: (2.21, 6.2)),
        Slowdown(workload: "datamining", load: 0.6, dcpim: (1.28, 5.0), aeolus: (2.32, 3.1)),
    ]

    struct Slowdown {
        var workload: String
        var load: Double
        var dcpim: (mean: Double, p99: Double)
        var aeolus: (mean: Double, p99: Double)
    }

    private static func claims(_ slowdown: Slowdown, _ outcome: (Subject, Double, String) -> Outcome) -> [Claim] {
        let place = "\(readable(slowdown.load * 100)) %, \(slowdown.workload)"
        let dcpim = outcome(.dcpim, slowdown.load, slowdown.workload)
        var claims = [
            Claim(
                "Mean slowdown of dcPIM at \(place)", source: Self.dcpim, published: .number(slowdown.dcpim.mean),
                ours: dcpim.mean, unit: "ratio", tolerance: .share(0.25)),
            Claim(
                "p99 slowdown of dcPIM at \(place)", source: Self.dcpim, published: .number(slowdown.dcpim.p99),
                ours: dcpim.p99, unit: "ratio", tolerance: .factor(1.5),
                reason: "it grows with the length of the run until about 200 000 messages"),
        ]
        let aeolus = outcome(.aeolus, slowdown.load, slowdown.workload)
        claims.append(
            Claim(
                "Mean slowdown of Homa with Aeolus at \(place)", source: Self.dcpim,
                published: .number(slowdown.aeolus.mean), ours: aeolus.mean, unit: "ratio", tolerance: .share(0.3),
                note: "p99 \(readable(aeolus.p99)), published \(readable(slowdown.aeolus.p99))",
                reason: "the settings and timers that Homa had there are not given"))
        return claims
    }

    private static func answer(_ rows: [Row]) -> Claim {
        let told = rows.map { row in
            let outcome = row.outcome
            return "\(row.subject.rawValue): mean \(readable(outcome.mean)), p99 \(readable(outcome.p99)), "
                + "\(readable(outcome.drops)) drops"
        }
        return Claim(
            question: "Is Homa slower than dcPIM, and because of its memory?", source: Setup.seedBuffers,
            answer: rows.allSatisfy { $0.outcome.isReady } ? told.joined(separator: "; ") : "",
            note: "IMC10 at 60 % load, as published")
    }

    private static func chart(_ rows: [Row]) -> Chart {
        func series(_ subject: Subject) -> Series {
            Series(
                subject.rawValue,
                rows.filter { $0.subject == subject }.map { .init($0.load, $0.outcome.switchBytes / 1000) })
        }
        return Chart(
            "Most held by any switch, IMC10", x: Axis("load", unit: "share of the links"),
            y: Axis("occupancy", unit: "KB", logarithmic: true),
            series: [
                series(.dcpim), Series("dcPIM, published", marks: .points, published.map { .init($0.load, $0.dcpim) }),
                series(.unlimited),
                Series("Homa unlimited, published", marks: .points, published.map { .init($0.load, $0.homa) }),
            ])
    }

    private static func table(_ rows: [Row]) -> DataTable {
        var table = DataTable(
            "By transport, memory and load",
            [
                "transport and memory", "workload", "load (share)", "most held by a switch (KB)", "mean slowdown",
                "p99 slowdown",
                "drops (packets)", "incomplete (%)",
            ])
        for row in rows {
            table.add(
                .text(row.subject.rawValue), .text(row.workload), .number(row.load),
                .number(row.outcome.switchBytes / 1000),
                .number(row.outcome.mean), .number(row.outcome.p99), .number(row.outcome.drops),
                .number(row.outcome.incompleteShare * 100))
        }
        return table
    }
}
