// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Keeps the tasks of a run, in the order in which they become ready, for whoever drives the network.
final class TestExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var next = 0
        /// The driver, asleep.
        var driver: UnsafeContinuation<Void, Never>?
        /// Something has happened that the driver has not looked at.
        var hasNews = false
        /// Somebody drives.
        var isDriven = false
        /// What the driver is wanted for.
        var runs = 0
    }

    private let state = Mutex(State())

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        wake { $0.jobs.append(job) }
    }

    func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

    /// Has the driver look again.
    func noteNews() { wake { _ in } }

    private func wake(_ change: (inout State) -> Void) {
        let driver = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            change(&state)
            state.hasNews = true
            return state.driver.take()
        }
        driver?.resume()
    }

    /// The job that has waited longest.
    func takeJob() -> UnownedJob? {
        state.withLock { state in
            guard state.next < state.jobs.count else {
                state.jobs.removeAll(keepingCapacity: true)
                state.next = 0
                return nil
            }
            state.next += 1
            return state.jobs[state.next - 1]
        }
    }

    /// Sleeps until there is news. With a condition that is looked at last, nothing is missed.
    func waitForNews() async {
        await withUnsafeContinuation { continuation in
            let isNew = state.withLock { state -> Bool in
                guard !state.hasNews, state.runs > 0 else { return true }
                state.driver = continuation
                return false
            }
            if isNew { continuation.resume() }
        }
        state.withLock { $0.hasNews = false }
    }

    /// A run begins. True: its caller must drive.
    func beginRun() -> Bool {
        state.withLock { state in
            state.runs += 1
            defer { state.isDriven = true }
            return !state.isDriven
        }
    }

    func endRun() { wake { $0.runs -= 1 } }

    /// True when no run needs a driver any more: then there is none.
    func mayLeave() -> Bool {
        state.withLock { state in
            if state.runs == 0 { state.isDriven = false }
            return state.runs == 0
        }
    }
}
