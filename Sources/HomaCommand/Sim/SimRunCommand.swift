// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBench
import HomaPosix
import HomaScenarios
import HomaSim

struct SimRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run scenarios and show slowdown, buffers, drops and speed.",
        discussion: """
            A scenario is a file, the name of a built-in scenario, JSON in braces, or - for standard input. Options \
            change what it says; without one they change the defaults.

            Examples:
              homa sim run quick
              homa sim run --topology fabric-10g --transport homa --preset sigcomm2018 --workload w4 --load 0.8 \
            --seed 1 --json
              homa sim run Scenarios/shared-buffer.json --set topology.leaf.buffer_bytes=2000000
              homa sim run quick --deterministic --json --threshold 'slowdown_mean<1.6'
            """)

    @Argument(help: "Scenarios: files, names, JSON, or -.")
    var scenarios: [String] = []

    @OptionGroup var options: ScenarioOptions
    @OptionGroup var demands: FigureDemandOptions
    @OptionGroup var progress: ProgressOptions

    @Flag(help: "One JSON object per scenario, in a line.")
    var json = false

    @Flag(help: "Leave out everything that depends on this machine: equal scenarios give equal bytes.")
    var deterministic = false

    @Option(help: "Simulations at once. More than one makes each slower.", within: .count(1...1024))
    var jobs = 1

    func run() throws {
        try orCannotRun {
            let environment = RunEnvironment.current()
            warnIfDebug(environment)
            let sources = scenarios.isEmpty ? [nil] : scenarios.map(Optional.some)
            let work = try sources.map { source in
                do {
                    return try Scenario(json: options.document(source))
                } catch let error as ScenarioFileError {
                    throw ScenarioSourceError(
                        description: "the scenario \(source.map { "\($0) " } ?? "")cannot be run:\n\(error)")
                }
            }
            let runner = SimRunner(
                scenarios: work, jobs: jobs, environment: environment, progress: progress,
                isDeterministic: deterministic)
            var isGood = true
            try runner.run { result, figures in
                let record = figures?.adding(to: result.json) ?? result.json
                try say(json ? record.description : SimReport(result, figures).render())
                isGood = try demands.check(record) && isGood
            }
            if !isGood { throw ExitCode.failed }
        }
    }
}

/// Runs scenarios and hands over results in the order of the scenarios.
struct SimRunner {
    let scenarios: [Scenario]
    let jobs: Int
    let environment: RunEnvironment
    let progress: ProgressOptions
    let isDeterministic: Bool

    /// - Parameter handle: called with each result, and what it cost unless that is not wanted.
    func run(_ handle: (SimulationResult, MachineFigures?) throws -> Void) throws {
        CrashNote.install(crashHeading)
        let stop = StopSignals.catchRequests(second: .endsProcess)
        let queue = scenarios.enumerated().map { PoolJob(index: $0.offset, scenario: $0.element) }
        let pool = WorkerPool<(SimulationResult, RunCost)>(queue, stop: stop) { scenario, monitor in
            try CrashNote.whileRunning(wholeCommand(scenario)) {
                try ScenarioRun.run(scenario, monitor).map { ($0.result, $0.cost) }
            }
        }
        var line = ProgressLine(progress)
        var outcomes: [Int: PoolOutcome<(SimulationResult, RunCost)>] = [:]
        var next = 0
        var hops: UInt64 = 0
        try pool.run(threads: jobs) { index, outcome, packetHops in
            outcomes[index] = outcome
            hops += packetHops
            while let ready = outcomes[next] {
                line.clear()
                try hand(over: ready, of: scenarios[next], handle)
                next += 1
            }
        } tick: { now in
            line.show(done: outcomes.count, total: scenarios.count, packetHops: hops, now)
        }
        line.clear()
        if stop.isRaised {
            let finished = outcomes.values.count { if case .stopped = $0 { false } else { true } }
            note("interrupted; \(finished) of \(scenarios.count) scenarios were finished")
            throw ExitCode.couldNotRun
        }
    }

    private func hand(
        over outcome: PoolOutcome<(SimulationResult, RunCost)>, of scenario: Scenario,
        _ handle: (SimulationResult, MachineFigures?) throws -> Void
    ) throws {
        switch outcome {
        case .finished(let (result, cost)):
            if let failure = result.failure {
                note("error: \(failure)")
                noteReplay(scenario)
                throw ExitCode.couldNotRun
            }
            let figures = MachineFigures(
                cost: cost, packetHops: result.packetHops, build: environment.build, machine: environment.members)
            try handle(result, isDeterministic ? nil : figures)
        case .failed(let reason):
            note("error: \(reason)")
            noteReplay(scenario)
            throw ExitCode.couldNotRun
        case .stopped: break
        }
    }
}

/// The one command that repeats a simulation, wherever its scenario came from.
func replayCommand(_ scenario: Scenario) -> String {
    "homa sim run \(shellQuoted(scenario.shortJSON.description))"
}

/// The same with nothing left out, which takes no time to find: made for every simulation, in case it crashes.
func wholeCommand(_ scenario: Scenario) -> String { "homa sim run \(shellQuoted(scenario.json.description))" }

/// What stands above the scenarios that were being simulated when the program crashed: the simulator stops the program
/// when it finds itself in a state that cannot be.
let crashHeading = "homa: the program crashed; what was being simulated can be repeated with"

func noteReplay(_ scenario: Scenario) {
    note("this repeats it:\n\(replayCommand(scenario))")
}

extension RunEnvironment {
    /// Where figures were taken, beside the build.
    var members: [JSONValue.Member] {
        [
            .init("processor", .string(processor)), .init("cores", .integer(cores)), .init("kernel", .string(kernel)),
        ]
    }
}
