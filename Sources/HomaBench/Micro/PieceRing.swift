// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Words on their way from one thread to one other, first in, first out.
///
/// Each end publishes its progress once in `batch` words, so that the ring costs little beside what it carries.
final class PieceRing: @unchecked Sendable {
    static let capacity = 1024
    static let batch = 16
    private static let mask = capacity - 1

    private let words = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity)
    /// Written words on the first line, read words on the third: no line is written by both threads.
    private let counters = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 64)

    init() {
        words.initialize(repeating: 0, count: Self.capacity)
        counters.initializeMemory(as: UInt8.self, repeating: 0, count: 256)
    }

    deinit {
        words.deallocate()
        counters.deallocate()
    }

    private var written: UnsafeMutablePointer<Atomic<Int>> { counters.assumingMemoryBound(to: Atomic<Int>.self) }
    private var read: UnsafeMutablePointer<Atomic<Int>> { (counters + 128).assumingMemoryBound(to: Atomic<Int>.self) }

    /// Writes `count` words, a multiple of the batch.
    @inline(__always)
    func write(_ count: Int, _ next: (Int) -> UInt64) {
        var done = 0
        while done < count {
            while done - read.pointee.load(ordering: .acquiring) > Self.capacity - Self.batch { spinHint() }
            for index in done..<done + Self.batch { words[index & Self.mask] = next(index) }
            done += Self.batch
            written.pointee.store(done, ordering: .releasing)
        }
    }

    /// Takes `count` words, a multiple of the batch.
    @inline(__always)
    func read(_ count: Int, _ body: (UInt64) -> Void) {
        var done = 0
        while done < count {
            while written.pointee.load(ordering: .acquiring) - done < Self.batch { spinHint() }
            for index in done..<done + Self.batch { body(words[index & Self.mask]) }
            done += Self.batch
            read.pointee.store(done, ordering: .releasing)
        }
    }

    @inline(__always)
    private func spinHint() { _ = 0 }
}
