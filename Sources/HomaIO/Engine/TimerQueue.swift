// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// A task that waits for a point in time.
///
/// Touched by the engine thread only, once handed over.
final class Sleeper: @unchecked Sendable {
    let deadline: Instant
    var continuation: UnsafeContinuation<SleepOutcome, Never>?
    /// Set when the task was cancelled before or while it waited.
    var isCancelled = false

    init(until deadline: Instant) { self.deadline = deadline }

    /// Lets the task go on; only the first call counts.
    func resume(_ outcome: SleepOutcome) {
        guard let continuation else { return }
        self.continuation = nil
        continuation.resume(returning: outcome)
    }
}

/// How a wait on the engine's clock ended.
public enum SleepOutcome: Sendable {
    /// The time has come.
    case elapsed
    /// The task was cancelled.
    case cancelled
    /// The engine has stopped.
    case closed
}

/// Sleepers by deadline: a binary heap whose ties keep the order of arrival.
///
/// A cancelled sleeper stays until its deadline; it is resumed before and costs nothing then.
struct TimerQueue: ~Copyable {
    private struct Entry {
        var deadline: UInt64
        var sequence: UInt64
        var sleeper: Sleeper

        func precedes(_ other: Entry) -> Bool {
            deadline < other.deadline || (deadline == other.deadline && sequence < other.sequence)
        }
    }

    private var heap: ContiguousArray<Entry> = []
    private var nextSequence: UInt64 = 0

    /// The earliest deadline, or `distantFuture`.
    private(set) var earliest: Instant = .distantFuture

    mutating func insert(_ sleeper: Sleeper) {
        heap.append(Entry(deadline: sleeper.deadline.nanoseconds, sequence: nextSequence, sleeper: sleeper))
        nextSequence += 1
        siftUp(from: heap.count - 1)
        earliest = Instant(nanoseconds: heap[0].deadline)
    }

    /// The next sleeper whose deadline is not after `now`.
    mutating func popExpired(at now: Instant) -> Sleeper? {
        guard now >= earliest, let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown(from: 0)
        }
        earliest = heap.isEmpty ? .distantFuture : Instant(nanoseconds: heap[0].deadline)
        return first.sleeper
    }

    /// Takes out everyone, in no particular order.
    mutating func removeAll() -> [Sleeper] {
        let sleepers = heap.map(\.sleeper)
        heap.removeAll()
        earliest = .distantFuture
        return sleepers
    }

    private mutating func siftUp(from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(from start: Int) {
        var parent = start
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { return }
            let right = left + 1
            let least = right < heap.count && heap[right].precedes(heap[left]) ? right : left
            guard heap[least].precedes(heap[parent]) else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
