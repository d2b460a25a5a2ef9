// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Bytes that processors move between their caches as a unit. Data that different threads write is
/// kept this far apart.
let cacheLine = 64

extension UnsafeMutableRawPointer {
    /// The atomic word at `offset` bytes. All bit patterns are valid, so a word in fresh memory needs
    /// a store before the first load, but no other initialisation.
    @inline(__always)
    func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        (self + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }
}

extension UnsafeMutablePointer where Pointee == Atomic<UInt64> {
    /// Adds one to a counter that only the calling thread writes: a plain load and a plain store.
    @inline(__always)
    func countUp() {
        pointee.store(pointee.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }
}
