// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaBase
internal import HomaBuffers
internal import HomaCore

/// One round of the engine: receive, obey, keep time, transmit, tell, run.
extension Engine {
    func runRound() {
        state.pointee.counters.rounds &+= 1
        var didWork = receiveBatch()
        // Most rounds of a spinning engine end here; the shorter they are, the sooner a packet is seen.
        if !didWork {
            if state.pointee.roundsByOldClock > 0 && !signal.hasNews {
                state.pointee.roundsByOldClock -= 1
                return
            }
            advanceClock()
            if state.pointee.isQuiet && nothingIsDue { return idle() }
        }
        applySummaries()
        if signal.takeReturns() {
            state.pointee.endpoint.buffersReturned(at: state.pointee.now)
            didWork = true
        }
        if takeCommands() { didWork = true }
        if expireTimers() { didWork = true }
        let hasSent = transmit()
        if hasSent { didWork = true }
        tellApplication()
        let hasRun = runJobs()
        if hasRun {
            didWork = true
            advanceClock()
        }
        // Answers and calls that the application has just made leave before the next look at the socket; what is left
        // of long messages can wait for it.
        if hasRun || !hasSent, transmit() { didWork = true }
        region.pool.surrenderIfAsked(shard: shard.index, at: state.pointee.now)
        publishSummary()
        if didWork {
            noteWork()
        } else {
            state.pointee.isQuiet = true
            idle()
        }
    }

    /// True when nobody has asked for anything and no time has come. The protocol then has nothing to
    /// send or tell either, provided that the round before found nothing.
    private var nothingIsDue: Bool {
        !signal.hasNews && state.pointee.now < min(state.pointee.deadline, state.pointee.timers.earliest)
            && state.pointee.jobs.count == 0 && state.pointee.driver.queuedPackets == 0
    }

    /// The one look at the clock for all that follows. Times given to the core never decrease.
    func advanceClock() { state.pointee.now = max(state.pointee.now, clock.now()) }

    /// Rounds without work that need not look at the clock, which takes a tenth as long as looking at the
    /// socket: 15 of them, together a few microseconds, when nothing is due for much longer.
    private var affordableRoundsByOldClock: Int {
        let earliest = min(state.pointee.deadline, state.pointee.timers.earliest)
        return earliest > state.pointee.now.advanced(byNanoseconds: 50_000) ? 15 : 0
    }

    /// Something has happened, and so the protocol's deadline may be another one.
    private func noteWork() {
        state.pointee.isQuiet = false
        state.pointee.roundsByOldClock = 0
        state.pointee.lastWork = state.pointee.now
        state.pointee.deadline = state.pointee.endpoint.nextDeadline ?? .distantFuture
    }

    /// Runs due timers of the protocol and of sleeping tasks.
    private func expireTimers() -> Bool {
        let now = state.pointee.now
        var didWork = false
        if state.pointee.deadline <= now {
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
        if checkErrorsNowAndThen() { return noteWork() }
        if state.pointee.driver.wantsToConnect { connectToBusiestPeer() }
        state.pointee.roundsByOldClock = affordableRoundsByOldClock
        // Engines that are more than the cores would else spin in each other's way.
        if shard.count > 1 { sched_yield() }
        let spin = configuration.spinNanoseconds
        guard spin != .max, state.pointee.now.nanoseconds(since: state.pointee.lastWork) >= spin else { return }
        let deadline = min(state.pointee.deadline, state.pointee.timers.earliest)
        guard deadline > state.pointee.now, !mustStop else { return }
        sleep(untilNetworkOr: deadline)
    }

    /// Opens the busiest peer's socket in an idle moment: it takes some tens of microseconds.
    private func connectToBusiestPeer() {
        guard let descriptor = state.pointee.driver.connectToBusiestPeer() else { return }
        do {
            try state.pointee.poller.watch(descriptor)
        } catch {
            // A socket that cannot wake the engine is worth less than none.
            state.pointee.driver.disconnect()
        }
    }

    private func sleep(untilNetworkOr deadline: Instant) {
        guard signal.prepareToSleep() else { return }
        region.pool.park(shard: shard.index)
        state.pointee.counters.sleeps &+= 1
        var limit = deadline
        if state.pointee.backlog == .retryLater || state.pointee.backlog == .retryRefused {
            limit = min(limit, state.pointee.now.advanced(byNanoseconds: 20_000))
        }
        try? state.pointee.poller.setWantsWritable(state.pointee.backlog == .waitUntilWritable)
        for descriptor in receiveDescriptors { try? state.pointee.poller.watchAlso(descriptor) }
        let events = try? state.pointee.poller.wait(until: limit, clock: clock)
        for descriptor in receiveDescriptors { state.pointee.poller.unwatch(descriptor) }
        signal.awake()
        region.pool.unpark(shard: shard.index)
        if let events, events.contains(.error) {
            advanceClock()
            takeNetworkErrors()
            noteWork()
        }
    }

    /// A spinning engine does not hear of the error queue from the poller, so it looks every
    /// millisecond; most errors are noticed before, when a receive call fails.
    /// True when there was any error, and so perhaps something to tell before sleeping.
    private func checkErrorsNowAndThen() -> Bool {
        let now = state.pointee.now
        guard
            state.pointee.driver.mayHaveErrors
                || now.nanoseconds(since: state.pointee.lastErrorCheck) >= 1_000_000
        else { return false }
        state.pointee.lastErrorCheck = now
        return takeNetworkErrors()
    }
}
