// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import Synchronization

/// Ends another thread's ``Poller/wait(nanoseconds:)``. Share it freely between threads.
public final class Waker: Sendable {
    let eventDescriptor: Int32
    /// Set from the first wake until the poller has seen it, so that a burst costs one system call.
    private let isPending = Atomic(false)

    init() throws(SystemError) {
        eventDescriptor = try SystemError.check(homa_event_create(), "eventfd")
    }

    deinit { close(eventDescriptor) }

    /// Makes the current or the next wait return. Never blocks, and may be called from a signal handler.
    ///
    /// What the caller wrote before is visible to the poller's thread after that wait.
    public func wake() {
        guard !isPending.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = write(eventDescriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Takes the wake back. Order matters: a wake after the exchange must leave the event set.
    func drain() {
        var count: UInt64 = 0
        _ = read(eventDescriptor, &count, MemoryLayout<UInt64>.size)
        _ = isPending.exchange(false, ordering: .acquiringAndReleasing)
    }
}
