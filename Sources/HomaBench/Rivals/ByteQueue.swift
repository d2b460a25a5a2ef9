// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Bytes that go in at the end and out at the front, in one piece of memory that grows and is reused.
final class ByteQueue {
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private var start = 0
    private var end = 0

    init(capacity: Int) {
        self.capacity = capacity
        memory = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { memory.deallocate() }

    var count: Int { end - start }

    /// The bytes held. Valid until the queue is changed.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory + start, count: count) }

    /// Room for at least `minimum` bytes behind the end; follow with `commit`.
    func reserve(_ minimum: Int) -> UnsafeMutableRawBufferPointer {
        if capacity - end < minimum { makeRoom(minimum) }
        return UnsafeMutableRawBufferPointer(start: memory + end, count: capacity - end)
    }

    /// Takes `count` bytes of the reserved room into the queue.
    func commit(_ count: Int) { end += count }

    /// Copies bytes in at the end.
    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        memcpy(reserve(bytes.count).baseAddress.unsafelyUnwrapped, source, bytes.count)
        commit(bytes.count)
    }

    /// Drops bytes at the front.
    func consume(_ count: Int) {
        start += count
        if start == end {
            start = 0
            end = 0
        }
    }

    private func makeRoom(_ minimum: Int) {
        let held = count
        if held + minimum <= capacity, start >= capacity / 2 || held < 4096 {
            memmove(memory, memory + start, held)
        } else {
            let larger = max(2 * capacity, held + minimum)
            let fresh = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 64)
            memcpy(fresh, memory + start, held)
            memory.deallocate()
            memory = fresh
            capacity = larger
        }
        start = 0
        end = held
    }
}
