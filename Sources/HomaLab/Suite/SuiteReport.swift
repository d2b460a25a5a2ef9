// SPDX-License-Identifier: Apache-2.0

import HomaBench

/// What the suite measured, for people and as records.
package struct SuiteReport {
    /// What went wrong below, over the whole suite.
    struct Health {
        /// Datagrams dropped because a receiving socket was full.
        var receiveBufferErrors: UInt64
        /// TCP segments sent again.
        var segmentsResent: UInt64
        /// Packets dropped between a device and the protocols, on the whole machine.
        var softnetDrops: UInt64
        /// Packets that Homa's client sent again in the goodput runs.
        var packetsRetransmitted: UInt64

        var description: String {
            "RcvbufErrors \(receiveBufferErrors), softnet drops \(softnetDrops) (whole machine), "
                + "packets sent again by Homa's client in the goodput runs \(packetsRetransmitted), "
                + "TCP segments sent again \(segmentsResent)"
        }
    }

    let figures: [SuiteFigure]
    let rounds: SuiteRounds
    let environment: RunEnvironment
    let path: String
    let isVeth: Bool
    let plan: SuitePlan
    let health: Health

    /// How everything was set up.
    static let configuration = """
        all settings are the defaults; both sides spin; Homa: the public API, a task for each RPC on the node's \
        thread; TCP: TCP_NODELAY, one connection, requests in memory of their own, goodput and round trips gathered, \
        rates as each line says; bare UDP: UDP_SEGMENT and UDP_GRO, at most 1 MB on the way; lab: --settings link, \
        hosts sleep when idle
        """

    package var jsonLines: [String] {
        figures.map { figure in
            figure.jsonLine(
                slack: plan.slack, environment: environment,
                context: [
                    ("path", .text(isVeth ? "veth" : "loopback")), ("quick", .flag(plan.quick)),
                    ("seed", .text("\(plan.seed)")),
                ])
        }
    }

    package func render() -> String {
        var parts = [
            environment.summary,
            "path: \(path)\nruns: \(plan.count) of each, in turns, medians; seed \(plan.seed)"
                + "\(plan.quick ? "; quick" : "")\n"
                + "configuration: \(Self.configuration)",
            figureTable(.text), remarks.joined(separator: "\n"), stepTable(.text), health.description,
        ]
        if environment.build != "release" {
            parts.insert("THIS IS A DEBUG BUILD: NONE OF THESE FIGURES MEANS ANYTHING.", at: 0)
        }
        return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
    }

    /// What the table has no room for: why something is missing, and what else a reader should know.
    var remarks: [String] {
        figures.compactMap { figure in
            switch figure.outcome {
            case .measured(let result): result.remark.map { "- \(figure.measure.meaning): \($0)." }
            case .skipped(let why): "- \(figure.measure.meaning): skipped, because \(why)."
            case .failed(let why): "- \(figure.measure.meaning): FAILED, \(why)."
            }
        }
    }

    enum Form { case text, markdown }

    func figureTable(_ form: Form) -> String {
        table(form, ["measure", "value", "range", "Homa", "rival", "wanted", ""], figures.map(row))
    }

    private func row(_ figure: SuiteFigure) -> [String] {
        let measure = figure.measure
        let wanted = measure.wanted.map { "\($0.relation.rawValue) \(Self.show($0.limit, measure.unit))" } ?? "–"
        switch figure.outcome {
        case .measured(let result):
            let range =
                "\(Self.show(result.values.min() ?? .nan, measure.unit)) … "
                + Self.show(result.values.max() ?? .nan, measure.unit)
            let parts =
                result.rival.map { name in
                    [
                        Self.show(SuiteFigure.median(result.own), measure.partsUnit),
                        "\(name) \(Self.show(SuiteFigure.median(result.rivals), measure.partsUnit))",
                    ]
                } ?? ["", ""]
            let verdict = measure.wanted == nil ? "" : measure.isMet(result.value, slack: 1) ? "met" : "MISSED"
            return [measure.meaning, Self.show(result.value, measure.unit), range] + parts + [wanted, verdict]
        case .skipped: return [measure.meaning, "skipped", "", "", "", wanted, ""]
        case .failed: return [measure.meaning, "FAILED", "", "", "", wanted, ""]
        }
    }

    func stepTable(_ form: Form) -> String {
        let rows = SuiteStep.allCases.compactMap { step -> [String]? in
            guard let values = rounds.samples[step] else {
                return rounds.absences[step].map { [step.rawValue, "–", $0] }
            }
            return [
                step.rawValue, Self.show(SuiteFigure.median(values), step.unit),
                values.map { Self.show($0, step.unit) }.joined(separator: "  "),
            ]
        }
        return table(form, ["step", "median", "runs"], rows)
    }

    private func table(_ form: Form, _ columns: [String], _ rows: [[String]]) -> String {
        switch form {
        case .text:
            var table = TextTable(columns.enumerated().map { .init($1, $0 == 0 || $0 == 6 ? .left : .right) })
            for row in rows { table.add(row) }
            return table.render()
        case .markdown:
            let lines = [columns, columns.indices.map { $0 == 0 ? "---" : "---:" }] + rows
            return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
        }
    }

    /// A figure with the decimals that mean something, and its unit.
    static func show(_ value: Double, _ unit: String) -> String {
        switch unit {
        case "ratio": fixed(value, 2)
        case "bit/s": "\(gigabits(value)) Gb/s"
        case "rpc/s": "\(fixed(value, 0))/s"
        case "ns" where value >= 100_000: "\(fixed(value / 1e6, 2)) ms"
        case "ns" where value >= 1000: "\(fixed(value / 1000, 2)) µs"
        case "ns": "\(fixed(value, 1)) ns"
        case "bytes": "\(fixed(value / 1e6, 1)) MB"
        default: "\(fixed(value, 0)) \(unit)"
        }
    }
}
