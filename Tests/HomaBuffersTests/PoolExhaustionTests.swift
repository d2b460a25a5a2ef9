// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import Testing

@Suite("A pool that runs out")
struct PoolExhaustionTests {
    @Test("a message gets all its space or none")
    func allOrNothing() throws {
        let pool = try makePool(pages: 4)
        let first = try #require(pool.allocate(2 * 65536, shard: 0, at: .zero))
        let before = pool.statistics
        #expect(pool.allocate(3 * 65536, shard: 0, at: .zero) == nil)
        #expect(pool.allocate(2 * 65536 + 1, shard: 0, at: .zero) == nil)
        var after = pool.statistics
        #expect(after.stalls == 2)
        after.stalls = 0
        #expect(after == before)
        try pool.release(first)
        #expect(pool.allocate(3 * 65536, shard: 0, at: .zero) != nil)
    }

    @Test("messages longer than a bpage leave the reserve to short ones")
    func reserve() throws {
        let pool = try makePool(pages: 8, reserved: 3)
        #expect(pool.allocate(6 * 65536, shard: 0, at: .zero) == nil)
        #expect(pool.allocate(4 * 65536 + 1, shard: 0, at: .zero) != nil)
        #expect(pool.allocate(2 * 65536, shard: 0, at: .zero) == nil)
        for _ in 0..<3 { #expect(pool.allocate(65536, shard: 0, at: .zero) != nil) }
        #expect(pool.statistics.availableBytes == 0)
    }

    @Test("being out of lease slots is like being out of space")
    func outOfSlots() throws {
        let pool = try makePool(pages: 8, leases: 100)
        var leases = try (0..<100).map { _ in try #require(pool.allocate(10, shard: 0, at: .zero)) }
        #expect(pool.allocate(10, shard: 0, at: .zero) == nil)
        #expect(pool.statistics.stalls == 1 && pool.statistics.leasesLive == 100)
        try pool.release(leases.removeFirst())
        leases.append(try #require(pool.allocate(10, shard: 0, at: .zero)))
        #expect(pool.allocate(10, shard: 0, at: .zero) == nil)
        for lease in leases { try pool.release(lease) }
        pool.expectEmpty()
    }

    @Test("a shard that takes all the lease slots it can leaves some to every other")
    func slotsOfOthers() throws {
        let pool = try makePool(pages: 64, bpageSize: 4096, shards: 3, leases: 200)
        var leases: [BufferLease] = []
        while let lease = pool.allocate(10, shard: 0, at: .zero) { leases.append(lease) }
        #expect(leases.count > 200 / 3 && leases.count < 200)
        for shard in [1, 2] { leases.append(try #require(pool.allocate(10, shard: shard, at: .zero))) }
        for lease in leases { try pool.release(lease) }
        pool.expectEmpty()
    }

    @Test("a slot that comes back is found wherever it is, and only after it came back")
    func searchForSlots() throws {
        let pool = try makePool(pages: 64, leases: 1000)
        var leases = try (0..<1000).map { _ in try #require(pool.allocate(10, shard: 0, at: .zero)) }
        for index in [999, 0, 500, 63, 64, 998] {
            for _ in 0..<3 { #expect(pool.allocate(10, shard: 0, at: .zero) == nil) }
            try pool.release(leases[index])
            let next = try #require(pool.allocate(10, shard: 0, at: .zero))
            #expect(next.slot == leases[index].slot && next != leases[index])
            leases[index] = next
        }
        for lease in leases { try pool.release(lease) }
        pool.expectEmpty()
    }

    @Test("a bpage that came back completely is started again, whether or not it is the only one")
    func reuse() throws {
        let pool = try makePool(pages: 1)
        for _ in 0..<5 {
            let leases = try (0..<8).map { _ in try #require(pool.allocate(8192, shard: 0, at: .zero)) }
            #expect(pool.allocate(1, shard: 0, at: .zero) == nil)
            for lease in leases { try pool.release(lease) }
        }
        #expect(pool.statistics.reuses == 4 && pool.statistics.pagesTouched == 1)
    }

    @Test("an owned bpage without pieces serves a message that needs whole bpages")
    func ownPageGivenUp() throws {
        let pool = try makePool(pages: 2)
        try pool.release(#require(pool.allocate(100, shard: 0, at: .zero)))
        #expect(pool.statistics.pagesInUse == 1)
        let lease = try #require(pool.allocate(2 * 65536, shard: 0, at: .zero))
        try pool.release(lease)
        #expect(pool.statistics.pagesInUse == 0)
    }

    @Test("a second return and a foreign lease are refused and change nothing")
    func wrongReturns() throws {
        let pool = try makePool(pages: 4)
        let other = try makePool(pages: 4)
        let lease = try #require(pool.allocate(100, shard: 0, at: .zero))
        let stranger = try #require(other.allocate(100, shard: 0, at: .zero))
        #expect(throws: PoolError.foreign(stranger)) { try pool.release(stranger) }
        for slot in [64, 16383, 16384, UInt32.max] {
            let invented = BufferLease(slot: slot, generation: lease.generation)
            #expect(throws: PoolError.foreign(invented)) { try pool.release(invented) }
        }
        try pool.release(lease)
        #expect(throws: PoolError.alreadyReturned(lease)) { try pool.release(lease) }
        // The slot's next user is not harmed by its predecessor's name either.
        var next: [BufferLease] = []
        for _ in 0..<64 { next.append(try #require(pool.allocate(100, shard: 0, at: .zero))) }
        #expect(next.contains { $0.slot == lease.slot })
        let before = pool.statistics
        #expect(throws: PoolError.alreadyReturned(lease)) { try pool.release(lease) }
        var after = pool.statistics
        #expect(after.doubleReturns == 2 && after.foreignReturns == 5)
        after.doubleReturns = before.doubleReturns
        #expect(after == before)
        for lease in next { try pool.release(lease) }
        pool.expectEmpty()
    }

    @Test("a return reports waiting messages of any shard")
    func waiting() throws {
        let pool = try makePool(pages: 4, shards: 2)
        let leases = try (0..<3).map { _ in try #require(pool.allocate(100, shard: 0, at: .zero)) }
        #expect(try pool.release(leases[0]) == false)
        pool.setWaiting(3, shard: 1)
        #expect(pool.statistics.waitingMessages == 3 && pool.waitingMessages(shard: 1) == 3)
        #expect(try pool.release(leases[1]))
        pool.setWaiting(0, shard: 1)
        #expect(try pool.release(leases[2]) == false)
    }
}
