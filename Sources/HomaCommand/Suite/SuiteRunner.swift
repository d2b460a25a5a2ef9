// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HomaBench
import HomaPosix

/// Carries out `homa bench --suite`.
struct SuiteRunner {
    let options: SuiteOptions
    let seed: UInt64
    let json: Bool

    init(_ options: SuiteOptions, seed: UInt64, json: Bool) {
        self.options = options
        self.seed = seed
        self.json = json
    }

    func run() throws {
        StopSignals.catchRequests(second: .isIgnored)
        let path = SuitePath.make()
        defer { path.remove() }
        let environment = RunEnvironment.current(mtu: path.isVeth ? SuitePath.vethMTU : pathMTU(to: "127.0.0.1:1"))
        warnIfDebug(environment)
        let before = (path.counters(), SoftnetCounters.drops())
        let times = SuiteStep.Times(isQuick: options.quick)
        var rounds = SuiteRounds(path: path, times: times, seed: seed)
        note("\(environment.summary); \(path.description); \(options.count) runs, seed \(seed)")
        try rounds.run(steps, rounds: options.count)
        let figures = try options.measures.map { measure in
            try StopSignals.check()
            return measure == .shortTail
                ? SuiteLab(times: times, rounds: options.count, seed: seed).figure()
                : SuiteFigure(measure, of: rounds)
        }
        let after = path.counters()
        let report = SuiteReport(
            figures: figures, rounds: rounds, environment: environment, path: path.description,
            isVeth: path.isVeth, options: options, seed: seed,
            health: .init(
                receiveBufferErrors: after.receiveBufferErrors - before.0.receiveBufferErrors,
                segmentsResent: after.segmentsResent - before.0.segmentsResent,
                softnetDrops: SoftnetCounters.drops() - before.1,
                packetsRetransmitted: UInt64(rounds.packetsRetransmitted)))
        if json { for line in report.jsonLines { try say(line) } } else { try say(report.render()) }
        if let folder = options.write { note("written: \(try SuiteEntry(report).write(into: folder))") }
        try judge(figures)
    }

    /// Every step that a wanted measure needs, once, in the order that puts rivals side by side.
    private var steps: [SuiteStep] {
        let wanted = Set(options.measures.flatMap(\.steps))
        return SuiteStep.allCases.filter { wanted.contains($0) }
    }

    private func judge(_ figures: [SuiteFigure]) throws {
        var (hasFailed, hasMissed) = (false, false)
        for figure in figures {
            switch figure.outcome {
            case .measured(let result):
                guard !figure.measure.isMet(result.value, slack: options.slack) else { continue }
                note("MISSED: \(figure.measure.rawValue)")
                hasMissed = true
            case .failed(let why):
                note("could not measure \(figure.measure.rawValue): \(why)")
                hasFailed = true
            case .skipped: break
            }
        }
        if hasFailed || figures.allSatisfy({ $0.result == nil }) { throw ExitCode.couldNotRun }
        if hasMissed { throw ExitCode.failed }
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
