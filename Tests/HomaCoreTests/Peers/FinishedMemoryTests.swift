// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Memory of finished requests")
struct FinishedMemoryTests {
    /// Method: requests finish in random order around a moving front; floors are raised at random.
    /// Property: what finished is never forgotten; what did not finish is refused only below a floor or
    /// below the window.
    @Test("nothing that finished is ever forgotten", arguments: 0..<80 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var memory = FinishedMemory()
        defer { memory.reset() }
        let capacity = [64, 128, 1024].randomElement(using: &random)!
        var finished: Set<UInt64> = []
        var floor: UInt64 = 0
        var front: UInt64 = UInt64.random(in: 1...5000, using: &random)
        for _ in 0..<1500 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                floor = max(floor, front - min(front, UInt64.random(in: 0..<200, using: &random)))
                memory.raiseFloor(to: RPCID(rawValue: floor * 2))
            case 1: front += UInt64.random(in: 0..<UInt64(2 * capacity), using: &random)
            default:
                front += UInt64.random(in: 0..<3, using: &random)
                let number = front - min(front, UInt64.random(in: 0..<UInt64(capacity), using: &random))
                memory.markFinished(RPCID(rawValue: number * 2 | 1), capacity: capacity)
                finished.insert(number)
                floor = max(floor, number < UInt64(capacity) ? 0 : number - UInt64(capacity) + 1)
            }
            let probe = front &+ 20 &- UInt64.random(in: 0..<min(front, 3000) + 20, using: &random)
            let expected = finished.contains(probe) || probe < floor
            #expect(memory.isFinished(RPCID(rawValue: probe * 2)) == expected)
            #expect(memory.isFinished(RPCID(rawValue: probe * 2 | 1)) == expected)
            #expect(memory.isBelowWindow(RPCID(rawValue: probe * 2)) == (probe < floor))
        }
        #expect(finished.allSatisfy { memory.isFinished(RPCID(rawValue: $0 * 2)) })
    }

    @Test("memory grows with the distance between what is finished, up to what is allowed, and keeps what it holds")
    func growth() {
        var memory = FinishedMemory()
        defer { memory.reset() }
        let capacity = 65_536
        memory.raiseFloor(to: RPCID(rawValue: 2_000_002))
        for number in 1_000_001..<1_000_400 as Range<UInt64> where number % 3 == 0 {
            memory.markFinished(RPCID(rawValue: number * 2), capacity: capacity)
        }
        #expect(memory.bits == 1024)
        for (distance, bits) in [(1023, 1024), (1024, 2048), (40_000, 65_536), (65_535, 65_536)] as [(UInt64, UInt64)] {
            memory.markFinished(RPCID(rawValue: (1_000_001 + distance) * 2), capacity: capacity)
            #expect(memory.bits == bits)
            for number in 1_000_001..<1_000_400 as Range<UInt64> {
                #expect(memory.isFinished(RPCID(rawValue: number * 2)) == (number % 3 == 0))
            }
        }
        memory.markFinished(RPCID(rawValue: (1_000_001 + 65_536) * 2), capacity: capacity)
        #expect(memory.bits == 65_536 && memory.isFinished(RPCID(rawValue: 2_000_002)), "the window moves on")
        #expect(!memory.isFinished(RPCID(rawValue: 2_000_006)), "and what is in it stays open")
    }

    @Test("a client that says what is finished costs little, however many requests it makes")
    func floors() {
        var memory = FinishedMemory()
        defer { memory.reset() }
        for number in 1...200_000 as ClosedRange<UInt64> {
            memory.raiseFloor(to: RPCID(rawValue: 2 * (number - min(number, 500))))
            memory.markFinished(RPCID(rawValue: 2 * number), capacity: 65_536)
        }
        #expect(memory.bits == 1024)
    }

    @Test("the largest identifiers there are do no harm")
    func extremes() {
        var memory = FinishedMemory()
        defer { memory.reset() }
        memory.markFinished(RPCID(rawValue: 2), capacity: 64)
        memory.markFinished(RPCID(rawValue: .max), capacity: 64)
        #expect(memory.isFinished(RPCID(rawValue: .max)) && memory.isFinished(RPCID(rawValue: 2)))
        #expect(!memory.isFinished(RPCID(rawValue: .max - 2)))
        memory.raiseFloor(to: RPCID(rawValue: .max))
        #expect(memory.isFinished(RPCID(rawValue: .max - 2)))
        memory.markFinished(RPCID(rawValue: .max), capacity: 64)
        #expect(memory.isFinished(RPCID(rawValue: .max)))
    }

    @Test("one far above four others does not shut the client out, whichever of them finishes last", arguments: 0..<5)
    func outlier(place: Int) {
        var memory = FinishedMemory()
        defer { memory.reset() }
        let ids = (0..<5).map { RPCID(rawValue: $0 == place ? .max - 145 : 1 << 50 + 2 * UInt64($0)) }
        for id in ids { memory.markFinished(id, capacity: 1024) }
        for id in ids { #expect(memory.isFinished(id)) }
        #expect(!memory.isFinished(RPCID(rawValue: 1 << 50 + 100)))
    }

    @Test("a window that follows a leap begins where the client stated last, unless that is above what finished")
    func leap() {
        let first: UInt64 = 1 << 40
        // Numbers that were given up before the first, and a floor that somebody made up.
        for (stated, lowest) in [(first, first), (first - 100, first - 100), (first + 1000, first - 1019)] {
            var memory = FinishedMemory()
            defer { memory.reset() }
            memory.markFinished(RPCID(rawValue: 2), capacity: 1024)
            memory.noteStatedFloor(RPCID(rawValue: stated * 2))
            #expect(!memory.isFinished(RPCID(rawValue: 4)), "it is not believed yet")
            for number in first..<first + 5 { memory.markFinished(RPCID(rawValue: number * 2), capacity: 1024) }
            for number in first..<first + 10 {
                #expect(memory.isFinished(RPCID(rawValue: number * 2)) == (number < first + 5))
            }
            #expect(memory.isBelowWindow(RPCID(rawValue: (lowest - 1) * 2)))
            #expect(!memory.isBelowWindow(RPCID(rawValue: lowest * 2)))
            #expect(memory.isFinished(RPCID(rawValue: (first - 50) * 2)) == (lowest == first))
        }
    }

    @Test("a floor alone needs no memory and refuses what lies below")
    func floorFirst() {
        var memory = FinishedMemory()
        defer { memory.reset() }
        memory.raiseFloor(to: RPCID(rawValue: 1000))
        #expect(memory.isFinished(RPCID(rawValue: 998)) && !memory.isFinished(RPCID(rawValue: 1000)))
        memory.markFinished(RPCID(rawValue: 998), capacity: 64)
        memory.markFinished(RPCID(rawValue: 1000), capacity: 64)
        #expect(memory.isFinished(RPCID(rawValue: 1000)) && !memory.isFinished(RPCID(rawValue: 1002)))
        memory.raiseFloor(to: RPCID(rawValue: 500))
        #expect(memory.isFinished(RPCID(rawValue: 998)), "a floor never falls")
    }

    @Test("a number that somebody made up does not move the window beyond what follows", arguments: 0..<6)
    func madeUp(position: Int) {
        var memory = FinishedMemory()
        defer { memory.reset() }
        let first: UInt64 = 1 << 50
        for number in 0..<20 as Range<UInt64> {
            if number == position { memory.markFinished(RPCID(rawValue: .max - 101), capacity: 1024) }
            let id = RPCID(rawValue: first + 2 * number)
            #expect(!memory.isFinished(id))
            memory.markFinished(id, capacity: 1024)
            #expect(memory.isFinished(id))
        }
        #expect(memory.isFinished(RPCID(rawValue: .max - 101)))
    }
}
