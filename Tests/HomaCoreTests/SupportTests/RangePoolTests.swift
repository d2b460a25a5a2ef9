// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Range pool")
struct RangePoolTests {
    /// Method: random inserts and takings from the front of several lists, against one flag per byte each.
    /// Property: what was put in and not taken out is in the list; more only when limits forced it.
    @Test("lists of parts to send again agree with one flag per byte", arguments: seeds(0..<60))
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let limit = Int32([2, 5, 1000].randomElement(using: &random)!)
        let capacity = limit == 1000 ? 4000 : 12
        var pool = RangePool(capacity: capacity, reserve: 4)
        var lists = Array(repeating: RangeList(), count: 4)
        var models = Array(repeating: ByteModel(length: 400), count: 4)
        for _ in 0..<400 {
            let which = Int.random(in: 0..<4, using: &random)
            if Int.random(in: 0..<3, using: &random) > 0 {
                let start = UInt32.random(in: 0..<400, using: &random)
                let range = start..<min(400, start + UInt32.random(in: 1...40, using: &random))
                #expect(pool.insert(range, into: &lists[which], limit: limit), "each list has a reserved node")
                _ = models[which].arrive(range)
            } else if let first = pool.first(lists[which]) {
                let count = UInt32.random(in: 1...UInt32(first.count), using: &random)
                pool.consumeFirst(count, of: &lists[which])
                for byte in first.lowerBound..<first.lowerBound + count { models[which].here[Int(byte)] = false }
            }
            let ranges = pool.ranges(of: lists[which])
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
            #expect(lists[which].count <= limit)
            if limit == 1000 { #expect(ranges == models[which].marked) }
            for wanted in models[which].marked {
                #expect(ranges.contains { $0.lowerBound <= wanted.lowerBound && wanted.upperBound <= $0.upperBound })
            }
            // Stretching put more into the list than was asked for; from here on that counts as asked for.
            for range in ranges { _ = models[which].arrive(range) }
        }
        for which in lists.indices { pool.clear(&lists[which]) }
        #expect(pool.used == 0)
    }

    @Test("reserved nodes serve the first range of a list only")
    func reserve() {
        var pool = RangePool(capacity: 4, reserve: 2)
        var gaps = RangeList()
        var first = RangeList()
        var second = RangeList()
        let taken = [pool.append(0..<1, to: &gaps), pool.append(2..<3, to: &gaps), pool.append(4..<5, to: &gaps)]
        #expect(taken == [true, true, false])
        let inserted = [
            pool.insert(0..<10, into: &first, limit: 8), pool.insert(0..<10, into: &second, limit: 8),
            pool.insert(20..<30, into: &first, limit: 8),
        ]
        #expect(inserted == [true, true, true])
        #expect(pool.ranges(of: first) == [0..<30])
        #expect(pool.used == 4)
    }
}
