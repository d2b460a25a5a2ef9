// SPDX-License-Identifier: Apache-2.0

import HomaScenarios

extension Experiment {
    /// What can be done where buffers are short, and what it costs.
    static let lessBuffer = Experiment(
        name: "less-buffer", title: "What to do if it does not fit",
        question: """
            How much buffer do less overcommitment, fewer unscheduled or granted bytes, limits of unscheduled bytes \
            that adapt, wholly scheduled messages and idle ports save, and how much latency and throughput do they cost?
            """,
        method: """
            40 hosts at 25 Gb/s, W4, the kernel's settings with one or more of them changed. Each setting twice: at \
            80 % load for what the switch held at most and for slowdowns, and with eight messages of each sender \
            always under way for the throughput that the network can give. Without limit of memory. Recommended is \
            the setting that holds least among those whose mean slowdown and short messages' 99th percentile are at \
            most 10 % and whose throughput is at most 2 % worse than the kernel's. All that traffic arrives at random. \
            So a second one, for unscheduled bytes: 39 hosts send to one at the same moments, a fifth of the messages \
            1 KB and the others 100 KB long, with pauses of one and of nineteen times what a round takes.
            """
    ) { laboratory in
        try LessBufferStudy.evaluate(&laboratory)
    }
}

enum LessBufferStudy {
    struct Setting {
        var name: String
        var family: String
        var changes: [(String, JSONValue)]
        var load = Outcome(nil)
        var full = Outcome(nil)

        var microseconds: Double { load.switchMicroseconds }
        var throughput: Double { full.tier("host_downlink", "utilisation") }

        init(_ family: String, _ name: String, _ changes: [(String, Int)], adapts: Bool = false) {
            self.family = family
            self.name = name
            self.changes = changes.map { ($0.0, .integer($0.1)) }
            if adapts { self.changes.append(("transport.adapts_unscheduled", .bool(true))) }
        }
    }

    private static let unscheduled = "transport.unscheduled_bytes"
    private static let granted = "transport.maximum_incoming_bytes"
    private static let adaptive = "adaptive limits"
    private static let overcommitment = "transport.overcommitment"

