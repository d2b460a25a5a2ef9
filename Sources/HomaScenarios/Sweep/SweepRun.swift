// SPDX-License-Identifier: Apache-2.0

public import HomaPosix

/// How a sweep ended.
public struct SweepSummary: Equatable, Sendable {
    /// Points of this share.
    public var points = 0
    /// Those that an earlier process had finished.
    public var alreadyFinished = 0
    /// Those that this process finished.
    public var finished = 0
    /// Those that failed, with the reason.
    public var failures: [Failure] = []
    /// Packet hops of what this process finished.
    public var packetHops: UInt64 = 0

    /// A point that has no result.
    public struct Failure: Equatable, Sendable {
        public var index: Int
        public var reason: String
    }

    public var isComplete: Bool { alreadyFinished + finished == points }

    public init() {}
}

/// Runs what is not finished of one share of a sweep.
public struct SweepRun {
    public let plan: SweepPlan
    public let share: SweepShare
    public let store: SweepStore

    public init(plan: SweepPlan, share: SweepShare, store: SweepStore) {
        self.plan = plan
        self.share = share
        self.store = store
    }

    /// Runs until all is finished or `stop` is set; then the points under way are given up, to be run again by the next
    /// process.
    public func run(
        threads: Int, stop: StopFlag, runner: @escaping ScenarioRunner,
        tick: (SweepSummary, PoolProgress) -> Void
    ) throws -> SweepSummary {
        let mine = plan.points(of: share)
        let done = store.finished
        let open = mine.filter { !done.contains($0.index) }
        var summary = SweepSummary()
        summary.points = mine.count
        summary.alreadyFinished = mine.count - open.count
        let pool = WorkerPool<JSONValue>(
            open.map { PoolJob(index: $0.index, scenario: $0.scenario) }, stop: stop, runner: runner)
        try pool.run(threads: threads) { index, outcome, packetHops in
            switch outcome {
            case .finished(let result):
                try store.append(plan.points[index], result: result)
                summary.finished += 1
                summary.packetHops += packetHops
            case .failed(let reason): summary.failures.append(.init(index: index, reason: reason))
            case .stopped: break
            }
        } tick: { progress in
            tick(summary, progress)
        }
        try store.sortWhenComplete(share: share)
        return summary
    }
}
