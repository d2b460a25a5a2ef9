// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import Testing

@Suite("Memory that a burst has taken")
struct PoolIdleTests {
    /// Gives back all that can be, and the pages that it was.
    private func giveBackAll(_ pool: BufferPool, above floor: Int) -> [Int] {
        var pages: [Int] = []
        while true {
            let count = pool.giveBack(above: floor) { offset, byteCount in
                pages += (offset >> 16)..<((offset + byteCount) >> 16)
            }
            guard count > 0 else { return pages.sorted() }
        }
    }

    @Test("goes back to the system, but for the lowest pages, and can be had again")
    func goesBack() throws {
        let pool = try makePool(pages: 300)
        let burst = (0..<200).compactMap { _ in pool.allocate(64 << 10, shard: 0, at: at(0)) }
        #expect(burst.count == 200 && pool.touchedPages == 200)
        for lease in burst { #expect(try pool.release(lease) == false) }
        #expect(giveBackAll(pool, above: 70) == Array(70..<200))
        #expect(pool.touchedPages == 70 && pool.statistics.pagesTouched == 70)
        #expect(giveBackAll(pool, above: 70).isEmpty)
        let all = (0..<300).compactMap { _ in pool.allocate(64 << 10, shard: 0, at: at(1)) }
        #expect(all.count == 300 && pool.touchedPages == 300)
    }

    @Test("stays where it is in use, and while less than half of the region is free")
    func staysInUse() throws {
        let pool = try makePool(pages: 100)
        let burst = (0..<90).compactMap { _ in pool.allocate(64 << 10, shard: 0, at: at(0)) }
        for lease in burst[..<30] { _ = try pool.release(lease) }
        #expect(giveBackAll(pool, above: 0).isEmpty)
        let kept = burst[30...].filter { (pool.piece(of: $0, at: 0).regionOffset >> 16) % 3 == 0 }
        for lease in burst[30...] where !kept.contains(lease) { _ = try pool.release(lease) }
        let given = giveBackAll(pool, above: 20)
        #expect(given == (20..<90).filter { $0 < 30 || $0 % 3 != 0 })
        for lease in kept { _ = try pool.release(lease) }
        #expect(giveBackAll(pool, above: 20) == (30..<90).filter { $0 % 3 == 0 })
    }

    @Test("is what exceeds the most that was in use at once of late")
    func mostOfLate() throws {
        let pool = try makePool(pages: 100)
        let first = (0..<50).compactMap { _ in pool.allocate(64 << 10, shard: 0, at: at(0)) }
        for lease in first[10...] { _ = try pool.release(lease) }
        #expect(pool.mostPagesOfLate() == 50)
        #expect(pool.mostPagesOfLate() == 10)
        let more = (0..<5).compactMap { _ in pool.allocate(64 << 10, shard: 0, at: at(0)) }
        for lease in more { _ = try pool.release(lease) }
        #expect(pool.mostPagesOfLate() == 15)
        #expect(pool.mostPagesOfLate() == 10)
        #expect(pool.statistics.highWaterMark == 50)
    }
}
