// SPDX-License-Identifier: Apache-2.0

import Glibc
package import HomaBench
internal import HomaPosix

/// How the whole list is measured.
package struct SuitePlan: Sendable {
    /// Runs of each measure and rival, in turns.
    package var count: Int
    /// Shorter runs, for a first look.
    package var quick: Bool
    /// A figure may be this many times worse than wanted.
    package var slack: Double
    package var measures: [SuiteMeasure]
    package var seed: UInt64

    package init(count: Int, quick: Bool, slack: Double, measures: [SuiteMeasure], seed: UInt64) {
        self.count = count
        self.quick = quick
        self.slack = slack
        self.measures = measures
        self.seed = seed
    }
}

/// Carries out `homa bench --suite`.
package struct SuiteRunner {
    let plan: SuitePlan

    package init(_ plan: SuitePlan) { self.plan = plan }

    /// - Parameter environment: called with the longest IP packet between the suite's processes.
    package func run(_ environment: (_ mtu: Int?) -> RunEnvironment) throws -> SuiteReport {
        StopSignals.catchRequests(second: .isIgnored)
        let path = SuitePath.make()
        defer { path.remove() }
        let environment = environment(path.isVeth ? SuitePath.vethMTU : nil)
        let before = (path.counters(), SoftnetCounters.drops())
        let times = SuiteStep.Times(isQuick: plan.quick)
        var rounds = SuiteRounds(path: path, times: times, seed: plan.seed)
        note("\(environment.summary); \(path.description); \(plan.count) runs, seed \(plan.seed)")
        try rounds.run(steps, rounds: plan.count)
        let figures = try plan.measures.map { measure in
            try StopSignals.check()
            return measure == .shortTail
                ? SuiteLab(times: times, rounds: plan.count, seed: plan.seed).figure()
                : SuiteFigure(measure, of: rounds)
        }
        let after = path.counters()
        return SuiteReport(
            figures: figures, rounds: rounds, environment: environment, path: path.description,
            isVeth: path.isVeth, plan: plan,
            health: .init(
                receiveBufferErrors: after.receiveBufferErrors - before.0.receiveBufferErrors,
                segmentsResent: after.segmentsResent - before.0.segmentsResent,
                softnetDrops: SoftnetCounters.drops() - before.1,
                packetsRetransmitted: UInt64(rounds.packetsRetransmitted)))
    }

    /// Every step that a wanted measure needs, once, in the order that puts rivals side by side.
    private var steps: [SuiteStep] {
        let wanted = Set(plan.measures.flatMap(\.steps))
        return SuiteStep.allCases.filter { wanted.contains($0) }
    }
}

extension SuiteReport {
    /// What the figures come to.
    package enum Verdict: Sendable { case asWanted, missed, couldNotMeasure }

    /// Says what was missed or could not be measured, and what it comes to.
    package func judge() -> Verdict {
        var (hasFailed, hasMissed) = (false, false)
        for figure in figures {
            switch figure.outcome {
            case .measured(let result):
                guard !figure.measure.isMet(result.value, slack: plan.slack) else { continue }
                note("MISSED: \(figure.measure.rawValue)")
                hasMissed = true
            case .failed(let why):
                note("could not measure \(figure.measure.rawValue): \(why)")
                hasFailed = true
            case .skipped: break
            }
        }
        if hasFailed || figures.allSatisfy({ $0.result == nil }) { return .couldNotMeasure }
        return hasMissed ? .missed : .asWanted
    }
}

extension SuiteFigure {
    /// What the rounds say of a measure.
    init(_ measure: SuiteMeasure, of rounds: SuiteRounds) {
        self.measure = measure
        outcome = Self.outcome(measure, rounds)
    }

    private static func outcome(_ measure: SuiteMeasure, _ rounds: SuiteRounds) -> Outcome {
        guard let first = measure.steps.first else { return .failed("it has no steps") }
        if let why = rounds.absences[first] { return .skipped(why) }
        for step in measure.steps {
            if let why = rounds.failures[step] { return .failed("\(step.rawValue): \(why)") }
        }
        guard let own = rounds.samples[first] else { return .failed("nothing was measured") }
        if measure == .poolVsMalloc { return .measured(versusMalloc(own, rounds)) }
        guard measure.steps.count > 1 else {
            return .measured(Result(values: own, remark: rounds.remarks[first]))
        }
        guard let rivals = rounds.samples[measure.steps[1]], rivals.count == own.count else {
            return .failed("its rival was not measured")
        }
        return .measured(
            Result(values: zip(own, rivals).map { $0 / $1 }, rival: measure.rivalName, own: own, rivals: rivals))
    }

    /// The pool against the fastest `malloc`, by medians.
    private static func versusMalloc(_ own: [Double], _ rounds: SuiteRounds) -> Result {
        let rivals: [(name: String, values: [Double])] = [
            ("glibc", SuiteStep.glibc), ("jemalloc", .jemalloc), ("mimalloc", .mimalloc),
        ].compactMap { name, step in rounds.samples[step].map { (name, $0) } }
        let best = rivals.min { median($0.values) < median($1.values) } ?? ("none", [])
        let all = rivals.map { "\($0.name) \(fixed(median($0.values), 1)) ns" }.joined(separator: ", ")
        let absent = SuiteMeasure.poolVsMalloc.steps.compactMap { rounds.absences[$0] }.joined(separator: ", ")
        return Result(
            values: zip(best.values, own).map { $0 / $1 }, rival: best.name, own: own, rivals: best.values,
            remark: absent.isEmpty ? all : "\(all); \(absent), so the best of them may be missing")
    }
}
