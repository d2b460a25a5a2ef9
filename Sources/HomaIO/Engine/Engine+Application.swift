// SPDX-License-Identifier: Apache-2.0

internal import Glibc
public import HomaBase
internal import HomaBuffers
public import HomaCore
internal import Synchronization

/// The engine as the public API sees it.
extension Engine {
    /// Starts a call and waits for its outcome.
    ///
    /// Cancelling the task aborts the call at once, or within a millisecond of its start if it was made on the engine's
    /// thread: the outcome is `failed(.aborted)`, and the server may or may not have run the request. To be ready for
    /// cancellation costs as much as the rest of a short call, so that a task which need not change threads waits
    /// without at first.
    public func outcome(of call: PendingCall, isolation: isolated (any Actor)? = #isolation) async -> CallOutcome {
        let isYoung = isCurrentThread && !Task.isCancelled
        if isYoung {
            call.isYoung = true
            let outcome = await withUnsafeContinuation { continuation in
                call.continuation = continuation
                if !submit(.start(call)) { call.finish(.closed, at: now) }
            }
            if let outcome { return outcome }
        }
        let outcome = await withTaskCancellationHandler {
            // A closure that does not name the isolation leaves it.
            _ = isolation
            return await withUnsafeContinuation { continuation in
                if isYoung {
                    if !submit(.await(call, continuation)) { call.wait(continuation) }
                } else {
                    call.continuation = continuation
                    if !submit(.start(call)) { call.finish(.closed, at: now) }
                }
            }
        } onCancel: {
            submit(.cancel(call))
        }
        guard let outcome else { preconditionFailure("a task that can be cancelled waits to the end") }
        return outcome
    }

    /// Hands a response over. False when the engine has stopped; a client that has gone is no error.
    @discardableResult
    public func respond(to rpc: RPCHandle, with buffer: OutgoingBuffer) -> Bool { submit(.respond(rpc, buffer)) }

    /// Answers a request by saying that the application failed, and how. A client that cannot hear that is told
    /// nothing. False when the engine has stopped.
    @discardableResult
    public func fail(_ rpc: RPCHandle, with buffer: OutgoingBuffer) -> Bool { submit(.fail(rpc, buffer)) }

    /// Takes no new requests from now on; what has begun goes on. Does nothing when the engine has stopped.
    public func beginDraining() { perform { [self] in state.pointee.endpoint.beginDraining() } }

    /// What was begun here and is not over; nil when the engine has stopped.
    public nonisolated(nonsending) func unfinishedWork() async -> UnfinishedWork? {
        await withUnsafeContinuation { continuation in
            let isAsked = perform { [self] in
                continuation.resume(returning: state.pointee.isClosed ? nil : state.pointee.endpoint.unfinishedWork)
            }
            if !isAsked { continuation.resume(returning: nil) }
        }
    }

    /// Drops a request unanswered and tells its client.
    public func decline(_ rpc: RPCHandle) { submit(.decline(rpc)) }

    /// Waits until `deadline` on the engine's clock. While the engine spins, tasks that run on it go
    /// on within about a microsecond of the deadline.
    ///
    /// Cancelling the task ends the wait at once with `cancelled`.
    public func sleep(until deadline: Instant, isolation: isolated (any Actor)? = #isolation) async -> SleepOutcome {
        let sleeper = Sleeper(until: deadline)
        return await withTaskCancellationHandler {
            _ = isolation
            return await withUnsafeContinuation { continuation in
                sleeper.continuation = continuation
                if !submit(.sleep(sleeper)) { sleeper.resume(.closed) }
            }
        } onCancel: {
            submit(.cancelSleep(sleeper))
        }
    }

