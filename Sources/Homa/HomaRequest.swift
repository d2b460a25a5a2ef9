// SPDX-License-Identifier: Apache-2.0

public import HomaBase
internal import HomaCore
internal import HomaIO

/// A request to answer exactly once.
///
/// The type cannot be copied and answering consumes it, so answering twice does not compile. When it
/// goes away unanswered, its client is told at once (error code `requestDropped`). Answering only
/// hands the bytes over; the node sends them by itself, and a client that has gone in the meantime
/// is no error. Use ``SharedHomaRequest`` where several owners are needed.
///
/// A one-way message (``HomaNode/send(_:to:deadline:)-(HomaBuffer,HomaAddress,_)``) comes as a request as well. It need
/// not be answered; an answer goes nowhere.
public struct HomaRequest: ~Copyable, Sendable {
    /// The request's bytes, lent from the node's receive region.
    public let message: HomaMessage
    let engine: Engine
    let arrived: ArrivedRequest
    private var isAnswered = false

    init(_ request: consuming QueuedRequest) {
        arrived = request.arrived
        message = HomaMessage(request.message)
        engine = request.engine
    }

    deinit {
        if !isAnswered, arrived.wantsResponse { engine.decline(arrived.rpc) }
    }

    /// True for a one-way message. The first messages to a node that does not know this one yet look like requests;
    /// their sender is content with any answer, and with none.
    public var isOneWay: Bool { !arrived.wantsResponse }

    /// The node and Homa port that the request came from.
    public var client: HomaAddress { HomaAddress(node: arrived.client, port: arrived.clientPort) }

    /// The RPC's identifier on this side.
    public var id: RPCID { arrived.id }

    /// When the client ceases to wait for the answer, on the node's clock (``HomaNode/now``); nil when it gave no
    /// deadline, or its node has no extensions. The answer is not sent after that.
    public var deadline: Instant? { arrived.deadline == .distantFuture ? nil : arrived.deadline }

    /// How long the client will still wait; nil without a deadline. What a handler gives to calls of its own that serve
    /// this request.
    public var remaining: Duration? { deadline.map { .nanoseconds($0.nanoseconds(since: engine.now)) } }

    /// True once nobody waits for the answer any more: the client has given the call up, or its ``deadline`` has
    /// passed. Work for it is work for nothing, and an answer goes nowhere.
    ///
    /// A handler that ``HomaSocket/serve(on:maximumConcurrency:_:)`` runs is cancelled as well. The word of a client
    /// that has given up may be lost; its deadline is not.
    public var isAbandoned: Bool { arrived.wantsResponse && engine.isAbandoned(arrived.rpc) }

    /// Answers with `response`, 1 … 1 000 000 bytes, handed over without a copy. Never blocks.
    ///
    /// - Throws: code `messageTooLong`, `messageEmpty` (then the request counts as dropped) or `nodeClosed`.
    public consuming func respond(_ response: HomaBuffer) throws(HomaError) {
        try HomaError.checkLength(response.count, peer: client)
        guard engine.respond(to: arrived.rpc, with: response.storage) else { throw .nodeClosed(peer: client) }
        isAnswered = true
    }

    /// Answers with a copy of `response`; see ``respond(_:)-(HomaBuffer)``.
    public consuming func respond(_ response: [UInt8]) throws(HomaError) {
        try respond(HomaBuffer(copying: response))
    }

    /// Answers with a copy of `response`; see ``respond(_:)-(HomaBuffer)``.
    public consuming func respond(copying response: RawSpan) throws(HomaError) {
        try respond(HomaBuffer(copying: response))
    }

    /// Answers with a copy of `response`; see ``respond(_:)-(HomaBuffer)``.
    public consuming func respond(copying response: Span<UInt8>) throws(HomaError) {
        try respond(HomaBuffer(copying: response))
    }

    /// Answers with a copy of the bytes of `response`; see ``respond(_:)-(HomaBuffer)``.
    public consuming func respond(copying response: HomaMessage) throws(HomaError) {
        try respond(HomaBuffer(copying: response))
    }

    /// Answers with a copy of the request itself.
    public consuming func respondWithRequest() throws(HomaError) {
        let buffer = HomaBuffer(copying: message)
        try respond(buffer)
    }

    /// Answers that the application failed: the call fails with code `applicationError` and these bytes, 1 … 1 000 000,
    /// as ``HomaError/response``. A client without this project's extensions would take them for an answer, so it is
    /// told nothing, and its call times out.
    ///
    /// - Throws: code `messageTooLong`, `messageEmpty` (then the request counts as dropped) or `nodeClosed`.
    public consuming func fail(_ response: HomaBuffer) throws(HomaError) {
        try HomaError.checkLength(response.count, peer: client)
        guard engine.fail(arrived.rpc, with: response.storage) else { throw .nodeClosed(peer: client) }
        isAnswered = true
    }

    /// Answers with a copy of these bytes that the application failed; see ``fail(_:)-(HomaBuffer)``.
    public consuming func fail(_ response: [UInt8]) throws(HomaError) { try fail(HomaBuffer(copying: response)) }

    /// Answers with a text that says how the application failed; see ``fail(_:)-(HomaBuffer)``. Short texts become part
    /// of the error's message.
    public consuming func fail(_ text: String) throws(HomaError) { try fail(HomaBuffer(copying: Array(text.utf8))) }

    /// Drops the request: its client is told that it was not answered. The same as letting it go.
    public consuming func decline() {}

    /// Passes the duty to answer on to a form that can be shared.
    consuming func share() -> SharedHomaRequest {
        let shared = SharedHomaRequest(message: message, engine: engine, arrived: arrived)
        isAnswered = true
        return shared
    }
}
