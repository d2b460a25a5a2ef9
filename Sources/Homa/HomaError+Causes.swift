// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaBuffers
internal import HomaCore
internal import HomaIO
internal import HomaPosix

extension HomaError {
    /// A call that ended without a response.
    ///
    /// - Parameter refusal: what was said last about packets to the server, if nothing has come from it since.
    init(
        _ failure: RPCFailure, _ refusal: Refusal?, peer: HomaAddress, elapsed: Duration, deadline: Duration?,
        timeout: Duration
    ) {
        let (code, message): (Code, String) =
            switch failure {
            case .timedOut: (.timedOut, "the server was silent for \(timeout) (endpoint.timeout)")
            case .deadlineExceeded:
                (
                    .deadlineExceeded,
                    "no response within the call's deadline\(deadline.map { " of \($0)" } ?? "")"
                        + (refusal.map { "; \(Self.text(of: $0))" } ?? "")
                )
            case .aborted: (.cancelled, "the task was cancelled; the server may or may not have run the request")
            case .portUnreachable, .portClosed: (.portUnreachable, "no node listens at port \(peer.node.port)")
            case .hostUnreachable:
                (.hostUnreachable, refusal.map(Self.text(of:)) ?? "the network has no way to the host")
            case .sendRefused:
                (.sendRefused, refusal.map(Self.text(of:)) ?? "this host refuses to send to the server")
            case .requestDropped: (.requestDropped, "the server dropped the request without an answer")
            case .refusedAsStale:
                (
                    .refusedAsStale,
                    "the server has no answer to the request any more and cannot rule out that it ran before "
                        + "(its endpoint.responseRetention and endpoint.finishedMemory)"
                )
            case .peerRestarted:
                (.peerRestarted, "the server restarted; it may or may not have run the request before")
            case .noSuchPort: (.noSuchPort, "the server's node has no socket at Homa port \(peer.port)")
            case .serverDraining:
                (.serverDraining, "the server is about to end and has not run the request; another may")
            }
        self.init(code, message, peer: peer, elapsed: elapsed, hasNotRun: !failure.mayHaveRun)
    }

    /// Who says that packets do not arrive, and why.
    private static func text(of refusal: Refusal) -> String {
        let reason = "\(SystemError.name(of: refusal.code)): \(SystemError.text(of: refusal.code))"
        guard let reporter = refusal.reporter else {
            if refusal.failure == .hostUnreachable { return "this host has no way to the server (\(reason))" }
            let guess = refusal.isProhibition ? "; a firewall here may forbid it" : ""
            return "this host refuses to send to the server (\(reason))\(guess)"
        }
        let name = reporter.host
        if refusal.failure == .portUnreachable { return "\(name) says that no node listens there" }
        return refusal.isProhibition
            ? "\(name) says that packets to the server are prohibited (\(reason))"
            : "\(name) says that the server's host cannot be reached (\(reason))"
    }

    /// A call that was answered by a failure.
    init(answer: HomaMessage, peer: HomaAddress, elapsed: Duration) {
        self.init(.applicationError, Self.text(of: answer), peer: peer, elapsed: elapsed, response: answer)
    }

    /// The answer as text, if that is what it is and it is not too long for a line of a log.
    private static func text(of answer: HomaMessage) -> String {
        let plain = "the server's application failed"
        guard answer.count <= 500, let text = String(validating: answer.copyBytes(), as: UTF8.self),
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { return "\(plain) (\(answer.count) bytes, see response)" }
        return "\(plain): \(text)"
    }

    /// Something that the endpoint did not accept.
    init(_ error: EndpointError, peer: HomaAddress? = nil) {
        let code: Code =
            switch error {
            case .messageLength(let length, _): length == 0 ? .messageEmpty : .messageTooLong
            case .invalidPort: .invalidPort
            case .portInUse: .portInUse
            case .tooManyRPCs: .tooManyRPCs
            case .tooManyPeers: .tooManyPeers
            case .noFreeClientPort: .portInUse
            }
        self.init(code, error.description, peer: peer)
    }

    /// Something that the lower layers threw while a node was set up.
    package init(setup error: any Error) {
        switch error {
        case let error as HomaError: self = error
        case let error as ConfigurationError: self.init(.configuration, "endpoint.\(error)")
        case let error as PoolError: self.init(.configuration, "pool: \(error)")
        case let error as SystemError: self.init(.system, error.description)
        case let error as EndpointError: self.init(error)
        default: self.init(.system, "\(error)")
        }
    }

    init(_ error: ResolutionError) {
        switch error {
        case .malformed: self.init(.invalidAddress, error.description)
        case .notFound: self.init(.nameNotFound, error.description)
        }
    }

    static func nodeClosed(peer: HomaAddress? = nil, elapsed: Duration? = nil) -> HomaError {
        HomaError(.nodeClosed, "the node was shut down", peer: peer, elapsed: elapsed)
    }

    /// Throws unless `count` bytes can be a message.
    static func checkLength(_ count: Int, peer: HomaAddress?) throws(HomaError) {
        guard count > 0 else { throw HomaError(.messageEmpty, "a message has at least one byte", peer: peer) }
        guard count <= HomaLimits.maximumMessageLength else {
            throw HomaError(
                .messageTooLong, "\(count) bytes; a message has at most \(HomaLimits.maximumMessageLength)", peer: peer)
        }
    }
}