    /// Opens a server port whose requests go to `sink` from now on.
    ///
    /// Blocks for as long as the engine takes to come round, some tens of microseconds.
    ///
    /// - Returns: nil when the engine has stopped.
    /// - Throws: `invalidPort` or `portInUse`.
    public func openPort(_ port: UInt16, sink: PortSink) throws(EndpointError) -> Void? {
        let result = performAndWait { [self] () -> Result<Void, EndpointError> in
            do throws(EndpointError) {
                try state.pointee.endpoint.openPort(port)
                guard (try? state.pointee.driver.open(port)) != nil else {
                    state.pointee.endpoint.closePort(port)
                    throw .portInUse(port)
                }
                state.pointee.ports.insert(sink, at: port)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        return try result?.get()
    }

    /// Runs `body` on the engine thread, at once when this is that thread. False: the engine has stopped.
    @discardableResult
    public func perform(_ body: @escaping @Sendable () -> Void) -> Bool { submit(.perform(body)) }

    /// Accepts no more requests at the port and tells its sink. Does nothing when it is not open, or
    /// open for somebody else.
    public func closePort(_ port: UInt16, of owner: any AnyObject & Sendable) {
        submit(
            .perform { [self] in
                guard state.pointee.ports[port]?.owner === owner, let sink = state.pointee.ports.remove(port) else {
                    return
                }
                state.pointee.endpoint.closePort(port)
                state.pointee.driver.close(port)
                sink.closed()
            })
    }

    /// Counters now, or at the end when the engine has stopped. Blocks like ``openPort(_:sink:)``.
    public var statistics: EngineStatistics {
        if let statistics = performAndWait({ self.snapshot() }) { return statistics }
        return lifecycle.withLock { $0.finalStatistics }
    }

    /// All RPCs under way; none when the engine has stopped. Blocks like ``openPort(_:sink:)``.
    public func rpcs() -> [RPCInformation] {
        performAndWait { [self] in state.pointee.endpoint.allInformation(at: state.pointee.now) } ?? []
    }

    /// Waits until the engine has stopped, or until the task is cancelled.
    public nonisolated(nonsending) func waitForEnd() async { _ = await sleep(until: .distantFuture) }

    /// Runs `body` on the engine thread and waits for its result; nil when the engine has stopped.
    ///
    /// Another engine's thread that waits here does what others ask of it meanwhile: two engines that wait for each
    /// other would else do so for ever.
    func performAndWait<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
        if isCurrentThread { return state.pointee.isClosed ? nil : body() }
        if let stepper {
            var value: Value?
            stepper.perform { if !inbox.withLock({ $0.isClosed }) { value = body() } }
            return value
        }
        let reply = Reply<Value>()
        guard submit(.perform { reply.fill(body()) }) else { return nil }
        guard let waiter = Engine.current else { return reply.wait() }
        while !reply.wait(nanoseconds: 50_000) { _ = waiter.takeCommands() }
        return reply.value
    }

    /// A snapshot of all counters; engine thread only.
    func snapshot() -> EngineStatistics {
        var statistics = state.pointee.counters
        statistics.endpoint = state.pointee.endpoint.statistics
        state.pointee.driver.report(&statistics)
        statistics.pool = region.pool.statistics
        statistics.unservedRequests = unservedRequests
        statistics.activeRPCs = state.pointee.endpoint.rpcCount
        return statistics
    }
}

/// One value handed from the engine thread to a thread that waits for it.
private final class Reply<Value: Sendable>: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>
    /// There once a wait has succeeded.
    private(set) var value: Value?

    init() {
        semaphore = .allocate(capacity: 1)
        semaphore.initialize(to: sem_t())
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func fill(_ value: Value) {
        self.value = value
        sem_post(semaphore)
    }

    func wait() -> Value? {
        while sem_wait(semaphore) != 0 {}
        return value
    }

    /// False when it is not there after this time, less than a second.
    func wait(nanoseconds: Int) -> Bool {
        var limit = timespec()
        clock_gettime(CLOCK_REALTIME, &limit)
        limit.tv_nsec += nanoseconds
        limit.tv_sec += limit.tv_nsec / 1_000_000_000
        limit.tv_nsec %= 1_000_000_000
        return sem_timedwait(semaphore, &limit) == 0
    }
}
