// SPDX-License-Identifier: Apache-2.0

/// Names one RPC inside one endpoint.
///
/// A handle outlives its RPC harmlessly: the generation differs once the record is used again, and
/// every operation with a stale handle does nothing or says so.
@frozen
public struct RPCHandle: Hashable, Sendable, BitwiseCopyable {
    /// Index of the record in the endpoint's table; small and dense, fit to index a parallel array.
    public var slot: UInt32
    /// Counts the uses of the record.
    public var generation: UInt32

    @inlinable
    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}
