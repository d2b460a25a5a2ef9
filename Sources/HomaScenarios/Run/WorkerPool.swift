// SPDX-License-Identifier: Apache-2.0

import Foundation
public import HomaPosix
public import HomaSim

/// A scenario in a queue of work.
public struct PoolJob: Sendable {
    /// Whatever the caller knows it by.
    public var index: Int
    public var scenario: Scenario

    public init(index: Int, scenario: Scenario) {
        self.index = index
        self.scenario = scenario
    }
}

/// What became of a job.
public enum PoolOutcome<Output: Sendable>: Sendable {
    case finished(Output)
    /// It threw, in words.
    case failed(String)
    /// It was asked to stop.
    case stopped
}

/// How far the whole has come.
public struct PoolProgress: Sendable {
    /// Jobs under way with their reports, by index.
    public var running: [(index: Int, report: RunMonitor.Report)]
    /// Jobs that no thread has taken yet.
    public var waiting: Int
}

/// Runs scenarios on threads, one simulation each, and hands back results as they come.
///
/// A simulation depends on its scenario alone, so which thread runs it and in what company changes nothing but the time
/// it takes.
public final class WorkerPool<Output: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let runner: Runner
    private let stop: StopFlag
    private var waiting: ArraySlice<PoolJob>
    private var monitors: [Int: RunMonitor] = [:]
    private var outcomes: [(index: Int, outcome: PoolOutcome<Output>, packetHops: UInt64)] = []
    private var unfinished: Int

    /// A simulation's stack: results of deep calls in debug builds need more than the 512 KB a thread has by default.
    private static var stackBytes: Int { 8 << 20 }

    /// Runs one scenario and gives its result; nil when it was stopped.
    public typealias Runner = @Sendable (Scenario, RunMonitor) throws -> Output?

    public init(_ jobs: [PoolJob], stop: StopFlag, runner: @escaping Runner) {
        waiting = jobs[...]
        unfinished = jobs.count
        self.stop = stop
        self.runner = runner
    }

    /// Runs all jobs on `threads` threads. Returns when all are done or, after a stop, when those under way have
    /// stopped.
    /// - Parameters:
    ///   - handle: called on this thread for each outcome, in the order in which they come.
    ///   - tick: called on this thread about every `interval` seconds.
    public func run(
        threads: Int, interval: Double = 0.25, handle: (Int, PoolOutcome<Output>, UInt64) throws -> Void,
        tick: (PoolProgress) -> Void
    ) throws {
        for _ in 0..<min(threads, waiting.count) { startThread() }
        // A thrown error stops the others before it leaves: they hold this object, not the caller's frame.
        do {
            while let next = nextOutcome(interval: interval, tick: tick) {
                try handle(next.index, next.outcome, next.packetHops)
            }
        } catch {
            stop.raise()
            while nextOutcome(interval: interval, tick: { _ in }) != nil {}
            throw error
        }
    }

    private func startThread() {
        let thread = Thread { [self] in
            while let (job, monitor) = take() {
                let outcome: PoolOutcome<Output>
                do {
                    outcome = try runner(job.scenario, monitor).map { .finished($0) } ?? .stopped
                } catch {
                    outcome = .failed("\(error)")
                }
                finish(job, outcome, monitor.latest.packetHops)
            }
        }
        thread.stackSize = Self.stackBytes
        thread.start()
    }

    private func take() -> (PoolJob, RunMonitor)? {
        condition.withLock {
            if stop.isRaised {
                // What never began counts as done, so that the caller's wait ends.
                unfinished -= waiting.count
                waiting = []
                condition.signal()
            }
            guard let job = waiting.popFirst() else { return nil }
            let monitor = RunMonitor(stop: stop)
            monitors[job.index] = monitor
            return (job, monitor)
        }
    }

    private func finish(_ job: PoolJob, _ outcome: PoolOutcome<Output>, _ packetHops: UInt64) {
        condition.withLock {
            monitors[job.index] = nil
            outcomes.append((job.index, outcome, packetHops))
            unfinished -= 1
            condition.signal()
        }
    }

    /// Waits for the next outcome; nil when there will be none.
    private func nextOutcome(
        interval: Double, tick: (PoolProgress) -> Void
    ) -> (index: Int, outcome: PoolOutcome<Output>, packetHops: UInt64)? {
        while true {
            let (next, isDone): ((index: Int, outcome: PoolOutcome<Output>, packetHops: UInt64)?, Bool) =
                condition.withLock {
                    if outcomes.isEmpty, unfinished > 0 {
                        _ = condition.wait(until: Date(timeIntervalSinceNow: interval))
                    }
                    return outcomes.isEmpty ? (nil, unfinished == 0) : (outcomes.removeFirst(), false)
                }
            if let next { return next }
            if isDone { return nil }
            tick(progress)
        }
    }

    private var progress: PoolProgress {
        condition.withLock {
            let running = monitors.sorted { $0.key < $1.key }.map { (index: $0.key, report: $0.value.latest) }
            return PoolProgress(running: running, waiting: waiting.count)
        }
    }
}
