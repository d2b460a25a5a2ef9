// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// What decides how much buffer Homa uses: each factor alone, and the main pairs.
    static let bufferFactors = Experiment(
        name: "buffer-factors", title: "What drives buffer usage",
        question: """
            How does the occupancy of a switch depend on unscheduled bytes, overcommitment, link speed, utilisation, \
            round-trip time and workload?
            """,
        method: """
            40 hosts at 25 Gb/s, W4 at 80 % load, the kernel's settings, no limit of memory; one factor at a time, \
            then pairs. What is held at most by the switch is fitted: a straight line or a power law for each factor, \
            one relation for unscheduled bytes, granted bytes and load together. With link speed and round-trip time, \
            unscheduled and granted bytes grow in proportion, as the bandwidth-delay product does, or else stay.
            """
    ) { laboratory in
        try FactorStudy.evaluate(&laboratory)
    }
}

private enum FactorStudy {
    /// Round-trip time of a packet of 100 bytes on the cluster beside twice both hosts' software: card, links, switch.
    private static let fixedRoundTrip = 2.1
    private static let hostDelay = 3.15
    private static let roundTrip = 4 * hostDelay + fixedRoundTrip

    struct Sample {
        var x: Double
        var outcome: Outcome
        var microseconds: Double { outcome.switchMicroseconds }
    }

