// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// How other threads get the engine's attention: flags while it is awake, a waker while it sleeps.
///
/// The engine says that it sleeps and then looks at the flags once more; the others set a flag and then
/// look whether the engine sleeps. All four are sequentially consistent, so at least one side sees the
/// other, and no wake is lost. The object outlives the engine where messages of it are still held.
final class EngineSignal: Sendable {
    private let isSleeping = Atomic<Bool>(false)
    private let hasCommands = Atomic<Bool>(false)
    private let hasReturns = Atomic<Bool>(false)
    private let wake: @Sendable () -> Void

    /// - Parameter wake: ends the engine's sleep, from any thread.
    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    /// Commands wait in the inbox. Any thread.
    func commandsArrived() {
        hasCommands.store(true, ordering: .sequentiallyConsistent)
        wakeIfSleeping()
    }

    /// Buffers came back while messages wait for some. Any thread.
    func buffersReturned() {
        hasReturns.store(true, ordering: .sequentiallyConsistent)
        wakeIfSleeping()
    }

    /// True when `takeCommands` or `takeReturns` would be. Engine thread only.
    var hasNews: Bool { hasCommands.load(ordering: .relaxed) || hasReturns.load(ordering: .relaxed) }

    /// True once for any number of `commandsArrived`. Engine thread only.
    func takeCommands() -> Bool { take(hasCommands) }

    /// True once for any number of `buffersReturned`. Engine thread only.
    func takeReturns() -> Bool { take(hasReturns) }

    /// Announces sleep. False: there is something to do first, and nothing was announced.
    func prepareToSleep() -> Bool {
        isSleeping.store(true, ordering: .sequentiallyConsistent)
        let isIdle =
            !hasCommands.load(ordering: .sequentiallyConsistent) && !hasReturns.load(ordering: .sequentiallyConsistent)
        if !isIdle { awake() }
        return isIdle
    }

    /// The engine is awake again.
    func awake() { isSleeping.store(false, ordering: .sequentiallyConsistent) }

    private func wakeIfSleeping() {
        guard isSleeping.load(ordering: .sequentiallyConsistent),
            isSleeping.exchange(false, ordering: .sequentiallyConsistent)
        else { return }
        wake()
    }

    @inline(__always)
    private func take(_ flag: borrowing Atomic<Bool>) -> Bool {
        guard flag.load(ordering: .relaxed) else { return false }
        return flag.exchange(false, ordering: .sequentiallyConsistent)
    }
}
