// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Send queue")
struct SendQueueTests {
    /// Method: random messages come, shrink and go; the queue names who sends.
    @Test("without a share for the oldest, the shortest always sends", arguments: 0..<20 as Range<UInt64>)
    func shortestFirst(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = SendQueue(capacity: 64, oldestShare: 0)
        var model: [UInt32: (remaining: UInt32, birth: UInt64)] = [:]
        for step in 0..<3000 as Range<UInt64> {
            let slot = UInt32.random(in: 0..<64, using: &random)
            if Int.random(in: 0..<4, using: &random) == 0 {
                queue.remove(slot)
                model[slot] = nil
            } else {
                let remaining = UInt32.random(in: 0..<50, using: &random)
                let birth = model[slot]?.birth ?? step
                queue.set(slot, remaining: remaining, birth: Instant(nanoseconds: birth))
                model[slot] = (remaining, birth)
            }
            let expected = model.min { ($0.value.remaining, $0.value.birth) < ($1.value.remaining, $1.value.birth) }?
                .key
            #expect(queue.next() == expected)
            #expect(queue.isEmpty == model.isEmpty && queue.contains(slot) == (model[slot] != nil))
        }
    }

    /// Method: one old long message against an endless stream of shorter ones; bytes are counted.
    @Test("the oldest gets its share of the bytes and no more", arguments: [0.05, 0.1, 0.25, 0.5])
    func oldestShare(share: Double) {
        var queue = SendQueue(capacity: 8, oldestShare: share)
        queue.set(0, remaining: 1_000_000, birth: Instant(nanoseconds: 1))
        var sent = [0.0, 0.0]
        for step in 0..<20_000 {
            queue.set(1, remaining: 1000, birth: Instant(nanoseconds: UInt64(step) + 2))
            let slot = queue.next()!
            sent[Int(slot)] += 1000
            queue.sent(1000, of: slot, segment: 1000)
            if slot == 1 { queue.remove(1) }
        }
        let part = sent[0] / (sent[0] + sent[1])
        #expect(abs(part - share) < 0.01, "the oldest had \(part)")
    }

    @Test("a message alone earns no credit for later")
    func noCreditAlone() {
        var queue = SendQueue(capacity: 8, oldestShare: 0.5)
        queue.set(0, remaining: 1_000_000, birth: Instant(nanoseconds: 1))
        for _ in 0..<1000 { queue.sent(1000, of: 0, segment: 1000) }
        queue.set(1, remaining: 10, birth: Instant(nanoseconds: 2))
        #expect(queue.next() == 1)
    }
}
