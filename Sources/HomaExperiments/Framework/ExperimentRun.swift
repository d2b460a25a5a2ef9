// SPDX-License-Identifier: Apache-2.0

public import HomaPosix
public import HomaScenarios

/// Runs experiments: again and again asks them what they still need, runs it on all cores and keeps it, until they need
/// nothing more.
public struct ExperimentRun {
    public let experiments: [Experiment]
    public let scale: Scale
    public let store: PointStore

    public init(_ experiments: [Experiment], scale: Scale, store: PointStore) {
        self.experiments = experiments
        self.scale = scale
        self.store = store
    }

    /// How far a run has come.
    public struct Progress: Sendable {
        /// Points finished by this process.
        public var finished = 0
        /// Packet hops of those.
        public var packetHops: UInt64 = 0
        /// Points known to be needed; more may come of their results.
        public var total = 0
        /// Points under way.
        public var pool: PoolProgress?
    }

    /// Nil when it was stopped; what is finished is kept.
    public func run(
        threads: Int, stop: StopFlag, runner: @escaping ScenarioRunner = ScenarioRun.runner,
        tick: (Progress) -> Void
    ) throws -> [ExperimentReport]? {
        var progress = Progress()
        while true {
            let (reports, missing) = try evaluate()
            guard !missing.isEmpty else { return reports }
            progress.total += missing.count
            try runModels(missing, &progress, stop)
            try runSimulations(missing, &progress, threads, stop, runner, tick)
            if stop.isRaised { return nil }
        }
    }

    /// What can be said without running anything: reports of those experiments that have all their points.
    public func finishedReports() throws -> [ExperimentReport] {
        try experiments.compactMap { experiment in
            var laboratory = makeLaboratory()
            let findings = try experiment.evaluate(&laboratory)
            return laboratory.missing.isEmpty ? report(experiment, findings, laboratory) : nil
        }
    }

    private func makeLaboratory() -> Laboratory {
        Laboratory(scale: scale, records: store.records) { store.entry($0) }
    }

    private func evaluate() throws -> ([ExperimentReport], [Point]) {
        var reports: [ExperimentReport] = []
        var missing: [Point] = []
        for experiment in experiments {
            var laboratory = makeLaboratory()
            let findings = try experiment.evaluate(&laboratory)
            for point in laboratory.missing where !missing.contains(where: { $0.key == point.key }) {
                missing.append(point)
            }
            reports.append(report(experiment, findings, laboratory))
        }
        return (reports, missing)
    }

    private func report(_ experiment: Experiment, _ findings: Findings, _ laboratory: Laboratory) -> ExperimentReport {
        ExperimentReport(
            experiment: experiment, scale: scale, findings: findings, points: laboratory.used.count,
            pointsOfOtherBuilds: laboratory.otherBuilds, failures: laboratory.failures,
            commands: laboratory.used.map(\.command))
    }

    private func runModels(_ points: [Point], _ progress: inout Progress, _ stop: StopFlag) throws {
        for point in points where !stop.isRaised {
            switch point.work {
            case .simulation: continue
            case .receiver(let model): try store.keep(point.key, model.run())
            case .copying(let model): try store.keep(point.key, model.run())
            case .sharing(let model): try store.keep(point.key, model.run())
            }
            progress.finished += 1
        }
    }

    private func runSimulations(
        _ points: [Point], _ progress: inout Progress, _ threads: Int, _ stop: StopFlag,
        _ runner: @escaping ScenarioRunner, _ tick: (Progress) -> Void
    ) throws {
        let jobs = points.enumerated().compactMap { index, point in
            if case .simulation(let scenario) = point.work { PoolJob(index: index, scenario: scenario) } else { nil }
        }
        var current = progress
        let pool = WorkerPool<JSONValue>(jobs, stop: stop, runner: runner)
        try pool.run(threads: threads) { index, outcome, packetHops in
            switch outcome {
            case .finished(let result): try store.keep(points[index].key, result)
            case .failed(let reason): store.fail(points[index].key, reason)
            case .stopped: return
            }
            current.finished += 1
            current.packetHops += packetHops
        } tick: { now in
            current.pool = now
            tick(current)
        }
        progress = current
    }
}
