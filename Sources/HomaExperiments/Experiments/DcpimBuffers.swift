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

        var exists: Bool { self != .aeolus || Rival.exists("aeolus") }
    }

    static func recipe(_ subject: Subject, load: Double, messages: Int) -> Recipe {
        var recipe = Recipe(
            #"{"topology": {"preset": "fabric-100g"}, "length": {"warm_up_ms": 1.5, "drain_ms": 500}}"#
        ).with("workload", "imc10").with("load", load).with("messages", messages)
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
        var load: Double
        var outcome: Outcome
    }

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        guard Rival.exists("dcpim") else { return Findings() }
        let messages = laboratory.choose(quick: 3_000, full: 50_000)
        var rows: [Row] = []
        for load in laboratory.choose(quick: [0.6, 0.8], full: [0.5, 0.6, 0.7, 0.8]) {
            for subject in Subject.allCases where subject.exists {
                // All of them at the load that slowdowns were published for.
                guard load == 0.6 || subject == .dcpim || subject == .unlimited else { continue }
                let outcome = try laboratory.run(recipe(subject, load: load, messages: messages))
                rows.append(Row(subject: subject, load: load, outcome: outcome))
            }
        }
        return findings(rows)
    }

    private static func findings(_ rows: [Row]) -> Findings {
        func outcome(_ subject: Subject, _ load: Double) -> Outcome {
            rows.first { $0.subject == subject && $0.load == load }?.outcome ?? Outcome(nil)
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
        findings.claims += slowdowns(outcome)
        findings.charts = [chart(rows)]
        findings.tables = [table(rows)]
        return findings
    }

    private static func slowdowns(_ outcome: (Subject, Double) -> Outcome) -> [Claim] {
        let dcpim = outcome(.dcpim, 0.6)
        let told = Subject.allCases.filter { $0 != .dcpim && $0.exists }.map { subject in
            let one = outcome(subject, 0.6)
            return
                "\(subject.rawValue): mean \(readable(one.mean)), p99 \(readable(one.p99)), \(readable(one.drops)) "
                + "drops"
        }
        var claims = [
            Claim(
                "Mean slowdown of dcPIM at 60 %, IMC10", source: Self.dcpim, published: .number(1.52), ours: dcpim.mean,
                unit: "ratio", tolerance: .share(0.25))
        ]
        if Subject.aeolus.exists {
            claims.append(
                Claim(
                    "Mean slowdown of Homa with Aeolus at 60 %, IMC10", source: Self.dcpim, published: .number(2.7),
                    ours: outcome(.aeolus, 0.6).mean, unit: "ratio", tolerance: .share(0.3),
                    reason: "that Homa had Aeolus's settings and timers, which are not given"))
        }
        claims.append(
            Claim(
                question: "Is Homa slower than dcPIM, and because of its memory?", source: Setup.seedBuffers,
                answer: dcpim.isReady
                    ? "dcPIM: mean \(readable(dcpim.mean)), p99 \(readable(dcpim.p99)), \(readable(dcpim.drops)) "
                        + "drops; "
                        + told.joined(separator: "; ") : "", note: "at 60 % load, as published"))
        return claims
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
                "transport and memory", "load (share)", "most held by a switch (KB)", "mean slowdown", "p99 slowdown",
                "drops (packets)", "incomplete (%)",
            ])
        for row in rows {
            table.add(
                .text(row.subject.rawValue), .number(row.load), .number(row.outcome.switchBytes / 1000),
                .number(row.outcome.mean), .number(row.outcome.p99), .number(row.outcome.drops),
                .number(row.outcome.incompleteShare * 100))
        }
        return table
    }
}
