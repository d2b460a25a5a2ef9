// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaBench
import HomaLab
import HomaPosix

/// How the whole list is measured.
struct SuiteOptions: ParsableArguments {
    @Flag(help: "Measure everything that there is a record of, against its rivals.")
    var suite = false

    @Option(
        help: "Runs of each measure and rival, in turns, 1 … 100 (default 5, with --quick 3); medians count.",
        within: .count(1...100))
    var runs: Int?

    @Flag(help: "Shorter runs: a minute and a half instead of five minutes, for a first look.")
    var quick = false

    @Option(help: "Write an entry for docs/measurements and its raw records into this folder.")
    var write: String?

    @Option(help: "Fail only when a figure is this many times worse than wanted, 1 … 1000.", within: .number(1...1000))
    var slack = 1.0

    @Option(help: "Measure this only, e.g. goodput_500kb_vs_tcp. May be repeated.")
    var only: [String] = []

    func validate() throws {
        let changed = runs != nil || quick || write != nil || slack != 1 || !only.isEmpty
        guard suite || !changed else {
            throw ValidationError("--runs, --quick, --write, --slack and --only are for --suite")
        }
        if let write {
            // Found out now, and not when everything has been measured.
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: write, isDirectory: &isFolder), isFolder.boolValue else {
                throw ValidationError("--write \(write): there is no such folder")
            }
        }
        for name in only where SuiteMeasure(rawValue: name) == nil {
            let known = SuiteMeasure.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--only \(name): there is no such measure; there are \(known)")
        }
    }

    var count: Int { runs ?? (quick ? 3 : 5) }

    var measures: [SuiteMeasure] {
        only.isEmpty ? SuiteMeasure.allCases : SuiteMeasure.allCases.filter { only.contains($0.rawValue) }
    }
}

extension SuiteOptions {
    /// Measures, tells, and judges.
    func run(seed: UInt64, json: Bool) throws {
        let plan = SuitePlan(count: count, quick: quick, slack: slack, measures: measures, seed: seed)
        let report = try SuiteRunner(plan).run { mtu in
            let environment = RunEnvironment.current(mtu: mtu ?? pathMTU(to: "127.0.0.1:1"))
            warnIfDebug(environment)
            return environment
        }
        if json { for line in report.jsonLines { try say(line) } } else { try say(report.render()) }
        if let write { note("written: \(try SuiteEntry(report).write(into: write))") }
        switch report.judge() {
        case .asWanted: break
        case .missed: throw ExitCode.failed
        case .couldNotMeasure: throw ExitCode.couldNotRun
        }
    }
}
