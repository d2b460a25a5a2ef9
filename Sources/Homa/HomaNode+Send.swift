// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaIO

/// Sending messages that want no response.
///
/// All forms behave alike. The method suspends until the receiving node has the whole message, and fails with a
/// ``HomaError`` that names the peer, the time it took and the setting that bounds it. A message is delivered at most
/// once. Cancelling the task, or a deadline that passes, gives the message up at once; it may or may not have arrived.
///
/// The receiver takes it from its socket like a request (``HomaRequest/isOneWay``). Towards a node without this
/// project's extensions, and in the first moments of an acquaintance, it goes as a call whose response is thrown away.
extension HomaNode {
    /// Sends `message`, handed over without a copy.
    ///
    /// - Parameters:
    ///   - message: 1 … 1 000 000 bytes.
    ///   - receiver: the receiver's socket.
    ///   - deadline: longest time to wait for the acknowledgement; nil: as long as the receiver gives signs of life.
    /// - Throws: ``HomaError``.
    public nonisolated(nonsending) func send(
        _ message: HomaBuffer, to receiver: HomaAddress, deadline: Duration? = nil
    ) async throws(HomaError) {
        try await send(.buffer(message.storage), to: receiver, deadline: deadline)
    }

    /// Part of its callers, see ``call(_:sending:deadline:)-(HomaAddress,MessageSource,_)``.
    @inline(__always)
    nonisolated(nonsending) func send(
        _ message: MessageSource, to receiver: HomaAddress, deadline: Duration?
    ) async throws(HomaError) {
        try HomaError.checkLength(message.count, peer: receiver)
        let call = PendingCall(
            to: receiver.node, port: receiver.port, sending: message,
            limitNanoseconds: deadline?.wholeNanoseconds, isOneWay: true)
        switch await nextEngine.outcome(of: call) {
        case .delivered: return
        case .response, .failure: preconditionFailure("a one-way message ended as a call does")
        case .failed(let failure, let refusal):
            throw HomaError(
                failure, refusal, peer: receiver, elapsed: .nanoseconds(call.elapsedNanoseconds), deadline: deadline,
                timeout: configuration.endpoint.timeout)
        case .rejected(let error): throw HomaError(error, peer: receiver)
        case .closed: throw .nodeClosed(peer: receiver, elapsed: .nanoseconds(call.elapsedNanoseconds))
        }
    }

    /// Sends a copy of `message`; see ``send(_:to:deadline:)-(HomaBuffer,HomaAddress,_)``.
    public nonisolated(nonsending) func send(
        _ message: [UInt8], to receiver: HomaAddress, deadline: Duration? = nil
    ) async throws(HomaError) {
        try await send(.bytes(message), to: receiver, deadline: deadline)
    }

    /// Sends a message that `fill` writes when it is its turn to leave.
    ///
    /// - Parameters:
    ///   - count: length of the message, 1 … 1 000 000 bytes.
    ///   - receiver: the receiver's socket.
    ///   - deadline: longest time to wait for the acknowledgement; nil: as long as the receiver gives signs of life.
    ///   - fill: as for ``call(_:count:deadline:fill:)-(HomaAddress,_,_,_)``.
    /// - Throws: ``HomaError``.
    public nonisolated(nonsending) func send(
        count: Int, to receiver: HomaAddress, deadline: Duration? = nil,
        fill: @escaping @Sendable (inout OutputRawSpan) -> Void
    ) async throws(HomaError) {
        try await send(.fill(count: count, fill), to: receiver, deadline: deadline)
    }

    /// Sends a copy of `message`; see ``send(_:to:deadline:)-(HomaBuffer,HomaAddress,_)``.
    public nonisolated(nonsending) func send(
        copying message: RawSpan, to receiver: HomaAddress, deadline: Duration? = nil
    ) async throws(HomaError) {
        let buffer = HomaBuffer(copying: message)
        try await send(buffer, to: receiver, deadline: deadline)
    }

    /// One way, by name.
    nonisolated(nonsending) func send(
        _ message: MessageSource, to receiver: String, deadline: Duration?
    ) async throws(HomaError) {
        try await atFirst(of: receiver, deadline: deadline) { address, deadline throws(HomaError) in
            try await self.send(message, to: address, deadline: deadline)
        }
    }

    /// Sends `message`, handed over without a copy, to the socket that a text names.
    ///
    /// - Parameter receiver: `host:4000`, `host:4000/99` or `[v6]:4000`; see ``HomaAddress`` and ``resolve(_:)``.
    /// - Throws: ``HomaError``; also `invalidAddress` and `nameNotFound`.
    public nonisolated(nonsending) func send(
        _ message: HomaBuffer, to receiver: String, deadline: Duration? = nil
    ) async throws(HomaError) {
        try await send(.buffer(message.storage), to: receiver, deadline: deadline)
    }

    /// Sends a copy of `message` to the socket that a text names.
    public nonisolated(nonsending) func send(
        _ message: [UInt8], to receiver: String, deadline: Duration? = nil
    ) async throws(HomaError) {
        try await send(.bytes(message), to: receiver, deadline: deadline)
    }
}