    struct Factor {
        var name: String
        var axis: Axis
        var samples: [Sample]
    }

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        let messages = laboratory.choose(quick: 12_000, full: 200_000)
        let base = Setup.cluster("w4", load: 0.8, messages: messages).unlimited()
        var factors: [Factor] = []
        func vary(_ name: String, _ axis: Axis, _ values: [Double], _ change: (Double) -> Recipe) throws {
            let samples = try values.map { Sample(x: $0, outcome: try laboratory.run(change($0))) }
            factors.append(Factor(name: name, axis: axis, samples: samples))
        }
        try vary("unscheduled bytes", Axis("unscheduled bytes", unit: "KB"), [10, 20, 40, 80, 120]) {
            base.with("transport.unscheduled_bytes", Int($0 * 1000))
        }
        try vary("overcommitment", Axis("messages granted to at once", unit: "messages"), [1, 2, 4, 8, 16]) {
            base.with("transport.overcommitment", Int($0))
        }
        try vary("granted bytes", Axis("most bytes granted and not received", unit: "KB"), [100, 200, 400, 800, 1600]) {
            base.with("transport.maximum_incoming_bytes", Int($0 * 1000))
        }
        try vary("load", Axis("load", unit: "share of the link"), [0.3, 0.5, 0.6, 0.7, 0.8, 0.9]) {
            base.with("load", $0)
        }
        let rates = [10.0, 25, 50, 100]
        try vary("link speed, settings in proportion", Axis("link speed", unit: "Gb/s"), rates) {
            scaled(base.with("topology.host_gbps", $0), by: $0 / 25)
        }
        try vary("link speed alone", Axis("link speed", unit: "Gb/s"), rates) { base.with("topology.host_gbps", $0) }
        let delays = [0.5, 1.5, 3.15, 6, 12]
        try vary("round-trip time, settings in proportion", Axis("round-trip time", unit: "µs"), delays.map(time)) {
            scaled(slow(base, $0), by: $0 / roundTrip)
        }
        try vary("round-trip time alone", Axis("round-trip time", unit: "µs"), delays.map(time)) { slow(base, $0) }
        try vary("workload", .workloads, [2, 3, 4, 5]) {
            base.with("workload", "w\(Int($0))")
        }
        let pairs = try pairs(base, &laboratory)
        let trends = try TrendStudy(&laboratory)
        return findings(factors, pairs, trends)
    }

    private static func time(_ delay: Double) -> Double { rounded(4 * delay + fixedRoundTrip, digits: 6) }

    private static func slow(_ recipe: Recipe, _ roundTrip: Double) -> Recipe {
        let delay = ((roundTrip - fixedRoundTrip) / 4 * 1000).rounded()
        return recipe.with("topology.host_send_delay_ns", Int(delay)).with("topology.host_receive_delay_ns", Int(delay))
    }

    private static func scaled(_ recipe: Recipe, by factor: Double) -> Recipe {
        recipe.with("transport.unscheduled_bytes", Int((40_000 * factor).rounded()))
            .with("transport.maximum_incoming_bytes", Int((400_000 * factor).rounded()))
    }

    // MARK: Pairs

    struct Pair {
        var unscheduled: Double
        var incoming: Double
        var load: Double
        var outcome: Outcome
    }

    private static func pairs(_ base: Recipe, _ laboratory: inout Laboratory) throws -> [Pair] {
        var pairs: [Pair] = []
        for load in laboratory.choose(quick: [0.5, 0.8], full: [0.5, 0.6, 0.7, 0.8, 0.9]) {
            for unscheduled in laboratory.choose(quick: [10.0, 40, 120], full: [10, 20, 40, 80, 120]) {
                for incoming in laboratory.choose(quick: [100.0, 400], full: [100, 200, 400, 800]) {
                    let recipe = base.with("load", load).with("transport.unscheduled_bytes", Int(unscheduled * 1000))
                        .with("transport.maximum_incoming_bytes", Int(incoming * 1000))
                    pairs.append(
                        Pair(
                            unscheduled: unscheduled, incoming: incoming, load: load,
                            outcome: try laboratory.run(recipe)))
                }
            }
        }
        return pairs
    }

    // MARK: Findings

    private static func findings(_ factors: [Factor], _ pairs: [Pair], _ trends: TrendStudy) -> Findings {
        var findings = Findings()
        findings.claims = trends.claims + factors.map(answer) + [together(pairs)]
        findings.charts = factors.map { factor in
            Chart(
                "Most held by the switch: \(factor.name)", x: factor.axis, y: Axis("occupancy", unit: "µs"),
                series: [
                    Series("most held", factor.samples.map { .init($0.x, $0.microseconds) })
                ])
        }
        var table = DataTable(
            "Each factor alone",
            [
                "factor", "value", "most held (KB)", "most held (µs)", "mean slowdown", "p99 of median messages",
                "downlink utilisation (share)",
            ])
        for factor in factors {
            for sample in factor.samples {
                let outcome = sample.outcome
                table.add(
                    .text(factor.name), .number(sample.x), .number(outcome.switchBytes / 1000),
                    .number(outcome.switchMicroseconds), .number(outcome.mean), .number(outcome.shortP99),
                    .number(outcome.tier("host_downlink", "utilisation")))
            }
        }
        var grid = DataTable(
            "Pairs",
            ["load (share)", "unscheduled (KB)", "granted (KB)", "most held (KB)", "most held (µs)", "mean slowdown"])
        for pair in pairs {
            grid.add(
                .number(pair.load), .number(pair.unscheduled), .number(pair.incoming),
                .number(pair.outcome.switchBytes / 1000), .number(pair.outcome.switchMicroseconds),
                .number(pair.outcome.mean))
        }
        findings.tables = [table, grid, trends.table, trends.speedTable]
        return findings
    }

    /// The fitted relation of one factor, with its error in µs and bytes.
    private static func answer(_ factor: Factor) -> Claim {
        let line = LinearFit(factor.samples.map { (x: [$0.x], y: $0.microseconds) })
        let law = PowerFit(factor.samples.map { ($0.x, $0.microseconds) })
        let bytes = LinearFit(factor.samples.map { (x: [$0.x], y: $0.outcome.switchBytes / 1000) })
        var text = ""
        if let line, let bytes, factor.name != "workload" {
            text = """
                \(readable(line.coefficients[0])) µs \(signed(line.coefficients[1])) µs per \(factor.axis.unit) (± \
                \(readable(line.error)) µs; ± \(readable(bytes.error)) KB)
                """
            if let law {
                text += ", or the \(readable(law.exponent))th power (± \(readable(law.relativeError * 100)) %)"
            }
        } else if let most = factor.samples.map(\.microseconds).max(),
            let least = factor.samples.map(\.microseconds).min(),
            most.isFinite, least.isFinite
        {
            text = "from \(readable(least)) to \(readable(most)) µs"
        }
        return Claim(
            question: "How does the most that is held depend on \(factor.name)?", source: Setup.seedBuffers,
            answer: text, note: "one factor varied, the others as in the method")
    }

    private static func together(_ pairs: [Pair]) -> Claim {
        let time = LinearFit(
            pairs.map { (x: [$0.unscheduled, $0.incoming, $0.load * 100], y: $0.outcome.switchMicroseconds) })
        let bytes = LinearFit(
            pairs.map { (x: [$0.unscheduled, $0.incoming, $0.load * 100], y: $0.outcome.switchBytes / 1000) })
        var text = ""
        if let time, let bytes {
            let c = time.coefficients
            text = """
                \(readable(c[0])) µs \(signed(c[1])) µs per KB unscheduled \(signed(c[2])) µs per KB granted \
                \(signed(c[3])) µs per % of load (± \(readable(time.error)) µs; ± \(readable(bytes.error)) KB; \
                explains \(readable(time.determination * 100)) %)
                """
        }
        return Claim(
            question: "What relation of unscheduled bytes, granted bytes and load gives the most that is held?",
            source: Setup.seedBuffers, answer: text, note: "fitted to all pairs")
    }

    private static func signed(_ value: Double) -> String {
        value < 0 ? "− \(readable(-value))" : "+ \(readable(value))"
    }
}
