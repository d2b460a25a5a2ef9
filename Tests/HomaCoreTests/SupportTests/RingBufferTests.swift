// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Ring buffer")
struct RingBufferTests {
    @Test("keeps the order through growth and wrap-around", arguments: 0..<10 as Range<UInt64>)
    func order(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var ring = RingBuffer<Int>(capacity: 4)
        var written = 0
        var read = 0
        for _ in 0..<5000 {
            if Int.random(in: 0..<100, using: &random) < 55 {
                ring.append(written)
                written += 1
            } else {
                #expect(ring.popFirst() == (read < written ? read : nil))
                if read < written { read += 1 }
            }
            #expect(ring.count == written - read && ring.isEmpty == (written == read))
        }
    }
}
