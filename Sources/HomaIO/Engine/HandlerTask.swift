// SPDX-License-Identifier: Apache-2.0

public import HomaCore
internal import Synchronization

/// A task that runs request handlers, one after the other, and is cancelled when nobody waits any more for the request
/// it has at hand.
///
/// A request costs two writes to memory of the task's own. Cancellation of a task is for good: one that was cancelled
/// must not take another request.
public final class HandlerTask: Sendable {
    private static var idle: UInt64 { .max }
    private static var cancelled: UInt64 { .max - 1 }

    /// Used while the task runs, and only cancelled from elsewhere, which the standard library permits.
    private struct Reference: @unchecked Sendable {
        let task: UnsafeCurrentTask
    }

    /// Nil unless the task runs.
    private let task = Mutex<Reference?>(nil)
    /// The request at hand.
    private let request = Atomic<UInt64>(HandlerTask.idle)
    private let others: HandlerTasks
    /// Its place among them, under their lock.
    fileprivate nonisolated(unsafe) var place = 0

    /// - Parameter engine: any of the node's.
    public init(of engine: Engine) { others = engine.shard.handlers }

    /// From now on `current`, the task that calls this, is cancelled when the time has come. It must ``leave()`` before
    /// it ends.
    public func enter(_ current: UnsafeCurrentTask) {
        let reference = Reference(task: current)
        task.withLock { $0 = reference }
        others.add(self)
    }

    public func leave() {
        others.remove(self)
        task.withLock { $0 = nil }
    }

    /// A handler is about to run. False: it must not, since nobody waits for the request any more.
    public func begin(_ rpc: RPCHandle, of engine: Engine) -> Bool {
        request.store(Self.key(rpc, shard: engine.shard.index), ordering: .sequentiallyConsistent)
        // Whoever abandons the request writes that down and then looks here: one of the two sees the other.
        return !engine.isAbandoned(rpc)
    }

    /// The handler has ended. False: the task is cancelled, or will be in a moment.
    public func end() -> Bool {
        request.exchange(Self.idle, ordering: .sequentiallyConsistent) != Self.cancelled
    }

    fileprivate static func key(_ rpc: RPCHandle, shard: Int) -> UInt64 {
        // A node has fewer than 2²⁴ records.
        UInt64(shard) << 56 | UInt64(rpc.slot) << 32 | UInt64(rpc.generation)
    }

    /// Takes the task away from the request with the key, if it is at work on it.
    fileprivate func claim(_ key: UInt64) -> Bool {
        request.compareExchange(expected: key, desired: Self.cancelled, ordering: .sequentiallyConsistent).exchanged
    }

    fileprivate func cancel() { task.withLock { $0?.task.cancel() } }
}

/// All tasks of a node that run handlers.
final class HandlerTasks: Sendable {
    private let tasks = Mutex<[HandlerTask]>([])

    func add(_ task: HandlerTask) {
        tasks.withLock {
            task.place = $0.count
            $0.append(task)
        }
    }

    func remove(_ task: HandlerTask) {
        tasks.withLock {
            let last = $0.removeLast()
            guard last !== task else { return }
            last.place = task.place
            $0[task.place] = last
        }
    }

    /// Cancels the task that is at work on a request, if there is one.
    func cancel(_ rpc: RPCHandle, shard: Int) {
        let key = HandlerTask.key(rpc, shard: shard)
        // Cancelling runs code of the application, which must not hold up the others.
        tasks.withLock { tasks in tasks.first { $0.claim(key) } }?.cancel()
    }
}
