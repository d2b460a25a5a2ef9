// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import Testing

@Suite("Where a pool puts messages")
struct PoolLayoutTests {
    @Test(
        "a message up to one bpage is contiguous, inside one bpage and aligned to 64 bytes",
        arguments: [1, 63, 64, 65, 1000, 40_000, 65_473, 65_535, 65_536])
    func shortMessages(length: Int) throws {
        let pool = try makePool(pages: 64)
        for _ in 0..<20 {
            let lease = try #require(pool.allocate(length, shard: 0, at: .zero))
            let pieces = pool.pieces(of: lease)
            #expect(pieces.count == 1)
            #expect(pieces[0].count == length && pool.length(of: lease) == length)
            #expect(pieces[0].lowerBound % 64 == 0)
            #expect(pieces[0].lowerBound / 65536 == (pieces[0].upperBound - 1) / 65536)
        }
    }

    @Test(
        "a long message takes whole bpages, only the last partial, at most 16",
        arguments: [65_537, 131_072, 1_000_000])
    func longMessages(length: Int) throws {
        let pool = try makePool(pages: 64)
        _ = try #require(pool.allocate(100, shard: 0, at: .zero))
        let lease = try #require(pool.allocate(length, shard: 0, at: .zero))
        let pieces = pool.pieces(of: lease)
        #expect(pieces.count == (length + 65535) / 65536 && pieces.count <= 16)
        for piece in pieces.dropLast() { #expect(piece.count == 65536 && piece.lowerBound % 65536 == 0) }
        #expect(pieces.map(\.count).reduce(0, +) == length)
        let (start, count) = pool.piece(of: lease, at: 65_600 % length)
        let second = pieces[min(65_600 % length / 65536, pieces.count - 1)]
        #expect(start == second.lowerBound + 65_600 % length % 65536 && start + count == second.upperBound)
    }

    @Test("short messages are packed one after the other, rounded up to 64 bytes")
    func packing() throws {
        let pool = try makePool(pages: 4)
        let starts = try (0..<4).map { _ in
            pool.piece(of: try #require(pool.allocate(100, shard: 0, at: .zero)), at: 0).regionOffset
        }
        #expect(starts == [0, 128, 256, 384])
        #expect(pool.statistics.pagesInUse == 1)
    }

    @Test(
        "one message at a time needs two bpages, whatever its length up to two bpages",
        arguments: 0..<10 as Range<UInt64>)
    func simplestCase(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let pool = try makePool(pages: 1024)
        for _ in 0..<2000 {
            let length = Int.random(in: 1...131_072, using: &random)
            try pool.release(#require(pool.allocate(length, shard: 0, at: .zero)))
        }
        #expect(pool.statistics.pagesTouched <= 2)
        pool.expectEmpty()
    }

    @Test("low bpages come first, so freed ones are used before fresh ones")
    func lowPagesFirst() throws {
        let pool = try makePool(pages: 200)
        let leases = try (0..<150).map { _ in try #require(pool.allocate(65_536, shard: 0, at: .zero)) }
        try pool.release(leases[100])
        try pool.release(leases[3])
        let lease = try #require(pool.allocate(65_536, shard: 0, at: .zero))
        #expect(pool.piece(of: lease, at: 0).regionOffset == pool.piece(of: leases[4], at: 0).regionOffset - 65536)
        _ = try #require(pool.allocate(65_536, shard: 0, at: .zero))
        #expect(pool.statistics.pagesTouched == 150 && pool.statistics.highWaterMark == 150)
    }

    @Test("a bpage with much room left is kept when a message does not fit it")
    func keepsTheRoomierPage() throws {
        let pool = try makePool(pages: 8)
        _ = pool.allocate(10_000, shard: 0, at: .zero)
        let large = try #require(pool.allocate(60_000, shard: 0, at: .zero))
        let small = try #require(pool.allocate(1000, shard: 0, at: .zero))
        #expect(pool.piece(of: large, at: 0).regionOffset == 65536)
        #expect(pool.piece(of: small, at: 0).regionOffset == 10_048)
    }
}
