// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

/// Against a flag for each byte.
@Suite struct RangePoolTests {
    private func ranges(_ pool: borrowing RangePool, _ list: UInt32) -> [ByteRange] {
        var found: [ByteRange] = []
        var node = list
        while node != RangePool.none {
            found.append(pool.range(node))
            node = pool.next(node)
        }
        return found
    }

    private func runs(_ flags: [Bool]) -> [ByteRange] {
        var found: [ByteRange] = []
        for (place, flag) in flags.enumerated() where flag {
            if let last = found.last, last.end == UInt64(place) {
                found[found.count - 1].end += 1
            } else {
                found.append(ByteRange(start: UInt64(place), end: UInt64(place) + 1))
            }
        }
        return found
    }

    @Test(arguments: 1...20) func `an ordered list holds just the bytes put in and not dropped`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var pool = RangePool()
        var list = RangePool.none
        var flags = [Bool](repeating: false, count: 200)
        for _ in 0..<100 {
            let start = Int(random.next() % 180)
            let end = start + 1 + Int(random.next() % 19)
            let new = (start..<end).filter { !flags[$0] }.count
            let range = ByteRange(start: UInt64(start), end: UInt64(end))
            #expect(pool.insert(range, ordered: &list) == new)
            for place in start..<end { flags[place] = true }
            if random.next() % 4 == 0 {
                let limit = Int(random.next() % 200)
                #expect(pool.drop(before: UInt64(limit), ordered: &list) == flags[..<limit].filter { $0 }.count)
                for place in 0..<limit { flags[place] = false }
            }
            #expect(ranges(pool, list) == runs(flags))
            #expect(pool.live == ranges(pool, list).count)
        }
    }

    @Test(arguments: 1...20) func `a list with the latest first begins with it, and is absorbed in order`(seed: UInt64)
    {
        var random = SeededRandom(seed: seed)
        var pool = RangePool()
        var list = RangePool.none
        var flags = [Bool](repeating: false, count: 200)
        for _ in 0..<30 {
            let start = 1 + Int(random.next() % 190)
            let end = min(200, start + 1 + Int(random.next() % 9))
            let range = ByteRange(start: UInt64(start), end: UInt64(end))
            pool.insert(range, latestFirst: &list)
            for place in start..<end { flags[place] = true }
            let held = ranges(pool, list)
            #expect(held[0].start <= range.start && held[0].end >= range.end)
            #expect(held.sorted { $0.start < $1.start } == runs(flags))
        }
        var next: UInt64 = 0
        while next < 200 {
            flags[Int(next)] = true
            next = pool.absorb(at: next + 1, latestFirst: &list)
            #expect(next == 200 || !flags[Int(next)])
            #expect(flags[..<Int(next)].allSatisfy { $0 })
        }
        #expect(pool.live == 0)
    }
}
