// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBench
import HomaExperiments
import HomaPosix
import HomaScenarios

struct ExperimentRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run experiments and judge what comes out.",
        discussion: """
            Points that are finished are kept in --store; interrupted, even killed, the same command goes on where it \
            was. Points made by another build of the program count, and are told of, unless --fresh is given.

            Examples:
              homa experiment run switch-occupancy --quick
              homa experiment run --all --quick --json
              homa experiment run --all --strict

            Exit status 0 whatever the verdicts, but 1 with --strict when a published claim was not reproduced; 2 also \
            when it was interrupted or a point failed.
            """)

    @Argument(help: "Names of experiments, see homa experiment list.")
    var names: [String] = []

    @Flag(help: "Run all experiments.")
    var all = false

    @OptionGroup var options: ExperimentStoreOptions

    @Flag(help: "Fail (exit status 1) when a claim is not reproduced.")
    var strict = false

    @Flag(help: "Do not use points that another build of the program has made.")
    var fresh = false

    @Option(help: "Simulations at once; by default one per core.", within: .count(1...1024))
    var jobs: Int?

    @OptionGroup var progress: ProgressOptions

    @Flag(help: "One JSON object per claim, a line each.")
    var json = false

    func validate() throws { _ = try chosen() }

    private func chosen() throws -> [Experiment] {
        guard all != !names.isEmpty else { throw ValidationError("give names of experiments, or --all") }
        if all { return Experiment.all }
        return try names.map { name in
            if let experiment = Experiment.named(name) { return experiment }
            let near = Suggestion.nearest(to: name, in: Experiment.all.map(\.name)).map { "; did you mean \($0)?" }
            throw ValidationError("there is no experiment \(name)\(near ?? "; see homa experiment list")")
        }
    }

    func run() throws {
        try orCannotRun {
            let environment = RunEnvironment.current()
            warnIfDebug(environment)
            let run = ExperimentRun(
                try chosen(), scale: options.quick ? .quick : .full, store: try options.make(onlyOwnBuild: fresh))
            guard let reports = try execute(run, jobs: jobs ?? environment.cores) else {
                note("stopped; what is finished is kept, this goes on:\n\(commandLine)")
                throw ExitCode.couldNotRun
            }
            try say(json ? String(ReportFiles(reports).claims.dropLast()) : ExperimentTable(reports).render())
            warnIfDebug(environment)
            let failures = reports.flatMap(\.failures)
            for failure in failures { note("failed: \(failure)") }
            guard failures.isEmpty else { throw ExitCode.couldNotRun }
            let isGood = !reports.flatMap(\.findings.claims).contains { $0.verdict == .notReproduced }
            guard isGood || !strict else { throw ExitCode.failed }
        }
    }

    private func execute(_ run: ExperimentRun, jobs: Int) throws -> [ExperimentReport]? {
        CrashNote.install(crashHeading)
        let stop = StopSignals.catchRequests(second: .endsProcess)
        var line = ProgressLine(progress)
        let reports = try run.run(threads: jobs, stop: stop) { scenario, monitor in
            try CrashNote.whileRunning(wholeCommand(scenario)) { try ScenarioRun.runner(scenario, monitor) }
        } tick: { now in
            guard let pool = now.pool else { return }
            line.show(done: now.finished, total: now.total, packetHops: now.packetHops, pool)
        }
        line.clear()
        return reports
    }
}

struct ExperimentReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write the report of what has been run: one page, with CSV and JSON beside it.",
        discussion: """
            Of each experiment the full form is reported when all of it has been run, else the quick form. Nothing is \
            run.

            Example: homa experiment report --out report
            """)

    @OptionGroup var options: ExperimentStoreOptions

    @Option(help: "Folder for index.html and the files beside it; made if it is missing, but not what it lies in.")
    var out = "homa-experiments/report"

    func run() throws {
        try orCannotRun {
            let environment = RunEnvironment.current()
            warnIfDebug(environment)
            let store = try options.existing()
            func finished(_ scale: Scale) throws -> [ExperimentReport] {
                try ExperimentRun(Experiment.all, scale: scale, store: store).finishedReports()
            }
            let full = options.quick ? [] : try finished(.full)
            let quick = try finished(.quick)
            let reports = Experiment.all.compactMap { experiment in
                (full + quick).first { $0.experiment.name == experiment.name }
            }
            guard !reports.isEmpty else {
                note("nothing has been run yet; this does: homa experiment run --all --quick")
                throw ExitCode.couldNotRun
            }
            for experiment in Experiment.all where !reports.contains(where: { $0.experiment.name == experiment.name }) {
                note("\(experiment.name) is not in the report: it has not been run")
            }
            for path in try ReportFiles(reports).write(to: out, machine: environment.simulationSummary) {
                try say(path)
            }
        }
    }
}

/// Claims side by side, for people.
struct ExperimentTable {
    private let reports: [ExperimentReport]

    init(_ reports: [ExperimentReport]) { self.reports = reports }

    func render() -> String {
        var text = ""
        for report in reports {
            text += "\(report.experiment.name): \(report.verdict.rawValue)\n"
            for claim in report.findings.claims {
                let unit = claim.unit.isEmpty ? "" : " " + claim.unit
                text += "  \(claim.claim)\n"
                text += "    published \(claim.published.text), ours \(claim.ours.text)\(unit), "
                text += "\(claim.tolerance.text): \(claim.verdict.rawValue)\n    \(claim.why)\n"
            }
            text += "\n"
        }
        var table = TextTable([.init("experiment", .left), .init("points"), .init("verdict", .left)])
        for report in reports {
            table.add([report.experiment.name, String(report.points), report.verdict.rawValue])
        }
        return text + table.render()
    }
}
