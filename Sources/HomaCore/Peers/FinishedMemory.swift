// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Which requests of one client have run, so that a late duplicate is never run again.
///
/// A window of bits that slides over the client's identifiers. Below the window everything counts
/// as finished. The window moves up when a client that speaks our extensions says that all its
/// RPCs below some identifier are finished, or when a much newer RPC finishes; so the memory per
/// client is fixed, and in doubt a request is refused rather than run twice.
struct FinishedMemory: BitwiseCopyable {
    /// Bits by identifier ÷ 2, as a ring; nil until something has finished.
    private var words: UnsafeMutablePointer<UInt64>?
    private var mask: UInt64 = 0
    /// Identifier ÷ 2 of the lowest bit.
    private var base: UInt64 = 0

    init() {}

    /// `id` is the client's or the server's form; both mean the same RPC.
    func isFinished(_ id: RPCID) -> Bool {
        let number = id.rawValue >> 1
        guard number >= base else { return true }
        guard let words, number - base <= mask else { return false }
        return words[Int((number & mask) >> 6)] & (1 << (number & 63)) != 0
    }

    /// Whether the request is older than all that is remembered bit by bit.
    func isBelowWindow(_ id: RPCID) -> Bool { id.rawValue >> 1 < base }

    /// - Parameter capacity: identifiers in the window, a power of two of at least 64; 0: remembers nothing.
    mutating func markFinished(_ id: RPCID, capacity: Int) {
        guard capacity > 0 else { return }
        let number = id.rawValue >> 1
        if words == nil {
            let fresh = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity / 64)
            fresh.initialize(repeating: 0, count: capacity / 64)
            words = fresh
            mask = UInt64(capacity - 1)
        }
        if number >= base + mask + 1 { slide(to: number - mask) }
        guard number >= base else { return }
        words![Int((number & mask) >> 6)] |= 1 << (number & 63)
    }

    /// Everything below `id` is finished, says the client.
    mutating func raiseFloor(to id: RPCID) {
        let number = id.rawValue >> 1
        guard number > base else { return }
        slide(to: number)
    }

    /// Forgets everything, as for a client that has never been seen.
    mutating func reset() {
        words?.deallocate()
        self = FinishedMemory()
    }

    private mutating func slide(to newBase: UInt64) {
        if let words {
            if newBase - base > mask {
                words.update(repeating: 0, count: Int((mask + 1) >> 6))
            } else {
                clear(from: base, to: newBase, in: words)
            }
        }
        base = newBase
    }

    private func clear(from start: UInt64, to end: UInt64, in words: UnsafeMutablePointer<UInt64>) {
        var number = start
        while number < end {
            if number & 63 == 0 && end - number >= 64 {
                words[Int((number & mask) >> 6)] = 0
                number += 64
            } else {
                words[Int((number & mask) >> 6)] &= ~(1 << (number & 63))
                number += 1
            }
        }
    }
}
