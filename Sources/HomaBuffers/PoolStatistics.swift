// SPDX-License-Identifier: Apache-2.0

/// What a ``BufferPool`` holds and what has happened in it.
///
/// Each number is exact when nobody uses the pool meanwhile; otherwise each is true of some moment
/// during the reading, not all of the same one.
public struct PoolStatistics: Sendable, Equatable {
    /// Bpages that hold message bytes or are owned by a shard.
    public var pagesInUse = 0
    /// Most bpages that were in use at once.
    public var highWaterMark = 0
    /// Bpages that have been used and not been given back to the system since; the others take no memory.
    public var pagesTouched = 0
    /// Bytes of all free bpages. Room left in owned bpages is not counted.
    public var availableBytes = 0
    /// Messages that hold buffers.
    public var leasesLive = 0
    /// Messages that wait for buffers, as the shards last reported.
    public var waitingMessages = 0
    /// Allocations that failed for lack of bpages or lease slots, retries included.
    public var stalls = 0
    /// Times a shard found its full bpage completely returned and started it again.
    public var reuses = 0
    /// Owned bpages taken from parked shards.
    public var steals = 0
    /// Owned bpages that active shards gave up because others asked.
    public var surrenders = 0
    /// Leases returned a second time (refused).
    public var doubleReturns = 0
    /// Leases returned that the pool never gave out (refused).
    public var foreignReturns = 0

    /// Statistics of a pool in which nothing has happened.
    public init() {}
}
