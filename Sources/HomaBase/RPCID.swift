// SPDX-License-Identifier: Apache-2.0

/// Names one remote procedure call on both hosts.
///
/// The client picks an even value, unique on its host; the server sees the same value with the low
/// bit set. So a packet's direction can be read from the identifier alone, and each side turns the
/// identifier it receives into its own by flipping that bit.
@frozen
public struct RPCID: Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The identifier the other side uses for this RPC.
    @inlinable
    public var peer: RPCID { RPCID(rawValue: rawValue ^ 1) }

    /// True when the identifier is the one a server uses.
    @inlinable
    public var isServerSide: Bool { rawValue & 1 == 1 }

    /// The client's form of this identifier (even).
    @inlinable
    public var clientSide: RPCID { RPCID(rawValue: rawValue & ~1) }
}

extension RPCID: CustomStringConvertible {
    public var description: String { String(rawValue) }
}
