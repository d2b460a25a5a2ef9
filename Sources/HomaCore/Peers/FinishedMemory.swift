// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Which requests of one client have run, so that a late duplicate is never run again.
///
/// A window of bits that slides over the client's identifiers. Below the window everything counts
/// as finished. The window moves up when a client that speaks our extensions says that all its
/// RPCs below some identifier are finished, or when a much newer RPC finishes; so the memory per
/// client is limited, and in doubt a request is refused rather than run twice.
///
/// The window never leaps because one request says so: what finishes far above all else is a *stray*, remembered
/// exactly, until there are more strays than fit. A forged packet, or a flipped bit, would else shut the client out for
/// good.
///
/// There are only as many bits as the window has been long: few for a client that says what is finished.
struct FinishedMemory: BitwiseCopyable {
    /// Bits by identifier ÷ 2, as a ring; nil until something has finished.
    private var words: UnsafeMutablePointer<UInt64>?
    private var mask: UInt64 = 0
    /// Identifier ÷ 2 of the lowest bit.
    private var base: UInt64 = 0
    /// The highest number that finished in the window.
    private var highest: UInt64 = 0
    /// The lowest unfinished number that the client stated last, which nothing has confirmed.
    private var stated: UInt64 = 0
    private var strays = InlineArray<4, UInt64>(repeating: 0)
    private var strayCount = 0
    /// What finishes so far above all else is a stray.
    private static var leap: UInt64 { 1 << 20 }

    init() {}

    /// `id` is the client's or the server's form; both mean the same RPC.
    func isFinished(_ id: RPCID) -> Bool {
        let number = id.rawValue >> 1
        guard number >= base else { return true }
        if let words, number - base <= mask { return words[Int((number & mask) >> 6)] & (1 << (number & 63)) != 0 }
        for position in 0..<strayCount where strays[position] == number { return true }
        return false
    }

    /// Whether the request is older than all that is remembered bit by bit.
    func isBelowWindow(_ id: RPCID) -> Bool { id.rawValue >> 1 < base }

    /// - Parameter capacity: identifiers in the window, a power of two of at least 64; 0: remembers nothing.
    mutating func markFinished(_ id: RPCID, capacity: Int) {
        guard capacity > 0 else { return }
        let number = id.rawValue >> 1
        guard number > max(highest, base) + Self.leap else { return mark(number, capacity: UInt64(capacity)) }
        for position in 0..<strayCount where strays[position] == number { return }
        guard strayCount == strays.count else {
            strays[strayCount] = number
            strayCount += 1
            return
        }
        // To the lowest of them: it takes more than a few that were made up to move the window beyond all others.
        var lowest = number
        for position in 0..<strayCount where strays[position] < lowest { swap(&lowest, &strays[position]) }
        move(to: lowest, capacity: UInt64(capacity))
    }

    private mutating func mark(_ number: UInt64, capacity: UInt64) {
        if number >= base, number - base >= bits { grow(toHold: number - base, atMost: capacity) }
        if number >= base + mask + 1 { slide(to: number - mask) }
        guard number >= base else { return }
        words![Int((number & mask) >> 6)] |= 1 << (number & 63)
        highest = max(highest, number)
    }

    /// The client's identifiers have leapt, as those of one that restarted: the window follows, and takes up the strays
    /// that lie in it.
    private mutating func move(to number: UInt64, capacity: UInt64) {
        let lowest = number - min(number, capacity - 1)
        slide(to: max(base, stated <= number ? max(stated, lowest) : lowest))
        mark(number, capacity: capacity)
        let (all, count) = (strays, strayCount)
        strayCount = 0
        for position in 0..<count {
            if all[position] > number + Self.leap {
                strays[strayCount] = all[position]
                strayCount += 1
            } else {
                mark(all[position], capacity: capacity)
            }
        }
    }

    /// Everything below `id` is finished, says a packet of the client. It is believed as far as requests were seen to
    /// finish, since anybody can say it.
    mutating func noteStatedFloor(_ id: RPCID) {
        stated = id.rawValue >> 1
        if words != nil { raiseFloor(to: RPCID(rawValue: min(stated, highest + 1) << 1)) }
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

    /// Bits that there is memory for.
    var bits: UInt64 { words == nil ? 0 : mask + 1 }

    private static var fewestBits: UInt64 { 1024 }

    /// Takes memory for the bit that is `distance` above the lowest, or for as many as there may be.
    private mutating func grow(toHold distance: UInt64, atMost capacity: UInt64) {
        var count = max(bits, min(Self.fewestBits, capacity))
        while count <= distance, count < capacity { count *= 2 }
        guard count > bits else { return }
        let fresh = UnsafeMutablePointer<UInt64>.allocate(capacity: Int(count / 64))
        fresh.initialize(repeating: 0, count: Int(count / 64))
        if let words {
            // All sizes are powers of two: a number's bit keeps its place in a word.
            for number in base...base + mask where words[Int((number & mask) >> 6)] & (1 << (number & 63)) != 0 {
                fresh[Int((number & (count - 1)) >> 6)] |= 1 << (number & 63)
            }
            words.deallocate()
        }
        words = fresh
        mask = count - 1
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
