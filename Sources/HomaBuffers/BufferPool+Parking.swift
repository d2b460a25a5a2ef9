// SPDX-License-Identifier: Apache-2.0

public import HomaBase
internal import Synchronization

/// Taking idle pages back from shards that do not use them.
///
/// An owner that sleeps leaves its page in the *parking place*, an atomic word in the shard. The page
/// belongs to whoever exchanges that word for zero: the owner when it wakes, or another shard that is
/// out of space once the lease has expired. So neither ever waits for the other, and since the page's
/// details travel in the page's own record, an owner that lost its page can go on at once.
///
/// Ordering: parking writes the details and then the word with release semantics; the exchange
/// acquires. The page record's details are plain memory because only the page's holder touches them.
///
/// From a shard that is awake nothing can be taken without making its allocations dearer, so it is
/// asked, and looks at a plain flag once in each of its loops. The flag may be seen late, or the
/// shard may park without having seen it; both cost only time, because whoever is short of space
/// tries again (see ``BufferPool``), and then finds the page parked or the flag still set.
extension BufferPool {
    /// The owner is about to sleep: once the lease of its owned page has expired, other shards may
    /// take the page. Only the thread of `shard` may call.
    public func park(shard: Int) {
        let memory = shards[shard]
        let owned = memory.owner.pointee.owned
        guard owned.page != OwnedPage.none else { return }
        pageRecords[owned.page].parked.pointee = owned
        let until = memory.owner.pointee.lastUse.advanced(byNanoseconds: leaseNanoseconds)
        memory.parkedUntil.pointee.store(until.nanoseconds, ordering: .relaxed)
        memory.owner.pointee.owned = OwnedPage()
        memory.ownsPage.pointee.store(0, ordering: .relaxed)
        let before = memory.parkedPage.pointee.exchange(UInt64(owned.page) + 1, ordering: .acquiringAndReleasing)
        // A shard that allocated while parked, and parks again, has two pages.
        if before != 0 { _ = detach(parkedDetails(before)) }
    }

    /// The owner is awake again, and has its owned page back unless another shard took it. Only the
    /// thread of `shard` may call. A shard that was not parked stays as it is.
    public func unpark(shard: Int) {
        let memory = shards[shard]
        guard memory.parkedPage.pointee.load(ordering: .relaxed) != 0 else { return }
        let word = memory.parkedPage.pointee.exchange(0, ordering: .acquiring)
        guard word != 0 else { return }
        guard memory.owner.pointee.owned.page == OwnedPage.none else {
            _ = detach(parkedDetails(word))
            return
        }
        memory.owner.pointee.owned = parkedDetails(word)
        memory.ownsPage.pointee.store(1, ordering: .relaxed)
    }

    /// Gives up the owned page if another shard asked for it and it has been idle for the lease
    /// duration. To be called once in each loop of the shard's thread; costs a plain load when nobody asks.
    ///
    /// Returns true when that made a bpage free while messages wait: wake their shards.
    @discardableResult
    public func surrenderIfAsked(shard: Int, at now: Instant) -> Bool {
        let memory = shards[shard]
        guard memory.asked.pointee.load(ordering: .relaxed) != 0 else { return false }
        let owner = memory.owner.pointee
        guard owner.owned.page != OwnedPage.none else {
            memory.asked.pointee.store(0, ordering: .relaxed)
            return false
        }
        guard now >= owner.lastUse.advanced(byNanoseconds: leaseNanoseconds) else { return false }
        memory.asked.pointee.store(0, ordering: .relaxed)
        memory.surrenders.countUp()
        return giveUp(memory) && isAnyoneWaiting
    }

    /// Takes the idle page of a parked shard for `taker`, or asks an active one. Returns true when a
    /// bpage became free; a page with pieces outstanding becomes free only with the last of them.
    func takeIdlePage(of other: Shard, for taker: Shard, at now: Instant) -> Bool {
        let word = other.parkedPage.pointee.load(ordering: .relaxed)
        guard word != 0 else {
            if other.ownsPage.pointee.load(ordering: .relaxed) != 0,
                other.asked.pointee.load(ordering: .relaxed) == 0
            {
                other.asked.pointee.store(1, ordering: .relaxed)
            }
            return false
        }
        // If the owner woke up and parked again since, the expiry may belong to the earlier sleep; the
        // page then goes before its lease ends, which costs the owner a fresh page and no more.
        guard now.nanoseconds >= other.parkedUntil.pointee.load(ordering: .relaxed) else { return false }
        let exchanged = other.parkedPage.pointee.compareExchange(
            expected: word, desired: 0, ordering: .acquiring
        ).exchanged
        guard exchanged else { return false }
        taker.steals.countUp()
        return detach(parkedDetails(word))
    }

    /// The details of the page in a parking word, for the one who exchanged it away.
    private func parkedDetails(_ word: UInt64) -> OwnedPage {
        pageRecords[UInt32(truncatingIfNeeded: word - 1)].parked.pointee
    }
}
