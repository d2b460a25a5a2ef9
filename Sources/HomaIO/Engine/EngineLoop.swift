// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaBase
internal import HomaBuffers
internal import HomaCore
internal import HomaPosix
internal import Synchronization

/// What an engine wants of whoever runs it before its next step.
enum EngineRest {
    /// Nothing: there may be more to do.
    case none
    /// To sleep until it is woken, or until this time. ``EngineLoop/wake(_:)`` comes before the next step.
    case until(Instant)
    /// A tenth of a millisecond: it must stop, and waits for acknowledgements.
    case brief
    /// To be forgotten: it is closed, and there is no next step.
    case over
}

/// The rounds of an engine: receive, obey, keep time, transmit, tell, run.
///
/// It knows the driver and the clock by their types and is specialised for them, so nothing is looked up for a packet.
/// No step blocks, and whether the time is real is for the clock to say: a thread runs it over sockets, and a test as
/// many as it likes over memory.
final class EngineLoop<Driver: PacketDriver & ~Copyable, Clock: EngineClock> {
    let engine: Engine
    let state: UnsafeMutablePointer<EngineState>
    let driver: UnsafeMutablePointer<Driver>
    let signal: EngineSignal
    private let clock: Clock

    /// - Parameter engine: one whose driver is such a one. Its state must last as long as the loop takes steps.
    init(_ engine: Engine, clock: Clock) {
        self.engine = engine
        state = engine.state
        driver = unsafeDowncast(engine.state.pointee.driver, to: OwnedDriver<Driver>.self).place
        signal = engine.signal
        self.clock = clock
    }

    /// One round, or what comes after the last.
    @inline(__always)
    func step() -> EngineRest {
        if !engine.mustStop { return runRound() }
        return stepToEnd()
    }

    private func runRound() -> EngineRest {
        state.pointee.counters.rounds &+= 1
        var didWork = receiveBatch()
        // What is known of packets is taken into account before any timer asks about them.
        if driver.pointee.mayHaveErrors, takeNetworkErrors() { didWork = true }
        // Most rounds of a spinning engine end here; the shorter they are, the sooner a packet is seen.
        if !didWork {
            if state.pointee.roundsByOldClock > 0 && !signal.hasNews {
                state.pointee.roundsByOldClock -= 1
                return .none
            }
            advanceClock()
            if state.pointee.isQuiet && nothingIsDue { return idle() }
        }
        engine.applySummaries()
        if signal.takeReturns() {
            state.pointee.endpoint.buffersReturned(at: state.pointee.now)
            didWork = true
        }
        if engine.takeCommands() { didWork = true }
        if expireTimers() { didWork = true }
        let hasSent = transmit()
        if hasSent { didWork = true }
        tellApplication()
        growOld(after: Self.youth)
        let hasRun = runJobs()
        if hasRun {
            didWork = true
            advanceClock()
        }
        // Answers and calls that the application has just made leave before the next look at the socket; what is left
        // of long messages can wait for it.
        if hasRun || !hasSent, transmit() { didWork = true }
        engine.region.pool.surrenderIfAsked(shard: engine.shard.index, at: state.pointee.now)
        engine.publishSummary()
        if didWork {
            noteWork()
            return .none
        }
        state.pointee.isQuiet = true
        return idle()
    }

    /// True when nobody has asked for anything and no time has come. The protocol then has nothing to
    /// send or tell either, provided that the round before found nothing.
    private var nothingIsDue: Bool {
        !signal.hasNews && state.pointee.now < min(state.pointee.deadline, state.pointee.timers.earliest)
            && state.pointee.jobs.count == 0 && driver.pointee.queuedPackets == 0
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

    /// Hands out what happened.
    private func tellApplication() {
        var count = 0
        while let event = state.pointee.endpoint.nextEvent() {
            engine.tell(event)
            count += 1
            guard count % Self.workBetweenSends == 0 else { continue }
            transmit()
        }
    }

    /// Has tasks that have waited for so long be ready for their cancellation. True when there was any.
    @discardableResult
    private func growOld(after age: UInt64) -> Bool {
        var hasAny = false
        while let first = state.pointee.youngCalls.first, state.pointee.now.nanoseconds(since: first.started) >= age {
            _ = state.pointee.youngCalls.popFirst()
            // What has its place now may be another one.
            guard let call = state.pointee.calls.find(first.cookie), call.started == first.started, call.isYoung else {
                continue
            }
            call.growOld()
            hasAny = true
        }
        return hasAny
    }

    private static var youth: UInt64 { 1_000_000 }

    /// Runs what is ready of Swift tasks now, and what that makes ready, within a bound. True when anything ran.
    private func runJobs() -> Bool {
        var count = 0
        let executor = engine.asUnownedTaskExecutor()
        while count < Self.jobsPerRound, let job = state.pointee.jobs.popFirst() {
            job.runSynchronously(on: executor)
            count += 1
            if count % Self.workBetweenSends == 0 { transmit() }
        }
        state.pointee.counters.jobs &+= UInt64(count)
        return count > 0
    }

    /// Events or jobs after which what they had to say is sent. A peer that waits for a batch of answers can
    /// begin with the first while the rest are worked out; sending less at a time costs more system calls.
    private static var workBetweenSends: Int { 32 }

    /// A task that only yields must not keep packets from being received.
    private static var jobsPerRound: Int { 256 }
}

/// Sleep.
extension EngineLoop where Driver: ~Copyable {
    /// Nothing happened in this round: spin on, or sleep once that has lasted long enough.
    private func idle() -> EngineRest {
        if checkErrorsNowAndThen() {
            noteWork()
            return .none
        }
        driver.pointee.improve()
        if state.pointee.now >= state.pointee.idleMemory.due {
            engine.region.giveBack(&state.pointee.idleMemory, at: state.pointee.now)
        }
        state.pointee.roundsByOldClock = affordableRoundsByOldClock
        // Engines that are more than the cores would else spin in each other's way.
        if engine.shard.count > 1 { sched_yield() }
        let spin = engine.configuration.spinNanoseconds
        guard spin != .max, state.pointee.now.nanoseconds(since: state.pointee.lastWork) >= spin else { return .none }
        if engine.shard.index == 0 { state.pointee.idleMemory.arm(engine.region.pool, at: state.pointee.now) }
        let deadline = min(state.pointee.deadline, state.pointee.timers.earliest, state.pointee.idleMemory.due)
        guard deadline > state.pointee.now, !engine.mustStop else { return .none }
        if growOld(after: 0) {
            noteWork()
            return .none
        }
        return fallAsleep(until: deadline)
    }

