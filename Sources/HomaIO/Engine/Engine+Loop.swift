// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaBuffers
internal import HomaCore

/// One round of the engine: receive, obey, keep time, transmit, tell, run.
extension Engine {
    func runRound() {
        advanceClock()
        state.pointee.counters.rounds &+= 1
        var didWork = receiveBatch()
        if signal.takeReturns() { state.pointee.endpoint.buffersReturned(at: state.pointee.now) }
        if takeCommands() { didWork = true }
        if expireTimers() { didWork = true }
        if transmit() { didWork = true }
        tellApplication()
        if runJobs() {
            didWork = true
            advanceClock()
        }
        // Answers and calls that the application has just made leave before the next look at the socket.
        if transmit() { didWork = true }
        region.pool.surrenderIfAsked(shard: 0, at: state.pointee.now)
        if didWork {
            state.pointee.lastWork = state.pointee.now
        } else {
            idle()
        }
    }

    /// The one look at the clock for all that follows. Times given to the core never decrease.
    private func advanceClock() { state.pointee.now = max(state.pointee.now, clock.now()) }

    /// Runs due timers of the protocol and of sleeping tasks.
    private func expireTimers() -> Bool {
        let now = state.pointee.now
        var didWork = false
        if let deadline = state.pointee.endpoint.deadlineInPlace(), deadline <= now {
            state.pointee.endpoint.expireTimers(at: now)
            didWork = true
        }
        while let sleeper = state.pointee.timers.popExpired(at: now) {
            sleeper.resume(.elapsed)
            didWork = true
        }
        return didWork
    }

    /// Nothing happened in this round: spin on, or sleep once that has lasted long enough.
    private func idle() {
        if checkErrorsNowAndThen() {
            state.pointee.lastWork = state.pointee.now
            return
        }
        let spin = configuration.spinNanoseconds
        guard spin != .max, state.pointee.now.nanoseconds(since: state.pointee.lastWork) >= spin else { return }
        let deadline = min(state.pointee.endpoint.deadlineInPlace() ?? .distantFuture, state.pointee.timers.earliest)
        guard deadline > state.pointee.now, !mustStop else { return }
        sleep(untilNetworkOr: deadline)
    }

    private func sleep(untilNetworkOr deadline: Instant) {
        guard signal.prepareToSleep() else { return }
        region.pool.park(shard: 0)
        state.pointee.counters.sleeps &+= 1
        var limit = deadline
        if state.pointee.backlog == .retryLater { limit = min(limit, state.pointee.now.advanced(byNanoseconds: 20_000)) }
        try? state.pointee.poller.setWantsWritable(state.pointee.backlog == .waitUntilWritable)
        let events = try? state.pointee.poller.wait(until: limit, clock: clock)
        signal.awake()
        region.pool.unpark(shard: 0)
        if let events, events.contains(.error) {
            advanceClock()
            takeNetworkErrors()
        }
    }

    /// A spinning engine does not hear of the error queue from the poller, so it looks every 100 µs.
    /// True when there was any error, and so perhaps something to tell before sleeping.
    private func checkErrorsNowAndThen() -> Bool {
        let now = state.pointee.now
        guard
            state.pointee.driver.mayHaveErrors
                || now.nanoseconds(since: state.pointee.lastErrorCheck) >= 100_000
        else { return false }
        state.pointee.lastErrorCheck = now
        return takeNetworkErrors()
    }
}

extension Endpoint {
    /// ``nextDeadline`` without moving the endpoint: a borrowing access through a pointer first copies
    /// all 1.5 KB of the value to the stack (Swift 6.3), a mutating one does not.
    mutating func deadlineInPlace() -> Instant? { nextDeadline }
}
