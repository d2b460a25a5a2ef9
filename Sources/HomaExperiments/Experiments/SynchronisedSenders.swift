// SPDX-License-Identifier: Apache-2.0

import HomaScenarios

/// What settings of unscheduled bytes do where senders begin together: 39 hosts send to the fortieth at the same
/// moments, again and again. Part of the experiment `less-buffer`.
enum SynchronisedSenders {
    struct Row {
        var name: String
        var unscheduled: String
        var granted: Int
        /// Milliseconds from one round to the next.
        var interval: Int
        var outcome: Outcome

        /// Of messages of 1 KB.
        var shortP99: Double { outcome("slowdown_p99_by_size_percentile.10") }
    }

    static let adaptive = "adaptive"
    private static let kernel = 400
    private static let sizes = JSONValue.object([
        .init("name", .string("incast")),
        .init(
            "rows",
            .array(
                [(1000, 0.0), (1000, 0.2), (100_000, 0.2), (100_000, 1)].map {
                    .array([.integer($0.0), .double($0.1)])
                })
        ),
    ])

    /// A round is 1 ms of the receiver's link.
    private static let rounds = [(interval: 2, load: 0.5), (interval: 20, load: 0.05)]

    private static let settings: [(unscheduled: Int?, granted: Int)] = [
        (40, kernel), (27, 150), (9, kernel), (9, 150), (nil, kernel), (nil, 150),
    ]

    static func rows(_ laboratory: inout Laboratory) throws -> [Row] {
        let messages = laboratory.choose(quick: 4_000, full: 100_000)
        var rows: [Row] = []
        for (interval, load) in rounds {
            let base = Setup.cluster("w4", load: load, messages: messages).unlimited()
                .with("traffic.workload", sizes).with("traffic.pattern", "incast").with("traffic.arrivals", "periodic")
            for (unscheduled, granted) in settings {
                var recipe = base.with("transport.maximum_incoming_bytes", granted * 1000)
                if let unscheduled {
                    recipe = recipe.with("transport.unscheduled_bytes", unscheduled * 1000)
                } else {
                    recipe = recipe.with("transport.adapts_unscheduled", true)
                }
                let amount = unscheduled.map { "\($0) KB" } ?? adaptive
                rows.append(
                    Row(
                        name: granted == kernel ? amount : "\(amount), \(granted) KB granted", unscheduled: amount,
                        granted: granted, interval: interval, outcome: try laboratory.run(recipe)))
            }
        }
        return rows
    }

    static func claims(_ rows: [Row]) -> [Claim] {
        rounds.map { round in
            let mine = rows.filter { $0.interval == round.interval }
            let parts = mine.map {
                "\($0.name): \(readable($0.outcome.switchMicroseconds)) µs held, mean slowdown "
                    + "\(readable($0.outcome.mean)), p99 of messages of 1 KB \(readable($0.shortP99))"
            }
            return Claim(
                question: "39 hosts send to one at the same moments, every \(round.interval) ms: what do fewer "
                    + "unscheduled bytes and adaptive limits bring?", source: Setup.seedBuffers,
                answer: mine.allSatisfy(\.outcome.isReady) ? parts.joined(separator: "; ") : "",
                note: verdict(mine))
        }
    }

    /// How adaptive limits compare with the kernel's fixed one and with one packet.
    private static func verdict(_ rows: [Row]) -> String {
        func row(_ name: String) -> Outcome? { rows.first { $0.name == name }?.outcome }
        guard let fixed = row("40 KB"), let least = row("9 KB"), let own = row(adaptive) else { return "" }
        let saved = (1 - own.switchMicroseconds / fixed.switchMicroseconds) * 100
        let possible = (1 - least.switchMicroseconds / fixed.switchMicroseconds) * 100
        return "adaptive limits hold \(readable(saved)) % less than 40 KB, of \(readable(possible)) % that one packet "
            + "saves; the first round, before anybody has been told, is not measured"
    }

    static func table(_ rows: [Row]) -> DataTable {
        var table = DataTable(
            "Synchronised senders",
            [
                "a round every (ms)", "unscheduled", "granted (KB)", "most held (µs)", "most held (MB)",
                "mean slowdown", "p99 slowdown", "p99 of 1 KB messages", "CUTOFFS sent",
            ])
        for row in rows {
            table.add(
                .number(Double(row.interval)), .text(row.unscheduled), .number(Double(row.granted)),
                .number(row.outcome.switchMicroseconds), .number(row.outcome.switchBytes / 1e6),
                .number(row.outcome.mean), .number(row.outcome.p99), .number(row.shortP99),
                .number(row.outcome("homa.cutoffs_sent")))
        }
        return table
    }

    static func chart(_ rows: [Row]) -> Chart {
        let names = rows.filter { $0.interval == rounds[0].interval }.map(\.name)
        return Chart(
            "39 hosts send to one at the same moments", x: Axis("unscheduled bytes", categories: names),
            y: Axis("most held by the switch", unit: "µs"),
            series: rounds.map { round in
                Series(
                    "every \(round.interval) ms", marks: .points,
                    rows.filter { $0.interval == round.interval }.enumerated().map {
                        .init(Double($0.offset + 1), $0.element.outcome.switchMicroseconds)
                    })
            })
    }
}