    private func fallAsleep(until deadline: Instant) -> EngineRest {
        guard signal.prepareToSleep() else { return .none }
        engine.region.pool.park(shard: engine.shard.index)
        state.pointee.counters.sleeps &+= 1
        guard state.pointee.backlog == .retryLater || state.pointee.backlog == .retryRefused else {
            return .until(deadline)
        }
        return .until(min(deadline, state.pointee.now.advanced(byNanoseconds: 20_000)))
    }

    /// Goes on after a sleep that ended for these reasons.
    func wake(_ events: Poller.Events) {
        signal.awake()
        engine.region.pool.unpark(shard: engine.shard.index)
        guard events.contains(.error) else { return }
        advanceClock()
        takeNetworkErrors()
        noteWork()
    }

    /// A spinning engine does not hear of the error queue from the poller, so it looks every
    /// millisecond; most errors are noticed before, when a receive call fails.
    /// True when there was any error, and so perhaps something to tell before sleeping.
    private func checkErrorsNowAndThen() -> Bool {
        let now = state.pointee.now
        guard driver.pointee.mayHaveErrors || now.nanoseconds(since: state.pointee.lastErrorCheck) >= 1_000_000 else {
            return false
        }
        state.pointee.lastErrorCheck = now
        return takeNetworkErrors()
    }
}

/// The end.
extension EngineLoop where Driver: ~Copyable {
    /// Brings home what was answered and sent before the stop, as long as there is time; the least is one round, in
    /// which leaves what may leave unasked. Requests that come now are refused, so that their clients know that they
    /// did not run.
    private func stepToEnd() -> EngineRest {
        guard let begun = state.pointee.drainBegun else {
            state.pointee.drainBegun = clock.now()
            beginToDrain()
            return .none
        }
        guard state.pointee.endpoint.awaitsAcks || driver.pointee.queuedPackets > 0,
            clock.now().nanoseconds(since: begun) < engine.drainNanoseconds
        else {
            if engine.drainNanoseconds > 0 {
                // The servers of calls that end now need not work for nothing.
                state.pointee.endpoint.sendCancellations()
                runWholeRound()
            }
            engine.close()
            return .over
        }
        _ = runRound()
        // An engine that must stop does not sleep, and this one need not spin.
        return state.pointee.isQuiet ? .brief : .none
    }

    private func beginToDrain() {
        // Answers given on other threads are in the inbox.
        _ = runRound()
        if engine.drainNanoseconds > 0 {
            // In a way that says why; then nothing of what the application has not taken is left to it.
            state.pointee.endpoint.beginDraining()
            for port in state.pointee.ports.open {
                state.pointee.endpoint.closePort(port)
                state.pointee.ports.remove(port)?.closed()
            }
        }
        state.pointee.endpoint.sendStoredAcks()
        runWholeRound()
    }

    /// What was done here is news to a loop that has come to rest, or that looks at the socket only.
    private func runWholeRound() {
        state.pointee.isQuiet = false
        state.pointee.roundsByOldClock = 0
        _ = runRound()
    }
}

extension EngineLoop where Driver: WaitingDriver & ~Copyable {
    /// Takes steps until the engine is closed, and sleeps on this thread where they say so.
    func run() {
        while true {
            switch step() {
            case .none: continue
            case .until(let limit):
                wake(driver.pointee.wait(until: limit, forRoom: state.pointee.backlog.endsWithRoom))
            case .brief: usleep(100)
            case .over: return
            }
        }
    }
}
