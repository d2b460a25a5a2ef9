// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

/// Owned pages: how a shard gets one, starts it again and loses it.
extension BufferPool {
    /// Makes a page just taken the shard's owned page. The shard must own none.
    func own(_ page: UInt32, _ memory: Shard) {
        // Nobody else knows the page yet; whoever gets a piece of it sees this store through the lease.
        pageRecords[page].references.pointee.store(PageRecord.bias, ordering: .relaxed)
        memory.owner.pointee.owned = OwnedPage(
            page: page, room: UInt32(bpageMask + 1), nextOffset: UInt64(page) << UInt64(bpageShift), handedOut: 0)
        memory.ownsPage.pointee.store(1, ordering: .relaxed)
    }

    /// True when there is a page and all pieces of it came back.
    ///
    /// Acquires, so that the bytes may be handed out again: each return released, and the count's
    /// value read here is the last of them.
    func isReturned(_ owned: OwnedPage) -> Bool {
        guard owned.page != OwnedPage.none else { return false }
        return pageRecords[owned.page].references.pointee.load(ordering: .acquiring)
            == PageRecord.bias - owned.handedOut
    }

    /// Starts the owned page at its beginning when all pieces came back.
    ///
    /// Both counts go on from where they are, which saves writing the line that returners write:
    /// only their difference means anything, and neither can reach its limit.
    func restartIfReturned(_ memory: Shard) {
        let owned = memory.owner.pointee.owned
        guard isReturned(owned) else { return }
        memory.owner.pointee.owned.room = UInt32(bpageMask + 1)
        memory.owner.pointee.owned.nextOffset = UInt64(owned.page) << UInt64(bpageShift)
        memory.reuses.countUp()
    }

    /// Ends ownership of a page that the caller holds; returns whether the page became free at once.
    /// Otherwise the last piece to be returned frees it.
    func detach(_ owned: OwnedPage) -> Bool {
        let rest = pageRecords[owned.page].references.pointee.wrappingSubtract(
            PageRecord.bias - owned.handedOut, ordering: .sequentiallyConsistent
        ).newValue
        guard rest == 0 else { return false }
        freeOne(owned.page)
        return true
    }

    /// Detaches the shard's owned page, which it must have; returns whether the page became free.
    @discardableResult
    func giveUp(_ memory: Shard) -> Bool {
        let owned = memory.owner.pointee.owned
        memory.owner.pointee.owned = OwnedPage()
        memory.ownsPage.pointee.store(0, ordering: .relaxed)
        return detach(owned)
    }

    func freeOne(_ page: UInt32) {
        withUnsafePointer(to: page) { freePages.put($0, count: 1) }
    }
}
