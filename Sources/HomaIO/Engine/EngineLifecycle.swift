// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaBase
internal import HomaBuffers
internal import HomaCore
internal import Synchronization

/// Where an engine stands between its creation and its end.
struct EngineLifecycle {
    enum Phase: Equatable {
        case created, running, ended
    }

    var phase = Phase.created
    var thread: pthread_t?
    var waiters: [UnsafeContinuation<Void, Never>] = []
    /// The last snapshot, taken when the thread ended.
    var finalStatistics = EngineStatistics()
}

extension Engine {
    /// Starts the thread. Does nothing when it was started before.
    ///
    /// - Throws: `SystemError` when the system has no thread for it (EAGAIN).
    public func start() throws(SystemError) {
        let code = lifecycle.withLock { lifecycle -> Int32 in
            guard lifecycle.phase == .created else { return 0 }
            var thread = pthread_t()
            let reference = Unmanaged.passRetained(self)
            let code = pthread_create(&thread, nil, runEngineThread, reference.toOpaque())
            guard code == 0 else {
                reference.release()
                return code
            }
            lifecycle.thread = thread
            lifecycle.phase = .running
            return 0
        }
        guard code == 0 else { throw SystemError(call: "pthread_create", code: code) }
    }

    /// Asks the thread to end, without waiting for it. Any number of times, from any thread.
    ///
    /// - Parameter drainNanoseconds: how long the engine goes on until what it has answered and sent one way is
    ///   acknowledged, taking no new requests meanwhile. A later call can only shorten that.
    public func stop(drainNanoseconds: UInt64 = 0) { requestStop(drainNanoseconds: drainNanoseconds) }

    /// Stops the engine and returns when its thread is gone and its socket closed.
    ///
    /// All calls, sleeps and waits end first, with `closed`. Messages still held stay valid. Called
    /// by a task on the engine itself, the rest of that task goes on in the concurrent pool.
    public func stopAndWait(drainNanoseconds: UInt64 = 0) async {
        requestStop(drainNanoseconds: drainNanoseconds)
        await withUnsafeContinuation { continuation in
            let isOver = lifecycle.withLock { lifecycle -> Bool in
                guard lifecycle.phase == .running else { return true }
                lifecycle.waiters.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
        join()
    }

    private func join() {
        let thread = lifecycle.withLock { lifecycle -> pthread_t? in
            defer { lifecycle.thread = nil }
            return lifecycle.thread
        }
        if let thread { pthread_join(thread, nil) }
    }

    /// Everything that happens on the thread.
    func runThread() {
        enterThread()
        if let core = configuration.core { try? pinCurrentThread(toCore: core) }
        while !mustStop { runRound() }
        drain()
        close()
        let final = snapshot()
        leaveThread()
        shard.group?.leave()
        state.deinitialize(count: 1)
        let waiters = lifecycle.withLock { lifecycle -> [UnsafeContinuation<Void, Never>] in
            lifecycle.phase = .ended
            lifecycle.finalStatistics = final
            defer { lifecycle.waiters = [] }
            return lifecycle.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Brings home what was answered and sent before the stop, as long as there is time; the least is one round, in
    /// which leaves what may leave unasked. Requests that come now are refused, so that their clients know that they
    /// did not run.
    private func drain() {
        let start = clock.now()
        // Answers given on other threads are in the inbox.
        runRound()
        if drainNanoseconds > 0 {
            // In a way that says why; then nothing of what the application has not taken is left to it.
            state.pointee.endpoint.beginDraining()
            for port in state.pointee.ports.open {
                state.pointee.endpoint.closePort(port)
                state.pointee.ports.remove(port)?.closed()
            }
        }
        state.pointee.endpoint.sendStoredAcks()
        runWholeRound()
        while state.pointee.endpoint.awaitsAcks || state.pointee.driver.queuedPackets > 0,
            clock.now().nanoseconds(since: start) < drainNanoseconds
        {
            // An engine that must stop does not sleep, and this one need not spin.
            if state.pointee.isQuiet { usleep(100) }
            runRound()
        }
        guard drainNanoseconds > 0 else { return }
        // The servers of calls that end now need not work for nothing.
        state.pointee.endpoint.sendCancellations()
        runWholeRound()
    }

    /// What was done here is news to a loop that has come to rest, or that looks at the socket only.
    private func runWholeRound() {
        state.pointee.isQuiet = false
        state.pointee.roundsByOldClock = 0
        runRound()
    }

    /// Ends everything that waits for the engine.
    private func close() {
        state.pointee.isClosed = true
        let rest = inbox.withLock { inbox -> [EngineCommand] in
            inbox.isClosed = true
            defer { inbox.commands = [] }
            return inbox.commands
        }
        for command in rest { execute(command) }
        for call in state.pointee.calls.removeAll() { call.finish(.closed, at: state.pointee.now) }
        for sleeper in state.pointee.timers.removeAll() { sleeper.resume(.closed) }
        for sink in state.pointee.ports.removeAll() { sink.closed() }
        state.pointee.endpoint.releaseEverything(at: state.pointee.now)
        while let event = state.pointee.endpoint.nextEvent() { tell(event) }
        for record in state.pointee.sends.removeAll() { record.owner.release() }
        for release in state.pointee.releases { release.owner.release() }
        state.pointee.releases = []
        while let job = state.pointee.jobs.popFirst() { globalConcurrentExecutor.enqueue(job) }
    }
}

/// A plain function: a closure here would carry the isolation of whoever starts the engine.
private func runEngineThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let engine = Unmanaged<Engine>.fromOpaque(argument).takeRetainedValue()
    engine.runThread()
    return nil
}
