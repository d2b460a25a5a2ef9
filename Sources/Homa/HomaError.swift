// SPDX-License-Identifier: Apache-2.0

/// What went wrong, with which peer, after how long, and which setting bounds it.
public struct HomaError: Error, Sendable {
    /// Kinds of failure. The set is open: match the codes you handle and keep a default.
    public struct Code: Hashable, Sendable {
        enum Wrapped: String, Hashable, Sendable {
            case timedOut, deadlineExceeded, cancelled, portUnreachable, hostUnreachable, requestDropped
            case refusedAsStale, peerRestarted, noSuchPort, serverDraining, sendRefused, applicationError, nodeClosed
            case socketClosed
            case messageTooLong, messageEmpty, tooManyRPCs, tooManyPeers, alreadyAnswered, invalidAddress
            case nameNotFound, invalidPort, portInUse, configuration, system
        }

        let wrapped: Wrapped

        /// Nothing was heard from the server for `endpoint.timeout`.
        public static let timedOut = Code(wrapped: .timedOut)
        /// The deadline given with the call passed. The server may or may not have run the request.
        public static let deadlineExceeded = Code(wrapped: .deadlineExceeded)
        /// The task was cancelled. The server may or may not have run the request.
        public static let cancelled = Code(wrapped: .cancelled)
        /// No node listens at the server's UDP port.
        public static let portUnreachable = Code(wrapped: .portUnreachable)
        /// The network has no way to the server's host, says a router, that host itself, or the own system. The message
        /// tells who, and in which words.
        public static let hostUnreachable = Code(wrapped: .hostUnreachable)
        /// The server's application dropped the request without an answer.
        public static let requestDropped = Code(wrapped: .requestDropped)
        /// The server cannot rule out that the request ran before, and refuses to run it twice.
        public static let refusedAsStale = Code(wrapped: .refusedAsStale)
        /// The server restarted after it may have received the request.
        public static let peerRestarted = Code(wrapped: .peerRestarted)
        /// No socket is open at the Homa port of the server's node.
        public static let noSuchPort = Code(wrapped: .noSuchPort)
        /// The server is about to end and takes no new requests. The request has not run.
        public static let serverDraining = Code(wrapped: .serverDraining)
        /// The own system refuses to send to the server, a firewall for example; the message names the system's error.
        public static let sendRefused = Code(wrapped: .sendRefused)
        /// The server's application answered that it failed; ``HomaError/response`` is what it said.
        public static let applicationError = Code(wrapped: .applicationError)
        /// The node was shut down.
        public static let nodeClosed = Code(wrapped: .nodeClosed)
        /// The socket was closed.
        public static let socketClosed = Code(wrapped: .socketClosed)
        /// A message is longer than 1 000 000 bytes.
        public static let messageTooLong = Code(wrapped: .messageTooLong)
        /// A message has no bytes; Homa's messages have at least one.
        public static let messageEmpty = Code(wrapped: .messageEmpty)
        /// `endpoint.maximumRPCs` RPCs are under way.
        public static let tooManyRPCs = Code(wrapped: .tooManyRPCs)
        /// RPCs with `endpoint.maximumPeers` peers are under way.
        public static let tooManyPeers = Code(wrapped: .tooManyPeers)
        /// The request has been answered or declined before.
        public static let alreadyAnswered = Code(wrapped: .alreadyAnswered)
        /// A text is not an address.
        public static let invalidAddress = Code(wrapped: .invalidAddress)
        /// The name service does not know the host.
        public static let nameNotFound = Code(wrapped: .nameNotFound)
        /// Not a port that a server may open.
        public static let invalidPort = Code(wrapped: .invalidPort)
        /// The node has a socket at this Homa port already.
        public static let portInUse = Code(wrapped: .portInUse)
        /// A setting, or a combination of settings, cannot work.
        public static let configuration = Code(wrapped: .configuration)
        /// The operating system refused something.
        public static let system = Code(wrapped: .system)
    }

    /// What kind of failure.
    public let code: Code
    /// The other side, where there is one.
    public let peer: HomaAddress?
    /// How long the RPC had been under way, where there was one.
    public let elapsed: Duration?
    /// What happened, in words, with the setting that bounds it.
    public let message: String
    /// With code `applicationError`: the bytes that the server's application answered with, see
    /// ``HomaRequest/fail(_:)-(HomaBuffer)``. Lent from the region like any message.
    public let response: HomaMessage?
    /// More is known than the code says: the request has not run.
    private let hasNotRun: Bool

    /// The library makes errors by itself; this is for what stands in for it in tests, and for errors passed on.
    ///
    /// - Parameters:
    ///   - code: what kind of failure.
    ///   - message: what happened, in words.
    ///   - peer: the other side.
    ///   - elapsed: how long the RPC had been under way.
    ///   - response: what the server's application answered, with code `applicationError`.
    public init(
        _ code: Code, _ message: String, peer: HomaAddress? = nil, elapsed: Duration? = nil,
        response: HomaMessage? = nil, hasNotRun: Bool = false
    ) {
        self.hasNotRun = hasNotRun
        self.response = response
        self.code = code
        self.message = message
        self.peer = peer
        self.elapsed = elapsed
    }
}

extension HomaError {
    /// Whether the server may have run the request, or begun to. If not, it is safe to send it again, to the same
    /// server or another: it runs once.
    ///
    /// True in doubt. So also for a request that was dropped, and one whose handler said that it failed.
    public var mayHaveRun: Bool {
        if hasNotRun { return false }
        return switch code.wrapped {
        case .noSuchPort, .serverDraining, .messageTooLong, .messageEmpty, .tooManyRPCs, .tooManyPeers,
            .alreadyAnswered, .invalidAddress, .nameNotFound, .invalidPort, .portInUse, .configuration, .system:
            false
        case .timedOut, .deadlineExceeded, .cancelled, .portUnreachable, .hostUnreachable, .requestDropped,
            .refusedAsStale, .peerRestarted, .sendRefused, .applicationError, .nodeClosed, .socketClosed:
            true
        }
    }
}

extension HomaError {
    /// Nobody, or not the one who is sought, is at the address.
    var saysNobodyIsThere: Bool {
        switch code {
        case .portUnreachable, .hostUnreachable, .sendRefused, .timedOut: true
        default: false
        }
    }
}

extension HomaError: Equatable {
    /// Equal when code, peer and message are; how long it took does not count.
    public static func == (lhs: HomaError, rhs: HomaError) -> Bool {
        lhs.code == rhs.code && lhs.peer == rhs.peer && lhs.message == rhs.message
    }
}

extension HomaError.Code: CustomStringConvertible {
    /// The code's name, such as `timedOut`.
    public var description: String { wrapped.rawValue }
}

extension HomaError: CustomStringConvertible {
    /// Such as
    /// `timedOut: the server was silent for 0.4 seconds (endpoint.timeout) [peer 10.0.0.2:4000, after 0.4 seconds]`.
    public var description: String {
        var context: [String] = []
        if let peer { context.append("peer \(peer)") }
        if let elapsed { context.append("after \(elapsed)") }
        return "\(code): \(message)" + (context.isEmpty ? "" : " [\(context.joined(separator: ", "))]")
    }
}
