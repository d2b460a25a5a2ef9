// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaIO

@Suite("Engine tables")
struct EngineTablesTests {
    @Test("a slab keeps entries under their index while it grows and reuses what is free")
    func slab() {
        var slab = TokenTable<Int>(capacity: 2)
        let indices = (0..<100).map { slab.insert($0) }
        #expect(Set(indices).count == 100)
        for (value, index) in indices.enumerated() { #expect(slab[index] == value) }
        #expect(slab.remove(indices[7]) == 7)
        #expect(slab.remove(indices[7]) == nil)
        #expect(slab.remove(1_000_000) == nil)
        #expect(slab.insert(700) == indices[7])
        #expect(slab.count == 100)
        #expect(slab.removeAll().count == 100)
        #expect(slab.count == 0)
    }

    @Test("sleepers come out by deadline, and in order of arrival at one deadline", arguments: 0..<8 as Range<UInt64>)
    func timers(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = TimerQueue()
        #expect(queue.earliest == .distantFuture)
        var sleepers: [ObjectIdentifier: Int] = [:]
        var kept: [Sleeper] = []
        for order in 0..<200 {
            let sleeper = Sleeper(until: Instant(nanoseconds: .random(in: 1...20, using: &random)))
            sleepers[ObjectIdentifier(sleeper)] = order
            kept.append(sleeper)
            queue.insert(sleeper)
        }
        var last: (UInt64, Int) = (0, -1)
        var count = 0
        for time in 1...20 as ClosedRange<UInt64> {
            while let sleeper = queue.popExpired(at: Instant(nanoseconds: time)) {
                #expect(sleeper.deadline.nanoseconds == time)
                let key = (time, sleepers[ObjectIdentifier(sleeper)]!)
                #expect(key > last)
                last = key
                count += 1
            }
            #expect(queue.earliest.nanoseconds > time)
        }
        #expect(count == 200)
    }

    @Test("a buffer holds what was put in, and zeros for the rest")
    func outgoingBuffer() {
        let buffer = OutgoingBuffer(count: 10) { output in output.append(7, as: UInt8.self) }
        #expect(
            Array(UnsafeRawBufferPointer(start: buffer.base, count: buffer.count)) == [7]
                + [UInt8](repeating: 0, count: 9))
        let bytes: [UInt8] = [1, 2, 3]
        let copy = OutgoingBuffer(copying: bytes.span.bytes)
        #expect(Array(UnsafeRawBufferPointer(start: copy.base, count: copy.count)) == bytes)
    }
}
