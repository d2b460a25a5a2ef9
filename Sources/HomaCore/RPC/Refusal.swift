// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// What keeps packets from reaching a peer, as far as anybody says so: this host's own system, a router on the way, or
/// the peer's host.
@frozen
public struct Refusal: Equatable, Sendable, BitwiseCopyable {
    /// How much it weighs.
    @frozen
    public enum Weight: UInt8, Sendable {
        /// It may be over in a moment: a route that is being changed, a host that starts (RFC 1122, section 4.2.3.9).
        /// It ends no call, but tells why one ended.
        case hint
        /// It lasts, unless it was one of the exceptions: it ends calls when nothing else was said for a while.
        case lasting
        /// It ends calls at once.
        case final
    }

    /// How calls fail for it.
    public var failure: RPCFailure
    public var weight: Weight
    /// The system's error code for it.
    public var code: Int32
    /// Somebody forbids it, rather than not being able to.
    public var isProhibition: Bool
    /// Who says so; nil: this host's own system.
    public var reporter: PeerAddress?

    @inlinable
    public init(
        _ failure: RPCFailure, _ weight: Weight, code: Int32 = 0, isProhibition: Bool = false,
        reporter: PeerAddress? = nil
    ) {
        self.failure = failure
        self.weight = weight
        self.code = code
        self.isProhibition = isProhibition
        self.reporter = reporter
    }
}
