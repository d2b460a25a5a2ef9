// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaCore

/// One call or one-way message of the application, from its start to its outcome.
///
/// Made by the caller's task; from then on only the engine thread touches what can change.
public final class PendingCall: @unchecked Sendable {
    enum Phase {
        case waiting
        /// Cancelled before the engine had heard of it.
        case cancelledEarly
        case running(RPCHandle)
        case finished
    }

    let destination: PeerAddress
    let serverPort: UInt16
    /// The message, where its bytes need not exist before the first packet leaves.
    let source: MessageSource?
    /// The message, where they exist.
    let buffer: OutgoingBuffer?
    /// Length of the message in bytes.
    let count: Int
    /// Nanoseconds from the start to the deadline; nil: none.
    let limitNanoseconds: UInt64?
    /// No response is wanted.
    let isOneWay: Bool
    /// Of the task that waits: it gets nil when it is to wait in a way in which it can be cancelled.
    var continuation: UnsafeContinuation<CallOutcome?, Never>?
    /// Its task cannot be cancelled, and so must not wait for long.
    var isYoung = false
    /// How it ended while no task waited.
    private var outcome: CallOutcome?
    /// Who takes the outcome where no task waits for it.
    var onEnd: ((CallOutcome) -> Void)?
    var phase = Phase.waiting
    /// When the engine took it over.
    var started = Instant.zero
    /// How long the call took; meaningful once it has ended.
    public internal(set) var elapsedNanoseconds: UInt64 = 0

    private static var shortLimit: Int { 1024 }

    public init(
        to destination: PeerAddress, port: UInt16, sending message: MessageSource, limitNanoseconds: UInt64?,
        isOneWay: Bool = false
    ) {
        self.destination = destination
        self.isOneWay = isOneWay
        serverPort = port
        count = message.count
        // Of a short message the description is no smaller.
        if case .buffer(let buffer) = message {
            self.buffer = buffer
            source = nil
        } else if message.count <= Self.shortLimit {
            buffer = message.makeBuffer()
            source = nil
        } else {
            buffer = nil
            source = message
        }
        self.limitNanoseconds = limitNanoseconds
    }

    /// Hands the outcome to the caller's task; only the first call counts.
    func finish(_ outcome: CallOutcome, at now: Instant) {
        phase = .finished
        elapsedNanoseconds = started == .zero ? 0 : now.nanoseconds(since: started)
        if let onEnd {
            self.onEnd = nil
            return onEnd(outcome)
        }
        guard let continuation else {
            self.outcome = outcome
            return
        }
        self.continuation = nil
        continuation.resume(returning: outcome)
    }

    /// The task waits; what is known already it gets at once.
    func wait(_ continuation: UnsafeContinuation<CallOutcome?, Never>) {
        if let outcome { return continuation.resume(returning: outcome) }
        self.continuation = continuation
    }

    /// Has the task wait in a way in which it can be cancelled, if it waits.
    func growOld() {
        guard isYoung, let continuation else { return }
        isYoung = false
        self.continuation = nil
        continuation.resume(returning: nil)
    }
}

/// How a call ended.
public enum CallOutcome: Sendable {
    case response(ReceivedMessage)
    /// The server's application says that it failed.
    case failure(ReceivedMessage)
    /// A one-way message has arrived.
    case delivered
    /// With what was said last about packets to the server, if nothing has come from it since.
    case failed(RPCFailure, Refusal? = nil)
    /// The endpoint could not take it.
    case rejected(EndpointError)
    /// The engine has stopped.
    case closed
}
