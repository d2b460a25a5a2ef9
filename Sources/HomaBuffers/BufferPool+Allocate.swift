// SPDX-License-Identifier: Apache-2.0

public import HomaBase
internal import Synchronization

extension BufferPool {
    /// Takes the space for a message of `length` bytes (1 … 1 000 000), all of it or none.
    ///
    /// Nil means that bpages or lease slots are short; the message should wait. Only the thread of
    /// `shard` may call. `now` renews the lease of the shard's owned page and judges those of others.
    public func allocate(_ length: Int, shard: Int, at now: Instant) -> BufferLease? {
        precondition(length > 0 && length <= HomaLimits.maximumMessageLength, "message length out of range")
        let memory = shards[shard]
        let owner = memory.owner
        let slot = leases.freeSlot(owner)
        guard slot != LeaseTable.none else { return stalled(memory) }
        let record = leases.record(slot)
        let rounded = UInt32(truncatingIfNeeded: Self.roundedUp(length))
        var place: (offset: UInt64, hasPages: Bool)
        if rounded <= owner.pointee.owned.room {
            // No bpage is larger than 16 MB, so the room tells short messages from long ones too.
            place = (Self.cut(rounded, from: owner), false)
        } else {
            guard let pages = allocatePages(length, shard: shard, pages: leases.pages(slot), at: now) else {
                return stalled(memory)
            }
            place = pages
        }
        owner.pointee.lastUse = now
        owner.pointee.nextSlot = leases.slot(after: slot)
        let generation = LeaseRecord.generation(record.state.pointee.load(ordering: .relaxed)) &+ 1
        record.offset.pointee.store(place.offset, ordering: .relaxed)
        record.length.pointee.store(UInt64(truncatingIfNeeded: length), ordering: .relaxed)
        // Publishes offset, length and pages to whoever holds and returns the lease.
        let state = LeaseRecord.live(
            generation, offset: place.offset, hasPages: place.hasPages, bpageShift: bpageShift)
        record.state.pointee.store(state, ordering: .releasing)
        return BufferLease(slot: slot, generation: generation)
    }

    @inline(__always)
    static func roundedUp(_ length: Int) -> Int { (length + pieceAlignment - 1) & ~(pieceAlignment - 1) }

    /// Hands out the next `count` bytes of the owned page, which has them; returns their region offset.
    @inline(__always)
    private static func cut(_ count: UInt32, from owner: UnsafeMutablePointer<ShardOwner>) -> UInt64 {
        let offset = owner.pointee.owned.nextOffset
        owner.pointee.owned.nextOffset = offset &+ UInt64(count)
        owner.pointee.owned.room &-= count
        owner.pointee.owned.handedOut &+= 1
        return offset
    }

    /// Space that the owned page does not simply have: whole pages, a new owned page, or both. Returns the
    /// region offset of the message's end (or `noPiece`) and whether there are pages; nil when there is no space.
    private func allocatePages(
        _ length: Int, shard: Int, pages: LeasePages, at now: Instant
    ) -> (offset: UInt64, hasPages: Bool)? {
        let memory = shards[shard]
        let owner = memory.owner
        let remainder = UInt32(truncatingIfNeeded: Self.roundedUp(length & bpageMask))
        if remainder > owner.pointee.owned.room { restartIfReturned(memory) }
        let isPacked = remainder > 0 && remainder <= owner.pointee.owned.room
        let wanted = length >> bpageShift + (remainder > 0 && !isPacked ? 1 : 0)
        if wanted > 0 {
            let reserve = length > configuration.bpageSize ? reservedPages : 0
            let taken =
                takePages(wanted, leaving: reserve, shard: shard, into: pages.list, at: now, mayGiveUp: !isPacked)
            guard taken else { return nil }
        }
        var own = wanted
        var piece = LeaseRecord.noPiece
        if isPacked {
            piece = Self.cut(remainder, from: owner)
        } else if remainder > 0, UInt32(bpageMask + 1) - remainder > owner.pointee.owned.room {
            // The new page will have more room than the owned one: pack into it from now on.
            // Otherwise the owned page stays and the new one belongs to this message alone.
            if owner.pointee.owned.page != OwnedPage.none { _ = detach(owner.pointee.owned) }
            self.own(pages.list[wanted - 1], memory)
            own = wanted - 1
            piece = Self.cut(remainder, from: owner)
        }
        if own > 0 { pages.count.pointee = UInt32(own) }
        return (piece, own > 0)
    }

    /// Takes free pages, if need be after making some free: first this shard's own page when it is
    /// completely returned and the message has no use for a piece of it, then idle pages of others.
    private func takePages(
        _ wanted: Int, leaving reserve: Int, shard: Int, into list: UnsafeMutablePointer<UInt32>, at now: Instant,
        mayGiveUp: Bool
    ) -> Bool {
        if freePages.take(wanted, leaving: reserve, into: list) { return true }
        let memory = shards[shard]
        if mayGiveUp, isReturned(memory.owner.pointee.owned) {
            giveUp(memory)
            if freePages.take(wanted, leaving: reserve, into: list) { return true }
        }
        for step in 1..<max(shards.count, 1) {
            let other = shards[(shard + step) % shards.count]
            if takeIdlePage(of: other, for: memory, at: now), freePages.take(wanted, leaving: reserve, into: list) {
                return true
            }
        }
        return false
    }

    private func stalled(_ memory: Shard) -> BufferLease? {
        memory.stalls.countUp()
        return nil
    }
}
