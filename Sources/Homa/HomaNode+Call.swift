// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaIO

/// Calling servers.
///
/// All forms behave alike. The call suspends until the response is here. It fails with a ``HomaError``
/// that names the peer, the time it took and the setting that bounds it, and that says whether the server may have run
/// the request (``HomaError/mayHaveRun``). Cancelling the task aborts
/// the call at once, on the node's own thread within a millisecond of its start, with code `cancelled`; the server may
/// or may not have run the request. The same
/// holds for a deadline that passes. The server hears of both: a request that waits there is dropped, and a handler at
/// work is cancelled (``HomaRequest/isAbandoned``). A request whose call has failed is not sent again.
extension HomaNode {
    /// Sends `request`, handed over without a copy, and returns the response.
    ///
    /// - Parameters:
    ///   - server: the server's socket.
    ///   - request: 1 … 1 000 000 bytes.
    ///   - deadline: longest time to wait for the response; nil: as long as the server gives signs of life.
    /// - Throws: ``HomaError``.
    public nonisolated(nonsending) func call(
        _ server: HomaAddress, sending request: HomaBuffer, deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        try await call(server, sending: .buffer(request.storage), deadline: deadline)
    }

    /// Part of its callers: a function of its own would be one more piece of each call's task memory.
    @inline(__always)
    nonisolated(nonsending) func call(
        _ server: HomaAddress, sending message: MessageSource, deadline: Duration?
    ) async throws(HomaError) -> HomaMessage {
        try HomaError.checkLength(message.count, peer: server)
        let call = PendingCall(
            to: server.node, port: server.port, sending: message, limitNanoseconds: deadline?.wholeNanoseconds)
        switch await nextEngine.outcome(of: call) {
        case .response(let message): return HomaMessage(message)
        case .failure(let answer):
            throw HomaError(
                answer: HomaMessage(answer), peer: server, elapsed: .nanoseconds(call.elapsedNanoseconds))
        case .delivered: preconditionFailure("a call ended as a one-way message does")
        case .failed(let failure, let refusal):
            throw HomaError(
                failure, refusal, peer: server, elapsed: .nanoseconds(call.elapsedNanoseconds), deadline: deadline,
                timeout: configuration.endpoint.timeout)
        case .rejected(let error): throw HomaError(error, peer: server)
        case .closed: throw .nodeClosed(peer: server, elapsed: .nanoseconds(call.elapsedNanoseconds))
        }
    }

    /// Sends a request that `fill` writes when it is its turn to leave, and returns the response.
    ///
    /// A node has a limited number of bytes under way to each server (``EndpointConfiguration/bytesUnderWayPerPeer``);
    /// what is beyond waits, the shortest first. Called in this form, a request that waits takes no memory for its
    /// bytes, so that a burst of calls costs no more than what the network carries.
    ///
    /// - Parameters:
    ///   - server: the server's socket.
    ///   - count: length of the request, 1 … 1 000 000 bytes.
    ///   - deadline: longest time to wait for the response; nil: as long as the server gives signs of life.
    ///   - fill: appends the bytes; those that it leaves out are zero. It runs once at most (once for each address that
    ///     is tried, if the server is named): for up to 1 KB at once,
    ///     for more on the node's own thread, where it must not block or wait. It does not run if the call ends before.
    /// - Throws: ``HomaError``.
    public nonisolated(nonsending) func call(
        _ server: HomaAddress, count: Int, deadline: Duration? = nil,
        fill: @escaping @Sendable (inout OutputRawSpan) -> Void
    ) async throws(HomaError) -> HomaMessage {
        try await call(server, sending: .fill(count: count, fill), deadline: deadline)
    }

    /// Sends a copy of `request`, made when it is its turn to leave, and returns the response.
    ///
    /// See ``call(_:sending:deadline:)-(HomaAddress,HomaBuffer,_)``.
    public nonisolated(nonsending) func call(
        _ server: HomaAddress, sending request: [UInt8], deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        try await call(server, sending: .bytes(request), deadline: deadline)
    }

    /// Sends a copy of `request` and returns the response.
    ///
    /// See ``call(_:sending:deadline:)-(HomaAddress,HomaBuffer,_)``.
    public nonisolated(nonsending) func call(
        _ server: HomaAddress, sending request: RawSpan, deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        let buffer = HomaBuffer(copying: request)
        return try await call(server, sending: buffer, deadline: deadline)
    }

    /// Sends a copy of `request` and returns the response.
    ///
    /// See ``call(_:sending:deadline:)-(HomaAddress,HomaBuffer,_)``.
    public nonisolated(nonsending) func call(
        _ server: HomaAddress, sending request: Span<UInt8>, deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        let buffer = HomaBuffer(copying: request)
        return try await call(server, sending: buffer, deadline: deadline)
    }

    /// A call by name.
    nonisolated(nonsending) func call(
        _ server: String, sending message: MessageSource, deadline: Duration?
    ) async throws(HomaError) -> HomaMessage {
        try await atFirst(of: server, deadline: deadline) { address, deadline throws(HomaError) in
            try await self.call(address, sending: message, deadline: deadline)
        }
    }

    /// Sends `request`, handed over without a copy, to the server that a text names, and returns the response.
    ///
    /// A name may stand for several addresses, as `localhost` does. Where nobody listens at one, so that the request
    /// has certainly not run, the next is tried.
    ///
    /// - Parameter server: `host:4000`, `host:4000/99` or `[v6]:4000`; see ``HomaAddress`` and ``resolve(_:)``.
    /// - Throws: ``HomaError``; also `invalidAddress` and `nameNotFound`.
    public nonisolated(nonsending) func call(
        _ server: String, sending request: HomaBuffer, deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        try await call(server, sending: .buffer(request.storage), deadline: deadline)
    }

    /// Sends a request that `fill` writes when it is its turn to leave to the server that a text names, and returns the
    /// response; see ``call(_:count:deadline:fill:)-(HomaAddress,_,_,_)``.
    public nonisolated(nonsending) func call(
        _ server: String, count: Int, deadline: Duration? = nil,
        fill: @escaping @Sendable (inout OutputRawSpan) -> Void
    ) async throws(HomaError) -> HomaMessage {
        try await call(server, sending: .fill(count: count, fill), deadline: deadline)
    }

    /// Sends a copy of `request` to the server that a text names, and returns the response.
    public nonisolated(nonsending) func call(
        _ server: String, sending request: [UInt8], deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        try await call(server, sending: .bytes(request), deadline: deadline)
    }

    /// Sends a copy of `request` to the server that a text names, and returns the response.
    public nonisolated(nonsending) func call(
        _ server: String, sending request: RawSpan, deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        let buffer = HomaBuffer(copying: request)
        return try await call(server, sending: buffer, deadline: deadline)
    }

    /// Sends a copy of `request` to the server that a text names, and returns the response.
    public nonisolated(nonsending) func call(
        _ server: String, sending request: Span<UInt8>, deadline: Duration? = nil
    ) async throws(HomaError) -> HomaMessage {
        let buffer = HomaBuffer(copying: request)
        return try await call(server, sending: buffer, deadline: deadline)
    }
}
