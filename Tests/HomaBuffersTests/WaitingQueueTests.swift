// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import Testing

/// A queue that `#expect` can look at: its macro copies what it inspects, and the queue cannot be copied.
private final class Queue {
    private var queue: WaitingQueue

    init(capacity: Int, oldestShare: Double = 0.05) {
        queue = WaitingQueue(capacity: capacity, oldestShare: oldestShare)
    }

    var count: Int { queue.count }
    func insert(_ handle: UInt32, length: Int) { queue.insert(handle, length: length) }
    func remove(_ handle: UInt32) { queue.remove(handle) }
    func mustWait(length: Int) -> Bool { queue.mustWait(length: length) }
    func next() -> UInt32? { queue.next() }
    func served(_ handle: UInt32) { queue.served(handle) }
    func overtook(length: Int) { queue.overtook(length: length) }
}

@Suite("Waiting queue")
struct WaitingQueueTests {
    @Test("serves the shortest first, equal ones by age")
    func order() {
        let queue = Queue(capacity: 8, oldestShare: 0)
        for (handle, length) in [(0, 900), (1, 300), (2, 500), (3, 300)] {
            queue.insert(UInt32(handle), length: length)
        }
        var order: [UInt32] = []
        while let handle = queue.next() {
            order.append(handle)
            queue.served(handle)
        }
        #expect(order == [1, 3, 2, 0])
        #expect(queue.count == 0)
    }

    @Test("a newcomer may pass longer ones only")
    func newcomers() {
        let queue = Queue(capacity: 8)
        #expect(!queue.mustWait(length: 1_000_000))
        queue.insert(0, length: 500)
        #expect(queue.mustWait(length: 500) && queue.mustWait(length: 501))
        #expect(!queue.mustWait(length: 499))
        queue.remove(0)
        queue.remove(0)
        #expect(!queue.mustWait(length: 500) && queue.next() == nil)
    }

    @Test("the oldest's turn comes when it has earned its length, and holds back everybody else")
    func oldestsTurn() {
        let queue = Queue(capacity: 8, oldestShare: 0.5)
        queue.insert(0, length: 1000)
        queue.insert(1, length: 600)
        queue.served(1)
        #expect(!queue.mustWait(length: 1))
        queue.overtook(length: 400)
        queue.insert(2, length: 1)
        #expect(queue.next() == 0 && queue.mustWait(length: 1))
        queue.served(0)
        #expect(queue.next() == 2 && !queue.mustWait(length: 0))
    }

    /// Method: short messages arrive without end, and half of those that may pass the queue do.
    @Test("nobody starves, and the oldest's part of the bytes is its share", arguments: seeds(0..<20))
    func noStarvation(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let share = [0.05, 0.1, 0.3][Int(seed % 3)]
        let queue = Queue(capacity: 40, oldestShare: share)
        var lengths = [UInt32: Int]()
        var shortBytes = 0
        var longServed = 0
        queue.insert(0, length: 1_000_000)
        while longServed < 10, shortBytes < 1_000_000_000 {
            let length = Int.random(in: 1...20_000, using: &random)
            if !queue.mustWait(length: length), Bool.random(using: &random) {
                queue.overtook(length: length)
                shortBytes += length
            } else if let handle = (1..<40 as Range<UInt32>).first(where: { lengths[$0] == nil }) {
                queue.insert(handle, length: length)
                lengths[handle] = length
            }
            guard Int.random(in: 0..<4, using: &random) == 0, let handle = queue.next() else { continue }
            queue.served(handle)
            shortBytes += lengths.removeValue(forKey: handle) ?? 0
            guard handle == 0 else { continue }
            longServed += 1
            queue.insert(0, length: 1_000_000)
        }
        #expect(longServed == 10)
        // Each short message that was the oldest itself took part of the share before the long one did.
        #expect(Double(longServed) * 1_000_000 > 0.5 * share * Double(shortBytes))
        #expect(Double(longServed) * 1_000_000 <= 1.2 * share * (Double(shortBytes) + 10_000_000))
    }
}
