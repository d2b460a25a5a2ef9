// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaWire

/// What an endpoint lets the other shards of its host know.
public struct ShardSummary: Equatable, Sendable, BitwiseCopyable {
    /// Messages that it grants to, at most ``EndpointConfiguration/overcommitment``.
    public var activeMessages: Int
    /// True while it has something to send.
    public var isSending: Bool
    /// The identifier that its next call will have, unless the others are ahead.
    public var nextID: RPCID

    public init(activeMessages: Int, isSending: Bool, nextID: RPCID) {
        self.activeMessages = activeMessages
        self.isSending = isSending
        self.nextID = nextID
    }
}

/// The other shards of a host, taken together, as an endpoint last heard of them.
public struct ShardSummaries: Equatable, Sendable, BitwiseCopyable {
    /// Messages that they grant to.
    public private(set) var activeMessages = 0
    /// How many of them have something to send.
    public private(set) var senders = 0
    /// The highest of their next identifiers.
    public private(set) var nextID = RPCID(rawValue: 0)

    public init() {}

    /// Counts one more of them.
    public mutating func add(_ summary: ShardSummary) {
        activeMessages += summary.activeMessages
        if summary.isSending { senders += 1 }
        nextID = RPCID(rawValue: max(nextID.rawValue, summary.nextID.rawValue))
    }
}

/// An acknowledgement that came with a packet for one shard and is about an RPC of another.
public struct CrossShardAck: Equatable, Sendable, BitwiseCopyable {
    /// Who acknowledges.
    public let peer: PeerAddress
    /// Who it says to be as a client; 0: nothing.
    public let identity: UInt64
    /// What.
    public let record: AckRecord
}

extension RPCID {
    /// The shard, of `count`, that an RPC belongs to; the same for the client's and the server's form.
    ///
    /// By the lower 32 bits alone, since the kernel works it out as well, in a program that knows 32-bit numbers only.
    @inlinable
    public func shard(of count: Int) -> Int {
        Int((UInt32(truncatingIfNeeded: rawValue) >> 1) % UInt32(truncatingIfNeeded: count))
    }

    /// The lowest identifier of `shard` that is at least this one.
    func rounded(toShard shard: Int, of count: Int) -> RPCID {
        var id = self
        while id.shard(of: count) != shard { id = RPCID(rawValue: id.rawValue &+ 2) }
        return id
    }
}
