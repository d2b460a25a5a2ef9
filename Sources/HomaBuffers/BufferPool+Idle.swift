// SPDX-License-Identifier: Apache-2.0

/// Memory that a burst has taken, and that goes back to the system when it is over.
extension BufferPool {
    /// Most pages at one time that go back at once: they are nobody's meanwhile, and the system takes its time.
    public static let mostPagesGivenBack = 16

    /// Most pages that were in use at once since the last call. One caller asks.
    public func mostPagesOfLate() -> Int { freePages.takeMostOfLate() }

    /// Pages that have been used and not been given back since.
    public var touchedPages: Int { freePages.touchedPages }

    /// Gives the memory of free pages back to the system, from the highest down to page `floor`.
    ///
    /// Never takes pages of which more than half are in use, so a message that comes meanwhile finds room. Should one
    /// wait for room nevertheless, `release`'s rule holds: who calls this then wakes the shards that wait.
    ///
    /// - Parameters:
    ///   - floor: pages below it keep their memory.
    ///   - discard: gives bytes back, which nobody uses until it returns: where they start in the region, and how many.
    /// - Returns: how many pages, at most ``mostPagesGivenBack``; fewer mean that there are no more.
    public func giveBack(above floor: Int, discard: (_ regionOffset: Int, _ byteCount: Int) -> Void) -> Int {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.mostPagesGivenBack) { list in
            let pages = list.baseAddress!
            let count = freePages.takeIdle(
                from: floor, atMost: Self.mostPagesGivenBack, leaving: configuration.pages / 2, into: pages)
            guard count > 0 else { return 0 }
            var start = 0
            for end in 1...count where end == count || pages[end] != pages[end - 1] + 1 {
                discard(Int(pages[start]) << bpageShift, (end - start) << bpageShift)
                start = end
            }
            freePages.put(pages, count: count)
            return count
        }
    }
}
