// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import Testing

@Suite("Idle bpages of other shards")
struct PoolParkingTests {
    /// Shard 0 owns one of two bpages, with one piece outstanding; shard 1 wants both.
    private func contended() throws -> (pool: BufferPool, lease: BufferLease) {
        let pool = try makePool(pages: 2, shards: 2)
        return (pool, try #require(pool.allocate(100, shard: 0, at: at(5))))
    }

    @Test("a parked shard loses its page only after the lease")
    func steal() throws {
        let (pool, lease) = try contended()
        try pool.release(lease)
        pool.park(shard: 0)
        #expect(pool.allocate(2 * 65536, shard: 1, at: at(14)) == nil)
        #expect(pool.allocate(2 * 65536, shard: 1, at: at(15)) != nil)
        #expect(pool.statistics.steals == 1)
        pool.unpark(shard: 0)
        #expect(pool.allocate(100, shard: 0, at: at(16)) == nil)
    }

    @Test("a page taken with pieces outstanding is freed by the last of them")
    func stealOutstanding() throws {
        let (pool, lease) = try contended()
        pool.park(shard: 0)
        #expect(pool.allocate(2 * 65536, shard: 1, at: at(20)) == nil)
        #expect(pool.statistics.steals == 1 && pool.statistics.pagesInUse == 1)
        try pool.release(lease)
        #expect(pool.statistics.pagesInUse == 0)
        #expect(pool.allocate(2 * 65536, shard: 1, at: at(20)) != nil)
    }

    @Test("a shard that wakes up in time goes on with its page")
    func unpark() throws {
        let (pool, lease) = try contended()
        pool.park(shard: 0)
        pool.unpark(shard: 0)
        pool.unpark(shard: 0)
        let next = try #require(pool.allocate(100, shard: 0, at: at(50)))
        #expect(pool.piece(of: next, at: 0).regionOffset == pool.piece(of: lease, at: 0).regionOffset + 128)
        #expect(pool.allocate(2 * 65536, shard: 1, at: at(100)) == nil)
        #expect(pool.statistics.steals == 0)
    }

    @Test("an active shard gives its page up when asked, and only when idle")
    func surrender() throws {
        let (pool, lease) = try contended()
        try pool.release(lease)
        #expect(!pool.surrenderIfAsked(shard: 0, at: at(100)))
        #expect(pool.allocate(2 * 65536, shard: 1, at: at(6)) == nil)
        pool.setWaiting(1, shard: 1)
        #expect(!pool.surrenderIfAsked(shard: 0, at: at(14)))
        #expect(pool.statistics.pagesInUse == 1)
        #expect(pool.surrenderIfAsked(shard: 0, at: at(15)))
        #expect(pool.statistics.pagesInUse == 0 && pool.statistics.surrenders == 1)
        #expect(pool.allocate(2 * 65536, shard: 1, at: at(15)) != nil)
    }

    @Test("a shard that allocates although parked loses nothing")
    func allocateWhileParked() throws {
        let (pool, lease) = try contended()
        pool.park(shard: 0)
        let second = try #require(pool.allocate(100, shard: 0, at: at(6)))
        pool.park(shard: 0)
        pool.unpark(shard: 0)
        let third = try #require(pool.allocate(100, shard: 0, at: at(6)))
        for lease in [lease, second, third] { try pool.release(lease) }
        pool.expectEmpty()
    }
}
