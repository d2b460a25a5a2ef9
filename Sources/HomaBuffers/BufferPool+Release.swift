// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

extension BufferPool {
    /// Returns the buffers of one message. Any thread may call, exactly once for each lease.
    ///
    /// Returns true when messages wait for space: wake the shards that have some (``waitingMessages(shard:)``).
    /// A second return throws `alreadyReturned`, a lease of another pool `foreign`; both change nothing.
    @discardableResult
    public func release(_ lease: BufferLease) throws(PoolError) -> Bool {
        let isRetired = leases.retire(lease) { state, pages in
            if let page = LeaseRecord.page(state) { returnPiece(of: page) }
            if LeaseRecord.hasPages(state) {
                // Pages of a single message need no count: the lease is the only reference.
                freePages.put(pages.list, count: Int(pages.count.pointee))
            }
        }
        guard isRetired else { throw refused(lease) }
        return isAnyoneWaiting
    }

    /// Reports how many messages of `shard` wait for space, 0 or more. Any thread may call, one at a
    /// time for each shard.
    ///
    /// After raising the number, try ``allocate(_:shard:at:)`` once more before going to sleep: either
    /// that attempt sees a return made meanwhile, or the return sees the new number and reports it.
    public func setWaiting(_ count: Int, shard: Int) {
        precondition(count >= 0, "a negative number of messages cannot wait")
        let before = shards[shard].waiting.pointee.exchange(UInt64(count), ordering: .relaxed)
        let change = count - Int(before)
        guard change != 0 else { return }
        totalWaiting.wrappingAdd(change, ordering: .sequentiallyConsistent)
        // Together with the sequentially consistent operations of `release` this excludes that the
        // retry misses the return and the return misses the number. The retry itself reads with
        // weaker loads, hence the fence.
        if change > 0 { atomicMemoryFence(ordering: .sequentiallyConsistent) }
    }

    /// How many messages of `shard` wait, as last reported.
    public func waitingMessages(shard: Int) -> Int {
        Int(shards[shard].waiting.pointee.load(ordering: .relaxed))
    }

    /// Must come after the sequentially consistent changes of a return, see `setWaiting`.
    var isAnyoneWaiting: Bool { totalWaiting.load(ordering: .sequentiallyConsistent) > 0 }

    /// Counts one piece of the page as returned. Releases this thread's use of the bytes.
    @inline(__always)
    private func returnPiece(of page: UInt32) {
        let rest = pageRecords[page].references.pointee.wrappingSubtract(
            1, ordering: .sequentiallyConsistent
        ).newValue
        if rest == 0 { freeOne(page) }
    }

    private func refused(_ lease: BufferLease) -> PoolError {
        let error = leases.refusal(of: lease)
        if case .alreadyReturned = error {
            doubleReturns.wrappingAdd(1, ordering: .relaxed)
        } else {
            foreignReturns.wrappingAdd(1, ordering: .relaxed)
        }
        return error
    }
}
