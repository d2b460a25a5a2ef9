// SPDX-License-Identifier: Apache-2.0

internal import HomaCore
internal import HomaIO
internal import Synchronization

/// A request on its way to a handler. Whoever takes one must make a ``HomaRequest`` of it or decline it.
struct QueuedRequest: Sendable {
    let arrived: ArrivedRequest
    let message: ReceivedMessage
    /// The shard that it came to.
    let engine: Engine

    /// Nobody waits for the answer any more.
    var isAbandoned: Bool { arrived.wantsResponse && engine.isAbandoned(arrived.rpc) }
}

/// Requests of one socket between the engine thread and the application.
///
/// Either requests wait for takers or takers wait for requests, never both.
final class RequestQueue: Sendable {
    typealias InlineHandler = @Sendable (QueuedRequest) -> Void

    private struct Waiter {
        let id: UInt64
        let continuation: UnsafeContinuation<QueuedRequest?, Never>
    }

    private struct State {
        var requests: [QueuedRequest?] = []
        var head = 0
        var waiters: [Waiter] = []
        var endWaiters: [Waiter] = []
        var nextID: UInt64 = 0
        var inline: InlineHandler?
        var isClosed = false

        /// Requests that nobody waits for any more are passed over.
        mutating func takeFirst() -> QueuedRequest? {
            while head < requests.count {
                let request = requests[head].take()
                advance()
                guard let request else { continue }
                if !request.isAbandoned { return request }
                request.engine.countUnserved()
            }
            return nil
        }

        /// Takes out a request that nobody waits for any more; nil if it is not here. Those that waited longest are the
        /// first to be given up.
        mutating func take(_ rpc: RPCHandle, of engine: Engine) -> QueuedRequest? {
            let index = requests[head...].firstIndex { $0?.arrived.rpc == rpc && $0?.engine === engine }
            guard let index else { return nil }
            let request = requests[index].take()
            while head < requests.count, requests[head] == nil { advance() }
            return request
        }

        private mutating func advance() {
            head += 1
            if head == requests.count {
                requests.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= 1024 && head * 2 >= requests.count {
                requests.removeFirst(head)
                head = 0
            }
        }
    }

    private enum Delivery {
        case queued
        case inline(InlineHandler)
        case waiter(UnsafeContinuation<QueuedRequest?, Never>)
        case refused
    }

    private let state = Mutex(State())

    /// True once no more requests will come; those queued before are declined.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Takes a request from the engine. False: closed, and the request was not taken.
    func deliver(_ request: QueuedRequest) -> Bool {
        let delivery = state.withLock { state -> Delivery in
            if state.isClosed { return .refused }
            if let inline = state.inline { return .inline(inline) }
            if !state.waiters.isEmpty { return .waiter(state.waiters.removeFirst().continuation) }
            state.requests.append(request)
            return .queued
        }
        switch delivery {
        case .queued: return true
        case .inline(let handler): handler(request)
        case .waiter(let continuation): continuation.resume(returning: request)
        case .refused: return false
        }
        return true
    }

    /// Drops a request without work, if it still waits: its buffers go back at once. Engine thread only.
    func drop(_ rpc: RPCHandle, of engine: Engine) {
        guard let request = state.withLock({ $0.take(rpc, of: engine) }) else { return }
        request.engine.countUnserved()
    }

    /// A request that waits, or nil.
    func takeIfAny() -> QueuedRequest? { state.withLock { $0.takeFirst() } }

    /// The next request; nil when the queue is closed or the task cancelled.
    nonisolated(nonsending) func next() async -> QueuedRequest? {
        let id = state.withLock { state -> UInt64 in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let immediate = state.withLock { state -> QueuedRequest?? in
                    if let request = state.takeFirst() { return .some(request) }
                    if state.isClosed || Task.isCancelled { return .some(nil) }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return .none
                }
                if let immediate { continuation.resume(returning: immediate) }
            }
        } onCancel: {
            cancelWaiter(id)
        }
    }

    /// Sends every request to `handler` on the engine thread until the queue is closed or the task cancelled.
    /// `drain` must call ``drainInline()`` on the engine thread.
    nonisolated(nonsending) func runInline(_ handler: @escaping InlineHandler, drain: () -> Void) async {
        let id = state.withLock { state -> UInt64 in
            state.inline = handler
            state.nextID += 1
            return state.nextID
        }
        drain()
        await withTaskCancellationHandler {
            _ = await withUnsafeContinuation { (continuation: UnsafeContinuation<QueuedRequest?, Never>) in
                let isOver = state.withLock { state -> Bool in
                    if state.isClosed || Task.isCancelled { return true }
                    state.endWaiters.append(Waiter(id: id, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume(returning: nil) }
            }
        } onCancel: {
            cancelWaiter(id)
        }
        state.withLock { $0.inline = nil }
    }

    /// Gives the inline handler what came before it was there. Engine thread only.
    func drainInline() {
        while let (handler, request) = state.withLock({ state -> (InlineHandler, QueuedRequest)? in
            guard let handler = state.inline, let request = state.takeFirst() else { return nil }
            return (handler, request)
        }) {
            handler(request)
        }
    }

    /// Ends all waits and returns the requests that nobody will take.
    func close() -> [QueuedRequest] {
        let (rest, waiters) = state.withLock { state -> ([QueuedRequest], [Waiter]) in
            state.isClosed = true
            let rest = state.requests[state.head...].compactMap(\.self)
            let waiters = state.waiters + state.endWaiters
            state.requests = []
            state.head = 0
            state.waiters = []
            state.endWaiters = []
            return (rest, waiters)
        }
        for waiter in waiters { waiter.continuation.resume(returning: nil) }
        return rest
    }

    private func cancelWaiter(_ id: UInt64) {
        let waiter = state.withLock { state -> Waiter? in
            if let index = state.waiters.firstIndex(where: { $0.id == id }) { return state.waiters.remove(at: index) }
            if let index = state.endWaiters.firstIndex(where: { $0.id == id }) {
                return state.endWaiters.remove(at: index)
            }
            return nil
        }
        waiter?.continuation.resume(returning: nil)
    }
}
