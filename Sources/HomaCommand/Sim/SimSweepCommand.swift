// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaBench
import HomaPosix
import HomaScenarios
import HomaSim

struct SimSweepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep",
        abstract: "Run a scenario for every combination of values; resumes where it was interrupted.",
        discussion: """
            Every finished point is a line of --out, with its whole configuration. Called again, even after kill -9, \
            the command runs only what is missing. In a job array of Slurm or an indexed Kubernetes job, each process \
            takes its share of the points and writes a file of its own; homa sim merge puts them together.

            Examples:
              homa sim sweep quick --vary load=0.5..0.9/0.1 --vary workload=w1,w2 --out sweep.jsonl
              homa sim sweep sigcomm2018-w4 --vary topology.leaf.buffer_bytes=250000..4000000*2 --out buffers.jsonl
              homa sim sweep quick --vary seed=1..8 --out seeds.jsonl --share 2/4

            Exit status 2 also when it was interrupted or a point failed.
            """)

    @Argument(help: "The scenario that all points begin with: a file, a name, JSON, or -.")
    var scenario: String?

    @OptionGroup var options: ScenarioOptions

    @Option(help: "A key and its values: load=0.5..0.9/0.1, buffer=1000..8000*2, workload=w1,w2. May be repeated.")
    var vary: [String]

    @Option(help: "File of the finished points, a JSON object a line. A share's file has its name in it.")
    var out: String

    @Option(help: "Simulations at once; by default one per core.", within: .count(1...1024))
    var jobs: Int?

    @Option(help: "Run this share of the points only, such as 2/8.")
    var share: String?

    @Option(
        help: "How many shares there are, when a job array says which one this is but not how many.",
        within: .count(1...1_000_000))
    var shareCount: Int?

    @OptionGroup var progress: ProgressOptions

    @Flag(help: "Print the finished points as JSON lines instead of a table.")
    var json = false

    func validate() throws {
        guard share == nil || shareCount == nil else { throw ValidationError("give one of --share and --share-count") }
        guard !out.isEmpty else { throw ValidationError("--out needs the name of a file") }
        _ = try axes()
        _ = try chosenShare()
    }

    func axes() throws -> [SweepAxis] { try vary.map { text in try usage { try SweepAxis(parsing: text) } } }

    /// Nil: all points.
    private func chosenShare() throws -> SweepShare? {
        try usage {
            if let share { return try SweepShare(parsing: share) }
            return try SweepShare.ofJobArray(ProcessInfo.processInfo.environment, count: shareCount)
        }
    }

    func run() throws {
        try orCannotRun {
            let environment = RunEnvironment.current()
            warnIfDebug(environment)
            let document = try scenario.map(ScenarioOptions.load) ?? .object([])
            let plan = try SweepPlan(document: document, overrides: options.overrides(), axes: axes())
            let share = try chosenShare()
            let path = share.map { $0.file(for: out) } ?? out
            let all = try SweepShare(index: 0, count: 1)
            let store = try SweepStore(path: path, plan: plan)
            if let repair = store.repair { note(repair) }
            let sweep = SweepRun(plan: plan, share: share ?? all, store: store)
            let summary = try execute(sweep, jobs: jobs ?? environment.cores)
            try report(summary, sweep, path)
        }
    }

    private func execute(_ sweep: SweepRun, jobs: Int) throws -> SweepSummary {
        CrashNote.install(crashHeading)
        let stop = StopSignals.catchRequests(second: .endsProcess)
        var line = ProgressLine(progress)
        let summary = try sweep.run(threads: jobs, stop: stop) { scenario, monitor in
            try CrashNote.whileRunning(wholeCommand(scenario)) { try ScenarioRun.runner(scenario, monitor) }
        } tick: { summary, now in
            line.show(
                done: summary.finished + summary.failures.count, total: summary.points - summary.alreadyFinished,
                packetHops: summary.packetHops, now)
        }
        line.clear()
        return summary
    }

    private func report(_ summary: SweepSummary, _ sweep: SweepRun, _ path: String) throws {
        let name = sweep.share.count > 1 ? " of \(sweep.share.name)" : ""
        note(
            "\(summary.points) points\(name): \(summary.alreadyFinished) were finished, \(summary.finished) are now, "
                + "in \(path)"
        )
        for failure in summary.failures {
            note("point \(failure.index) failed: \(failure.reason)")
            noteReplay(sweep.plan.points[failure.index].scenario)
        }
        if !summary.isComplete {
            let missing = summary.points - summary.alreadyFinished - summary.finished
            note("\(missing) points are missing; this runs them:\n\(commandLine)")
            throw ExitCode.couldNotRun
        }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try say(json ? String(text.dropLast()) : SweepTable(text).render())
    }
}

struct SimMergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract:
            "Put the files of a sweep's shares together, in the order of the points, and check that all are there.",
        discussion: """
            The result is what one uninterrupted process would have written, byte for byte.

            Example: homa sim merge sweep.share-*.jsonl --out sweep.jsonl
            """)

    @Argument(help: "Files that homa sim sweep wrote.")
    var files: [String]

    @Option(help: "File to write; by default standard output.")
    var out: String?

    func run() throws {
        try orCannotRun {
            let text = try SweepMerge.merge(files)
            guard let out else { return try say(text, terminator: "") }
            try SweepMerge.write(text, to: out)
            note("\(text.utf8.count { $0 == UInt8(ascii: "\n") }) points in \(out)")
        }
    }
}

/// A sweep's finished points, one a row.
struct SweepTable {
    private let lines: [JSONValue]

    init(_ text: String) {
        lines = text.split(separator: "\n").compactMap { try? JSONValue(parsing: $0) }
    }

    func render() -> String {
        let varied = lines.first?["varied"]?.members?.map(\.key) ?? []
        var table = TextTable(
            [.init("point")] + varied.map { .init($0) } + [
                .init("messages"), .init("slowdown mean"), .init("p99"), .init("downlink queue max (bytes)"),
                .init("switch max (bytes)"), .init("switch max (µs)"), .init("drops"),
            ])
        for line in lines {
            func number(_ key: String, _ decimals: Int) -> String {
                line[key]?.number.map { fixed($0, decimals) } ?? "–"
            }
            let values = varied.map { key in line["varied"]?[key].map { $0.text ?? $0.description } ?? "" }
            table.add(
                [line["point"]?.description ?? ""] + values + [
                    number("messages", 0), number("slowdown_mean", 3), number("slowdown_p99", 2),
                    number("host_downlink_queue_max_bytes", 0), number("switch_buffer_max_bytes", 0),
                    number("switch_buffer_max_us", 1), number("drops", 0),
                ])
        }
        return table.render()
    }
}
