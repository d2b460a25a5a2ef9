// SPDX-License-Identifier: Apache-2.0

/// Why a call ended without a response.
@frozen
public enum RPCFailure: UInt8, Sendable, CaseIterable {
    /// Nothing was heard from the server for the configured timeout.
    case timedOut
    /// The caller's own deadline passed.
    case deadlineExceeded
    /// The caller aborted.
    case aborted
    /// The network says that nothing listens at the server's node (ICMP port unreachable).
    case portUnreachable
    /// The network, or the own system, says that the server's host cannot be reached.
    case hostUnreachable
    /// The server's application dropped the request without an answer.
    case requestDropped
    /// The server refuses to run the request, since it cannot rule out that it ran before.
    case refusedAsStale
    /// The server restarted after it may have received the whole request, so running it again could run it twice.
    case peerRestarted
    /// No socket is open on the server's port (the server's node said so).
    case noSuchPort
    /// The server is about to end and takes no new requests.
    case serverDraining
    /// The own system refuses to send to the server.
    case sendRefused
    /// ``portUnreachable``, and of the first packet of the request, of which none had been sent again.
    case portClosed

    /// Whether the server may have run the request. If not, it can be sent again, there or elsewhere, and runs once.
    public var mayHaveRun: Bool {
        switch self {
        case .noSuchPort, .serverDraining, .portClosed: false
        case .timedOut, .deadlineExceeded, .aborted, .portUnreachable, .hostUnreachable, .requestDropped,
            .refusedAsStale, .peerRestarted, .sendRefused:
            true
        }
    }
}

/// Why nobody waits any more for the answer to a request.
@frozen
public enum AbandonmentReason: UInt8, Sendable, CaseIterable {
    /// The client has given the call up, and said so.
    case cancelled
    /// The time that the client gave for it is over.
    case deadlinePassed
}
