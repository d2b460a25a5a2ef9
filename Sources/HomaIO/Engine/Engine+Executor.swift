// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Swift tasks that prefer the engine run on its thread, between two looks at the network.
extension Engine: TaskExecutor {
    /// Takes the next part of a task. After the engine has stopped, tasks go on in ``pool``.
    public func enqueue(_ job: UnownedJob) {
        if isCurrentThread && !state.pointee.isClosed {
            state.pointee.jobs.append(job)
        } else if !post(.job(job)) {
            pool.enqueue(job)
        }
    }

    public func enqueue(_ job: consuming ExecutorJob) { enqueue(UnownedJob(job)) }
}
