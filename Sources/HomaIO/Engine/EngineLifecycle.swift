// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import HomaBase
internal import HomaBuffers
internal import HomaCore
public import HomaPosix
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

/// What takes an engine's steps in place of a thread of its own.
protocol EngineStepper: AnyObject, Sendable {
    /// Does something as the engine's thread, at once: whoever waits for it may be the one who takes the steps.
    func perform(_ body: () -> Void)
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

    /// Somebody takes the engine's steps in place of a thread of its own, and calls ``finish()`` after the last.
    func runsElsewhere(steppedBy stepper: any EngineStepper) {
        self.stepper = stepper
        lifecycle.withLock { $0.phase = .running }
    }

    private func join() {
        let thread = lifecycle.withLock { lifecycle -> pthread_t? in
            defer { lifecycle.thread = nil }
            return lifecycle.thread
        }
        if let thread { pthread_join(thread, nil) }
    }

    /// Everything that happens on the thread. Here the driver is chosen: all that follows knows which it is.
    func runThread() {
        enterThread()
        if let core = configuration.core { try? pinCurrentThread(toCore: core) }
        let clock = MonotonicClock.process
        switch configuration.driver {
        case .udp: EngineLoop<UDPDriver, MonotonicClock>(self, clock: clock).run()
        case .packet: EngineLoop<PacketRingDriver, MonotonicClock>(self, clock: clock).run()
        case .raw: EngineLoop<RawIPDriver, MonotonicClock>(self, clock: clock).run()
        }
        leaveThread()
        finish()
    }

    /// Lets go of all that the loop worked with, its driver first of all; then tells those who wait for that.
    func finish() {
        let final = snapshot()
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

    /// Ends everything that waits for the engine.
    func close() {
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
        while let job = state.pointee.jobs.popFirst() { pool.enqueue(job) }
    }
}

/// A plain function: a closure here would carry the isolation of whoever starts the engine.
private func runEngineThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let engine = Unmanaged<Engine>.fromOpaque(argument).takeRetainedValue()
    engine.runThread()
    return nil
}
