// SPDX-License-Identifier: Apache-2.0

/// Names the buffers that one message holds in a ``BufferPool``.
///
/// A lease is a name, not a reference: copies are free, and the pool recognises a second return of
/// the same lease because every reuse of a slot has a new generation.
@frozen
public struct BufferLease: Hashable, Sendable, BitwiseCopyable {
    /// Index into the pool's table of leases.
    public let slot: UInt32
    /// Which use of the slot this is. The first generation differs from pool to pool, so that a lease
    /// of another pool is very unlikely to match.
    public let generation: UInt32

    /// A lease made up from its two numbers. Pools make their own; others need this for tests and tables.
    @inlinable
    public init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

extension BufferLease: CustomStringConvertible {
    /// The slot and the generation.
    public var description: String { "lease \(slot)@\(generation)" }
}
