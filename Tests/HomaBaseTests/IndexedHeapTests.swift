// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@Suite("Indexed heap")
struct IndexedHeapTests {
    /// Method: random inserts, moves, removals and pops, against a plain sorted array. Keys are random, or grow with
    /// time, exactly or nearly, or do so for a part of the handles.
    @Test("agrees with a sorted array under random use", arguments: 0..<24 as Range<UInt64>)
    func agreesWithSortedArray(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let spread: UInt64 = [40, 1, 8, 4000][Int(seed % 4)]
        let speed = seed % 4 == 0 ? 0 : 1
        var heap = IndexedHeap(capacity: 64)
        var model: [UInt32: (key: UInt64, tie: UInt64)] = [:]
        for step in 0..<4000 {
            let handle = UInt32.random(in: 0..<64, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let isLate = seed % 4 != 3 || handle % 8 == 0
                let key = UInt64(step * speed) + (isLate ? UInt64.random(in: 0..<spread, using: &random) : 0)
                heap.set(handle, key: key, tie: UInt64(step))
                model[handle] = (key, UInt64(step))
            case 2:
                heap.remove(handle)
                model[handle] = nil
            default:
                let expected = model.min { ($0.value.key, $0.value.tie) < ($1.value.key, $1.value.tie) }?.key
                #expect(heap.popFirst() == expected)
                if let expected { model[expected] = nil }
            }
            #expect(heap.count == model.count)
            #expect(heap.contains(handle) == (model[handle] != nil))
            #expect(heap.key(of: handle) == model[handle]?.key)
            if step % 16 == 0 { #expect(heap.firstKey == model.values.map(\.key).min()) }
        }
    }
}
