// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBench
import HomaPosix
import HomaScenarios
import HomaSim

/// A demand on a figure of a simulated result, such as `slowdown_mean<1.6`.
struct FigureDemand: Equatable {
    /// Keys from the top of the result, such as `slowdown_p99_by_size_percentile`, `50`.
    var path: [String]
    var relation: Threshold.Relation
    var limit: Double
    /// As it was written.
    var text: String

    init(parsing text: String) throws {
        guard let start = text.firstIndex(where: { $0 == "<" || $0 == ">" }) else {
            throw ValidationError("threshold '\(text)' has no <, <=, > or >=; write, for example, 'slowdown_mean<1.6'")
        }
        let orEqual = text[text.index(after: start)...].first == "="
        let end = text.index(start, offsetBy: orEqual ? 2 : 1)
        path = text[..<start].filter { !$0.isWhitespace }.split(separator: ".").map(String.init)
        let number = text[end...].filter { !$0.isWhitespace }
        guard let relation = Threshold.Relation(rawValue: String(text[start..<end])), let limit = Double(number),
            limit.isFinite
        else { throw ValidationError("threshold '\(text)': '\(number)' is no number") }
        self.relation = relation
        self.limit = limit
        self.text = text
        try checkName()
    }

    /// Names are checked before the simulation runs, not after.
    private func checkName() throws {
        guard let scenario = try? Scenario(json: .object([])), let first = path.first else {
            throw ValidationError("threshold '\(text)' names no figure")
        }
        let figures = MachineFigures(cost: RunCost(), packetHops: 0, build: "", machine: [])
        let known = figures.adding(to: SimulationResult(scenario: scenario).json).members?.map(\.key) ?? []
        guard known.contains(first) else {
            let near = Suggestion.nearest(to: first, in: known).map { "; did you mean \($0)?" } ?? ""
            throw ValidationError("threshold '\(text)': a result has no \(first)\(near)")
        }
    }

    /// The figure in a result; nil when it has none.
    func value(in result: JSONValue) -> Double? {
        path.reduce(Optional(result)) { $0?[$1] }?.number
    }

    func holds(in result: JSONValue) -> Bool { value(in: result).map { relation.holds($0, limit) } ?? false }
}

/// Demands on results, and what becomes of them.
struct FigureDemandOptions: ParsableArguments {
    @Option(help: "Fail (exit status 1) unless this holds of every result, e.g. 'slowdown_mean<1.6'. May be repeated.")
    var threshold: [String] = []

    func validate() throws { _ = try parsed() }

    func parsed() throws -> [FigureDemand] { try threshold.map { try FigureDemand(parsing: $0) } }

    /// Reports each threshold on standard error. False when one is missed.
    func check(_ result: JSONValue) throws -> Bool {
        var isGood = true
        for demand in try parsed() {
            if demand.holds(in: result) {
                note("threshold \(demand.text): met")
            } else {
                note(
                    "threshold \(demand.text): MISSED, \(demand.value(in: result).map { "it is \($0)" } ?? "no figure")"
                )
                isGood = false
            }
        }
        return isGood
    }
}
