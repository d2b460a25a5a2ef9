// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

@Suite struct EventQueueTests {
    /// Events at random distances, pushed as others are taken; each yields (time, payload) in order.
    private func times(seed: UInt64, span: UInt64) -> [(push: UInt64, payload: UInt32)] {
        var random = SeededRandom(seed: seed)
        return (0..<3000).map { (random.next() % span, UInt32($0)) }
    }

    private func isInOrder(_ taken: [EventEntry]) -> Bool {
        zip(taken, taken.dropFirst()).allSatisfy { $0.precedes($1) }
    }

    @Test(arguments: [UInt64(10), 1_000, 100_000_000, 10_000_000_000_000])
    func `heap and wheel take events in order of time, then of insertion`(span: UInt64) {
        var heap = EventHeap()
        var wheel = EventWheel(slotPicoseconds: 1000)
        for event in times(seed: 7, span: span) {
            heap.push(event.push, event.payload)
            wheel.push(event.push, event.payload)
        }
        var fromHeap: [EventEntry] = []
        var fromWheel: [EventEntry] = []
        while heap.count > 0 { fromHeap.append(heap.pop()) }
        while wheel.count > 0 { fromWheel.append(wheel.pop()) }
        #expect(fromHeap.count == 3000)
        #expect(isInOrder(fromHeap))
        #expect(fromHeap.map(\.word) == fromWheel.map(\.word))
        #expect(fromHeap.map(\.time) == fromWheel.map(\.time))
    }

    @Test(arguments: [UInt64(1), 50_000, 5_000_000, 900_000_000_000])
    func `heap and wheel agree while events follow from events`(span: UInt64) {
        var random = SeededRandom(seed: span)
        var heap = EventHeap()
        var wheel = EventWheel(slotPicoseconds: 1000)
        for payload in 0..<200 as Range<UInt32> {
            heap.push(UInt64(payload % 7), payload)
            wheel.push(UInt64(payload % 7), payload)
        }
        for _ in 0..<20_000 {
            let one = heap.pop()
            let other = wheel.pop()
            guard one.time == other.time, one.word == other.word else {
                Issue.record("heap took \(one), wheel \(other)")
                return
            }
            // Mostly near, now and then far beyond the ring, sometimes at the same moment.
            let distance = random.next() % 16 == 0 ? random.next() % (span * 1000) : random.next() % span
            heap.push(one.time + distance, one.payload)
            wheel.push(one.time + distance, one.payload)
        }
        #expect(heap.count == 200)
        #expect(wheel.count == 200)
    }

    @Test func `both queues of the benchmark do the same work`() {
        let heap = EventQueueBenchmark.run(.heap, pending: 500, operations: 20_000, seed: 3)
        let wheel = EventQueueBenchmark.run(.wheel, pending: 500, operations: 20_000, seed: 3)
        #expect(heap.operations == 20_000)
        #expect(heap == wheel)
        #expect(heap != EventQueueBenchmark.run(.heap, pending: 500, operations: 20_000, seed: 4))
    }
}
