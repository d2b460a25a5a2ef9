// SPDX-License-Identifier: Apache-2.0

public import HomaBase
internal import HomaIO

/// Running tasks on the node's own thread.
///
/// There, calls and responses need no change of thread: an RPC costs a few microseconds instead of
/// tens. Code on that thread must not block and should not compute for long, since the node receives
/// nothing meanwhile.
extension HomaNode {
    /// The node's thread as a preference for tasks, as in `Task(executorPreference: node.executor)`.
    /// After the node's end such tasks go on in the concurrent pool.
    public var executor: any TaskExecutor { engine }

    /// The same for each of the node's threads; tasks that are to use all shards are spread over them.
    public var executors: [any TaskExecutor] { engines }

    /// Runs `operation` and its child tasks on the node's thread.
    ///
    /// Code isolated to an actor with an executor of its own, such as the main actor, still runs there.
    public nonisolated func withEngineExecutor<Result: Sendable>(
        _ operation: sending () async throws -> Result
    ) async rethrows -> Result {
        try await withTaskExecutorPreference(engine, operation: operation)
    }

    /// The time on the node's clock.
    public var now: Instant { engine.now }

    /// Waits until `deadline` on the node's clock. A task on the node's thread goes on within about a
    /// microsecond of it while the node spins, and some tens of microseconds after it otherwise.
    ///
    /// - Throws: code `cancelled` as soon as the task is cancelled, `nodeClosed` when the node ends.
    public nonisolated(nonsending) func sleep(until deadline: Instant) async throws(HomaError) {
        switch await nextEngine.sleep(until: deadline) {
        case .elapsed: return
        case .cancelled: throw HomaError(.cancelled, "the task was cancelled while it slept")
        case .closed: throw .nodeClosed()
        }
    }

    /// Waits for `duration`; see ``sleep(until:)``.
    public nonisolated(nonsending) func sleep(for duration: Duration) async throws(HomaError) {
        try await sleep(until: engine.now + duration)
    }
}