    private static var settings: [Setting] {
        var all = [Setting("kernel", "kernel's", [])]
        for count in [1, 2, 3, 4, 6] {
            all.append(Setting("overcommitment", "\(count) messages", [(overcommitment, count)]))
        }
        for count in [1, 2, 4] {
            all.append(
                Setting(
                    "window of one round trip", "\(count) messages",
                    [(overcommitment, count), ("transport.window_bytes", 50_000)]))
        }
        for bytes in [50, 100, 150, 200, 300] {
            all.append(Setting("granted bytes", "\(bytes) KB granted", [(granted, bytes * 1000)]))
        }
        for bytes in [9, 18, 27, 60] {
            all.append(Setting("unscheduled bytes", "\(bytes) KB unscheduled", [(unscheduled, bytes * 1000)]))
        }
        all.append(Setting("wholly scheduled", "1 KB unscheduled", [(unscheduled, 1_000)]))
        all.append(Setting(adaptive, "adaptive unscheduled", [], adapts: true))
        for bytes in [100, 150, 200] {
            all.append(
                Setting(adaptive, "adaptive, \(bytes) KB granted", [(granted, bytes * 1000)], adapts: true))
        }
        for (first, second) in [(18, 100), (18, 150), (27, 100), (27, 150), (27, 200), (9, 100), (40, 120)] {
            all.append(
                Setting(
                    "both", "\(first) KB unscheduled, \(second) KB granted",
                    [(unscheduled, first * 1000), (granted, second * 1000)]))
        }
        return all
    }

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        let messages = laboratory.choose(quick: 12_000, full: 200_000)
        let base = Setup.cluster("w4", load: 0.8, messages: messages).unlimited()
        func run(_ base: Recipe, _ setting: Setting) throws -> Setting {
            var setting = setting
            let recipe = setting.changes.reduce(base) { $0.with($1.0, $1.1) }
            setting.load = try laboratory.run(recipe)
            setting.full = try laboratory.run(recipe.with("traffic.arrivals", "closed").with("traffic.outstanding", 8))
            return setting
        }
        var done = try settings.map { try run(base, $0) }
        done.append(
            try run(
                base.with("transport.counts_unscheduled_incoming", true),
                Setting("incast control", "unscheduled bytes counted", [])))
        done.append(
            try run(base.with("transport.preset", "small-buffers"), Setting("preset", "small-buffers", [])))
        var idle: [(ports: Double, outcome: Outcome)] = []
        for ports in [40, 30, 20, 10] {
            let outcome = try laboratory.run(base.with("traffic.active_hosts", ports))
            idle.append((Double(ports), outcome))
        }
        return findings(done, idle, try SynchronisedSenders.rows(&laboratory))
    }

    private static func recommended(_ done: [Setting]) -> Setting? {
        let base = done[0]
        return done.filter {
            $0.load.mean <= 1.1 * base.load.mean && $0.load.shortP99 <= 1.1 * base.load.shortP99
                && $0.throughput >= base.throughput - 0.02
        }.min { $0.microseconds < $1.microseconds }
    }

    private static func findings(
        _ done: [Setting], _ idle: [(ports: Double, outcome: Outcome)], _ together: [SynchronisedSenders.Row]
    ) -> Findings {
        let base = done[0]
        var findings = Findings()
        findings.claims =
            claims(done) + SynchronisedSenders.claims(together) + [recommendation(done), idleClaim(idle)]
        var families: [String] = []
        for setting in done where !families.contains(setting.family) { families.append(setting.family) }
        func chart(_ title: String, _ axis: Axis, greaterIsBetter: Bool = false, _ figure: (Setting) -> Double)
            -> Chart
        {
            let best = front(done.map { (setting: $0, y: figure($0)) }, greaterIsBetter: greaterIsBetter) {
                $0.microseconds
            }
            return Chart(
                title, x: Axis("most held by the switch", unit: "µs"), y: axis,
                series: [Series("none is better in both", best.map { .init($0.setting.microseconds, $0.y) })]
                    + families.map { family in
                        Series(
                            family, marks: .points,
                            done.filter { $0.family == family }.map {
                                .init($0.microseconds, figure($0), family == "preset" ? $0.name : "")
                            })
                    })
        }
        findings.charts = [
            chart("Buffer against short messages", Axis("p99 slowdown of median messages", unit: "ratio")) {
                $0.load.shortP99
            },
            chart("Buffer against all messages", Axis("mean slowdown", unit: "ratio", logarithmic: true)) {
                $0.load.mean
            },
            chart("Buffer against throughput", Axis("throughput", unit: "share of the links"), greaterIsBetter: true) {
                $0.throughput
            },
            SynchronisedSenders.chart(together),
        ]
        var table = DataTable(
            "Settings",
            [
                "lever", "setting", "most held (µs)", "saved (%)", "mean slowdown", "p99 slowdown",
                "p99 of median messages", "throughput (share)",
            ])
        for setting in done {
            table.add(
                .text(setting.family), .text(setting.name), .number(setting.microseconds),
                .number((1 - setting.microseconds / base.microseconds) * 100), .number(setting.load.mean),
                .number(setting.load.p99), .number(setting.load.shortP99), .number(setting.throughput))
        }
        var ports = DataTable(
            "Idle ports", ["ports in use of 40", "most held (MB)", "13.2 MB are (µs) of those in use"])
        for row in idle {
            ports.add(
                .number(row.ports), .number(row.outcome.switchBytes / 1e6), .number(13.2e6 * 8 / (row.ports * 25e3)))
        }
        findings.tables = [table, SynchronisedSenders.table(together), ports]
        return findings
    }

    /// The Pareto front: settings that no other one beats in buffer without being worse in the other figure, by buffer.
    static func front<T>(
        _ all: [(setting: T, y: Double)], greaterIsBetter: Bool, buffer: (T) -> Double
    ) -> [(setting: T, y: Double)] {
        var best: [(setting: T, y: Double)] = []
        for one in all.filter(\.y.isFinite).sorted(by: { buffer($0.setting) < buffer($1.setting) }) {
            if let last = best.last, greaterIsBetter ? one.y <= last.y : one.y >= last.y { continue }
            best.append(one)
        }
        return best
    }

    private static func claims(_ done: [Setting]) -> [Claim] {
        let base = done[0]
        let levers = [
            "overcommitment", "granted bytes", "unscheduled bytes", adaptive, "wholly scheduled", "incast control",
            "preset",
        ]
        return levers.compactMap { family in
            let mine = done.filter { $0.family == family && $0.load.isReady }
            guard !mine.isEmpty else { return nil }
            let answers = mine.map { setting in
                let saved = (1 - setting.microseconds / base.microseconds) * 100
                let slower = (setting.load.mean / base.load.mean - 1) * 100
                let lost = (base.throughput - setting.throughput) / base.throughput * 100
                return "\(setting.name): \(readable(saved)) % less held, mean slowdown \(plus(slower)) %, throughput "
                    + "\(plus(-lost)) %"
            }
            let what =
                switch family {
                case "preset": "does the preset small-buffers"
                case adaptive: "do adaptive limits of unscheduled bytes"
                default: "do changed \(family)"
                }
            return Claim(
                question: "What \(what) save and cost?", source: Setup.seedBuffers,
                answer: answers.joined(separator: "; "), note: "against the kernel's settings on the same traffic")
        }
    }

    private static func plus(_ value: Double) -> String { value < 0 ? readable(value) : "+" + readable(value) }

    private static func recommendation(_ done: [Setting]) -> Claim {
        let best = recommended(done)
        let answer = best.map { best in
            "\(best.name): \(readable(best.microseconds)) µs held instead of \(readable(done[0].microseconds)), mean "
                + "slowdown \(readable(best.load.mean)) instead of \(readable(done[0].load.mean)), throughput "
                + "\(readable(best.throughput)) instead of \(readable(done[0].throughput))"
        }
        return Claim(
            question: "Which setting uses least buffer without harm?", source: Setup.seedBuffers, answer: answer ?? "",
            note: "least held within the bounds of the method")
    }

    private static func idleClaim(_ idle: [(ports: Double, outcome: Outcome)]) -> Claim {
        let times = idle.map { "\(readable($0.ports)) ports hold \(readable($0.outcome.switchBytes / 1e6)) MB" }
        return Claim(
            question: "What do idle ports bring?", source: Setup.seedBuffers,
            answer: idle.allSatisfy { $0.outcome.isReady } ? times.joined(separator: ", ") : "",
            note: "the same memory then serves less bandwidth")
    }
}
