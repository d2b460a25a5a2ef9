// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import Testing

@Suite("A pool under random use")
struct PoolModelTests {
    /// What the test believes: who holds which 64-byte cells of the region.
    private struct Model {
        var cells: [UInt32]
        var held: [(lease: BufferLease, pieces: [Range<Int>], tag: UInt32)] = []
        var returned: [BufferLease] = []
        var tag: UInt32 = 0

        mutating func add(_ lease: BufferLease, _ pieces: [Range<Int>]) -> Bool {
            tag += 1
            var isExclusive = true
            for piece in pieces {
                for cell in piece.lowerBound / 64...(piece.upperBound - 1) / 64 {
                    isExclusive = isExclusive && cells[cell] == 0
                    cells[cell] = tag
                }
            }
            held.append((lease, pieces, tag))
            return isExclusive
        }

        mutating func removeRandom(_ random: inout SeededRandom) -> BufferLease {
            held.swapAt(Int.random(in: 0..<held.count, using: &random), held.count - 1)
            let last = held.removeLast()
            for piece in last.pieces {
                for cell in piece.lowerBound / 64...(piece.upperBound - 1) / 64 { cells[cell] = 0 }
            }
            returned.append(last.lease)
            return last.lease
        }
    }

    /// Method: random allocations of three shards, returns, second returns, parking and asking, against
    /// a map of who holds what; at the end everything is returned and the whole region must be free.
    @Test("hands nothing out twice and leaks nothing", arguments: seeds(0..<60))
    func agreesWithModel(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let pages = Int.random(in: 3...70, using: &random)
        let leases = seed % 3 == 0 ? 40 : 2000
        let pool = try makePool(pages: pages, bpageSize: 4096, shards: 3, leases: leases, reserved: 2)
        var model = Model(cells: Array(repeating: 0, count: pages * 64))
        var now: UInt64 = 0
        for _ in 0..<1500 {
            now += UInt64.random(in: 0...2, using: &random)
            step(pool, &model, at(now), &random)
        }
        let statistics = pool.statistics
        #expect(statistics.leasesLive == model.held.count)
        #expect(statistics.doubleReturns + statistics.foreignReturns > 0 && statistics.foreignReturns == 0)
        while !model.held.isEmpty { try pool.release(model.removeRandom(&random)) }
        for shard in 0..<3 { pool.unpark(shard: shard) }
        pool.expectEmpty()
        for shard in [0, 2] { pool.park(shard: shard) }
        let all = (0..<pages).compactMap { _ in pool.allocate(4096, shard: 1, at: at(now + 1000)) }
        // With 40 leases, other shards may have claimed the slots.
        #expect(all.count == pages || leases == 40)
    }

    private func step(_ pool: BufferPool, _ model: inout Model, _ now: Instant, _ random: inout SeededRandom) {
        let shard = Int.random(in: 0..<3, using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<5:
            let isLong = Int.random(in: 0..<4, using: &random) == 0
            let length = Int.random(in: 1...(isLong ? 40_000 : 3000), using: &random)
            let before = pool.statistics
            guard let lease = pool.allocate(length, shard: shard, at: now) else {
                #expect(pool.statistics.leasesLive == before.leasesLive)
                return
            }
            let pieces = pool.pieces(of: lease)
            #expect(pieces.map(\.count).reduce(0, +) == length)
            #expect(pieces.allSatisfy { $0.lowerBound / 4096 == ($0.upperBound - 1) / 4096 })
            let isExclusive = model.add(lease, pieces)
            #expect(isExclusive)
        case 5..<9 where !model.held.isEmpty:
            #expect(throws: Never.self) { try pool.release(model.removeRandom(&random)) }
        case 9:
            guard let old = model.returned.randomElement(using: &random) else { return }
            #expect(throws: PoolError.alreadyReturned(old)) { try pool.release(old) }
        case 10: pool.park(shard: shard)
        default:
            pool.unpark(shard: shard)
            pool.surrenderIfAsked(shard: shard, at: now)
        }
    }
}
