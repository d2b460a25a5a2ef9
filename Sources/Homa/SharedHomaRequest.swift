// SPDX-License-Identifier: Apache-2.0

public import HomaBase
internal import HomaCore
internal import HomaIO
internal import Synchronization

/// A request that several owners may hold, answered at most once.
///
/// The first answer counts; another throws. When the last reference goes away without an answer, the
/// client is told (error code `requestDropped`).
public final class SharedHomaRequest: Sendable {
    /// The request's bytes, lent from the node's receive region.
    public let message: HomaMessage
    private let engine: Engine
    private let arrived: ArrivedRequest
    private let isAnswered = Atomic<Bool>(false)

    init(message: HomaMessage, engine: Engine, arrived: ArrivedRequest) {
        self.message = message
        self.engine = engine
        self.arrived = arrived
    }

    /// Makes a request shareable.
    public static func sharing(_ request: consuming HomaRequest) -> SharedHomaRequest { request.share() }

    deinit {
        if !isAnswered.load(ordering: .relaxed), arrived.wantsResponse { engine.decline(arrived.rpc) }
    }

    /// True for a one-way message; see ``HomaRequest/isOneWay``.
    public var isOneWay: Bool { !arrived.wantsResponse }

    /// The node and Homa port that the request came from.
    public var client: HomaAddress { HomaAddress(node: arrived.client, port: arrived.clientPort) }

    /// The RPC's identifier on this side.
    public var id: RPCID { arrived.id }

    /// Answers with `response`, 1 … 1 000 000 bytes, handed over without a copy. Never blocks.
    ///
    /// - Throws: code `alreadyAnswered`; `messageTooLong` or `messageEmpty`, after which another answer
    ///   is possible; or `nodeClosed`.
    public func respond(_ response: HomaBuffer) throws(HomaError) {
        try HomaError.checkLength(response.count, peer: client)
        try claim()
        guard engine.respond(to: arrived.rpc, with: response.storage) else { throw .nodeClosed(peer: client) }
    }

    /// Answers with a copy of `response`; see ``respond(_:)-(HomaBuffer)``.
    public func respond(_ response: [UInt8]) throws(HomaError) { try respond(HomaBuffer(copying: response)) }

    /// Answers with a copy of `response`; see ``respond(_:)-(HomaBuffer)``.
    public func respond(copying response: RawSpan) throws(HomaError) { try respond(HomaBuffer(copying: response)) }

    /// Answers with a copy of the bytes of `response`; see ``respond(_:)-(HomaBuffer)``.
    public func respond(copying response: HomaMessage) throws(HomaError) { try respond(HomaBuffer(copying: response)) }

    /// When the client ceases to wait; see ``HomaRequest/deadline``.
    public var deadline: Instant? { arrived.deadline == .distantFuture ? nil : arrived.deadline }

    /// How long the client will still wait; see ``HomaRequest/remaining``.
    public var remaining: Duration? { deadline.map { .nanoseconds($0.nanoseconds(since: engine.now)) } }

    /// True once nobody waits for the answer any more, while there is none; see ``HomaRequest/isAbandoned``.
    public var isAbandoned: Bool {
        arrived.wantsResponse && !isAnswered.load(ordering: .acquiring) && engine.isAbandoned(arrived.rpc)
    }

    /// Answers that the application failed; see ``HomaRequest/fail(_:)-(HomaBuffer)``.
    ///
    /// - Throws: as ``respond(_:)-(HomaBuffer)``.
    public func fail(_ response: HomaBuffer) throws(HomaError) {
        try HomaError.checkLength(response.count, peer: client)
        try claim()
        guard engine.fail(arrived.rpc, with: response.storage) else { throw .nodeClosed(peer: client) }
    }

    /// Answers with a copy of these bytes that the application failed; see ``HomaRequest/fail(_:)-(HomaBuffer)``.
    public func fail(_ response: [UInt8]) throws(HomaError) { try fail(HomaBuffer(copying: response)) }

    /// Answers with a text that says how the application failed; see ``HomaRequest/fail(_:)-(String)``.
    public func fail(_ text: String) throws(HomaError) { try fail(HomaBuffer(copying: Array(text.utf8))) }

    /// Drops the request: its client is told that it was not answered.
    ///
    /// - Throws: code `alreadyAnswered`.
    public func decline() throws(HomaError) {
        try claim()
        engine.decline(arrived.rpc)
    }

    private func claim() throws(HomaError) {
        guard !isAnswered.exchange(true, ordering: .acquiringAndReleasing) else {
            throw HomaError(.alreadyAnswered, "request \(id) has been answered or declined before", peer: client)
        }
    }
}
