// SPDX-License-Identifier: Apache-2.0

internal import HomaIO
internal import Logging
internal import Synchronization

extension HomaSocket {
    /// Where handlers run.
    public enum HandlerPlace: Sendable {
        /// On the threads of Swift's concurrent pool: handlers may compute for long. Getting there
        /// and back costs some tens of microseconds. The default.
        case concurrentPool
        /// On the node's own thread: lowest latency for handlers that suspend but never block.
        case engine
    }

    /// Answers requests with `handler`, many at once, until the socket or the node is closed.
    ///
    /// A handler that throws, or returns without an answer, drops its request and the client is told that;
    /// the error goes to the log, not to the client, and serving goes on. What a client may know of a failure the
    /// handler tells it with ``HomaRequest/fail(_:)-(String)``. When this returns or throws, no handler runs any
    /// more.
    ///
    /// When nobody waits any more for a request's answer (``HomaRequest/isAbandoned``), the task of its handler is
    /// cancelled, and with it calls that the handler has under way. A request that is given up while it waits for a
    /// handler is dropped.
    ///
    /// - Parameters:
    ///   - place: where handlers run.
    ///   - maximumConcurrency: most handlers at once, at least 1. Further requests wait in the region.
    ///   - handler: takes each request over.
    /// - Throws: code `cancelled` when the task is cancelled; handlers are cancelled with it and waited for.
    public func serve(
        on place: HandlerPlace = .concurrentPool, maximumConcurrency: Int = 1024,
        _ handler: @escaping @Sendable (consuming HomaRequest) async throws -> Void
    ) async throws(HomaError) {
        precondition(maximumConcurrency >= 1, "at least one handler must run")
        let executor: any TaskExecutor =
            switch place {
            case .concurrentPool: node.handlers
            case .engine: node.engine
            }
        await withTaskExecutorPreference(executor) {
            await dispatch(on: executor, limit: HandlerLimit(maximumConcurrency), handler)
        }
        guard queue.isClosed else { throw endOfRequests() }
    }

    /// Answers requests on the node's own thread, one after the other, each at the moment it is
    /// complete: the lowest latency there is. Until the socket or the node is closed. A node with several shards
    /// does so on each of its threads.
    ///
    /// `handler` must not block and should be quick: the node does nothing else meanwhile. A request
    /// that it does not answer is dropped, and its client told; it may also pass the request on.
    ///
    /// - Throws: code `cancelled` when the task is cancelled; no handler runs once this has returned
    ///   except one that had already begun.
    public func serveInline(_ handler: @escaping @Sendable (consuming HomaRequest) -> Void) async throws(HomaError) {
        let engine = node.engine
        let queue = queue
        await queue.runInline(
            { request in handler(HomaRequest(request)) }, drain: { engine.perform { queue.drainInline() } })
        guard queue.isClosed else { throw endOfRequests() }
    }

    /// Starts a child task for each request. A child goes on with further requests that wait, so that
    /// a busy server does not make a task for each.
    private func dispatch(
        on executor: any TaskExecutor, limit: HandlerLimit,
        _ handler: @escaping @Sendable (consuming HomaRequest) async throws -> Void
    ) async {
        await withDiscardingTaskGroup { group in
            while true {
                await limit.acquire()
                guard let request = await queue.next() else { break }
                let shard: any TaskExecutor = executor is Engine ? request.engine : executor
                let parcel = Parcel(request)
                group.addTask(executorPreference: shard) { [self] in
                    if let request = parcel.take() { await work(from: request, handler) }
                    limit.release()
                }
            }
        }
    }

    /// Runs handlers, one after the other, until no request waits or the task is cancelled: that is for good.
    private func work(
        from first: consuming QueuedRequest, _ handler: @Sendable (consuming HomaRequest) async throws -> Void
    ) async {
        var next: QueuedRequest? = first
        await withUnsafeCurrentTask { current in
            guard let current else { preconditionFailure("handlers run in tasks") }
            let task = HandlerTask(of: node.engine)
            task.enter(current)
            while let request = next.take() {
                let mayGoOn = await run(handler, request, in: task)
                next = mayGoOn && !Task.isCancelled ? queue.takeIfAny() : nil
            }
            task.leave()
        }
    }

    /// - Returns: false when the task has been cancelled.
    private func run(
        _ handler: @Sendable (consuming HomaRequest) async throws -> Void, _ request: consuming QueuedRequest,
        in task: HandlerTask
    ) async -> Bool {
        let (rpc, engine) = (request.arrived.rpc, request.engine)
        // A one-way message has no RPC any more that could be given up.
        let isWatched = request.arrived.wantsResponse
        if isWatched, !task.begin(rpc, of: engine) {
            engine.countUnserved()
            return task.end()
        }
        await run(handler, request)
        return !isWatched || task.end()
    }

    private func run(
        _ handler: @Sendable (consuming HomaRequest) async throws -> Void, _ request: consuming QueuedRequest
    ) async {
        let client = request.arrived.client
        do {
            try await handler(HomaRequest(request))
        } catch {
            node.logger.warning(
                "a request handler failed", metadata: ["port": "\(port)", "client": "\(client)", "error": "\(error)"])
        }
    }
}

/// Carries one request into a task without keeping it there afterwards.
private final class Parcel: Sendable {
    private let content: Mutex<QueuedRequest?>

    init(_ request: QueuedRequest) { content = Mutex(request) }

    func take() -> QueuedRequest? { content.withLock { $0.take() } }
}

/// Counts the handlers that may still start.
private final class HandlerLimit: Sendable {
    private struct State {
        var free: Int
        /// The dispatcher, of which there is one.
        var waiter: UnsafeContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    init(_ maximum: Int) { state = Mutex(State(free: maximum)) }

    func acquire() async {
        await withUnsafeContinuation { continuation in
            let isFree = state.withLock { state -> Bool in
                guard state.free > 0 else {
                    state.waiter = continuation
                    return false
                }
                state.free -= 1
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    func release() {
        let waiter = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            if let waiter = state.waiter.take() { return waiter }
            state.free += 1
            return nil
        }
        waiter?.resume()
    }
}
