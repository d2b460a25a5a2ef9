// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Swift tasks that prefer the engine run on its thread, between two looks at the network.
extension Engine: TaskExecutor {
    /// Takes the next part of a task. After the engine has stopped, tasks go on in the concurrent pool.
    public func enqueue(_ job: UnownedJob) {
        if isCurrentThread && !state.pointee.isClosed {
            state.pointee.jobs.append(job)
        } else if !post(.job(job)) {
            globalConcurrentExecutor.enqueue(job)
        }
    }

    public func enqueue(_ job: consuming ExecutorJob) { enqueue(UnownedJob(job)) }

    /// Runs what is ready now, and what that makes ready, within a bound. True when anything ran.
    func runJobs() -> Bool {
        var count = 0
        let executor = asUnownedTaskExecutor()
        while count < Self.jobsPerRound, let job = state.pointee.jobs.popFirst() {
            job.runSynchronously(on: executor)
            count += 1
            if count % Self.workBetweenSends == 0 { transmit() }
        }
        state.pointee.counters.jobs &+= UInt64(count)
        return count > 0
    }

    /// A task that only yields must not keep packets from being received.
    private static var jobsPerRound: Int { 256 }
}
