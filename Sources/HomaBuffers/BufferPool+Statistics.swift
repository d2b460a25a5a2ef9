// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

extension BufferPool {
    /// What the pool holds and what has happened in it. Any thread may ask; costs a look at every
    /// lease slot ever used, so it is for reports, not for packets.
    public var statistics: PoolStatistics {
        var result = PoolStatistics()
        let free = freePages.count
        result.pagesInUse = freePages.pages - free
        result.availableBytes = free << bpageShift
        result.highWaterMark = freePages.highWaterMark
        result.pagesTouched = freePages.touchedPages
        result.leasesLive = leases.liveCount
        result.waitingMessages = totalWaiting.load(ordering: .relaxed)
        result.doubleReturns = doubleReturns.load(ordering: .relaxed)
        result.foreignReturns = foreignReturns.load(ordering: .relaxed)
        for shard in 0..<shards.count {
            let memory = shards[shard]
            result.stalls += Int(memory.stalls.pointee.load(ordering: .relaxed))
            result.reuses += Int(memory.reuses.pointee.load(ordering: .relaxed))
            result.steals += Int(memory.steals.pointee.load(ordering: .relaxed))
            result.surrenders += Int(memory.surrenders.pointee.load(ordering: .relaxed))
        }
        return result
    }
}
