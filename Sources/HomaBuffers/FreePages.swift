// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The free bpages of a region: a bitmap searched from its low end, and a count.
///
/// A taker first reserves from the count, by compare-and-swap, and searches afterwards. A page's bit
/// is set before the count rises, so there are never more reservations than set bits, and a search
/// always ends: each time it misses a bit, somebody else has found one.
///
/// Ordering: who frees a page sets its bit with release semantics, who takes it clears the bit with
/// acquire semantics. All changes of a bitmap word are read-modify-writes, so the taker sees
/// everything that the page's last users did, whoever changed the word in between.
struct FreePages: ~Copyable, @unchecked Sendable {
    /// Bpages in the region.
    let pages: Int
    private let wordCount: Int
    /// One bit a page, set while the page is free.
    private let free: UnsafeMutablePointer<Atomic<UInt64>>
    /// One bit a page, set once the page has been taken, until it is given back to the system.
    private let touched: UnsafeMutablePointer<Atomic<UInt64>>
    /// Free pages that nobody has reserved.
    private let freeCount: Atomic<Int>
    /// No word below this one has free pages, as far as known. A wrong value costs locality only.
    private let lowestHint = Atomic<Int>(0)
    private let touchedCount = Atomic<Int>(0)
    private let mostInUse = Atomic<Int>(0)
    /// Most pages taken at once since somebody asked for that.
    private let mostOfLate = Atomic<Int>(0)

    init(pages: Int) {
        self.pages = pages
        wordCount = (pages + 63) / 64
        free = .allocate(capacity: wordCount)
        touched = .allocate(capacity: wordCount)
        for word in 0..<wordCount {
            let count = min(64, pages - word * 64)
            (free + word).initialize(to: Atomic(count == 64 ? .max : (1 << UInt64(count)) - 1))
            (touched + word).initialize(to: Atomic(0))
        }
        freeCount = Atomic(pages)
    }

    deinit {
        free.deallocate()
        touched.deallocate()
    }

    /// Free pages at this moment.
    var count: Int { freeCount.load(ordering: .relaxed) }
    /// Pages that have been taken, and not been given back to the system since.
    var touchedPages: Int { touchedCount.load(ordering: .relaxed) }
    /// Most pages taken at once.
    var highWaterMark: Int { mostInUse.load(ordering: .relaxed) }

    /// Takes `wanted` pages, lowest first, and writes their numbers to `list`; or takes none when
    /// fewer than `wanted + reserve` are free.
    func take(_ wanted: Int, leaving reserve: Int, into list: UnsafeMutablePointer<UInt32>) -> Bool {
        guard let left = self.reserve(wanted, leaving: reserve) else { return false }
        noteInUse(pages - left)
        claim(wanted, into: list)
        return true
    }

    /// Reserves `wanted` pages from the count; how many that leaves, or nil where it would be fewer than `least`.
    private func reserve(_ wanted: Int, leaving least: Int) -> Int? {
        var seen = freeCount.load(ordering: .relaxed)
        while seen >= wanted + least {
            let (exchanged, original) = freeCount.weakCompareExchange(
                expected: seen, desired: seen - wanted, ordering: .acquiring)
            if exchanged { return seen - wanted }
            seen = original
        }
        return nil
    }

    /// Makes the pages in `list` free again.
    ///
    /// The count rises with sequential consistency: ``BufferPool/release(_:)`` relies on it.
    func put(_ list: UnsafePointer<UInt32>, count: Int) {
        var lowest = Int.max
        for index in 0..<count {
            let page = Int(list[index])
            let mask: UInt64 = 1 << UInt64(page & 63)
            let before = free[page >> 6].bitwiseOr(mask, ordering: .acquiringAndReleasing).oldValue
            precondition(before & mask == 0, "a free bpage was freed again")
            lowest = min(lowest, page >> 6)
        }
        var hint = lowestHint.load(ordering: .relaxed)
        while hint > lowest {
            let (exchanged, original) = lowestHint.weakCompareExchange(
                expected: hint, desired: lowest, ordering: .relaxed)
            if exchanged { break }
            hint = original
        }
        freeCount.wrappingAdd(count, ordering: .sequentiallyConsistent)
    }

    /// Finds `wanted` set bits, which the caller has reserved, and clears them.
    private func claim(_ wanted: Int, into list: UnsafeMutablePointer<UInt32>) {
        let start = lowestHint.load(ordering: .relaxed)
        var word = start
        var found = 0
        var wrapped = false
        while true {
            let seen = free[word].load(ordering: .relaxed)
            if seen != 0 {
                let mask = Self.lowestBits(of: seen, count: wanted - found)
                let before = free[word].bitwiseAnd(~mask, ordering: .acquiringAndReleasing).oldValue
                found += record(before & mask, ofWord: word, into: list + found)
                if found == wanted { break }
            } else {
                word += 1
                if word == wordCount { (word, wrapped) = (0, true) }
            }
        }
        // Only if the hint is still the one this search began with: a page freed below must be seen.
        // A page freed meanwhile between `start` and `word` may be passed over for a while.
        if word > start, !wrapped {
            _ = lowestHint.compareExchange(expected: start, desired: word, ordering: .relaxed)
        }
    }

    /// Writes the numbers of the pages whose bits are set in `bits`; returns how many they are.
    private func record(_ bits: UInt64, ofWord word: Int, into list: UnsafeMutablePointer<UInt32>) -> Int {
        let count = Self.write(bits, ofWord: word, to: list)
        if touched[word].load(ordering: .relaxed) & bits != bits {
            let before = touched[word].bitwiseOr(bits, ordering: .relaxed).oldValue
            touchedCount.wrappingAdd((bits & ~before).nonzeroBitCount, ordering: .relaxed)
        }
        return count
    }

    private static func write(_ bits: UInt64, ofWord word: Int, to list: UnsafeMutablePointer<UInt32>) -> Int {
        var rest = bits
        var count = 0
        while rest != 0 {
            list[count] = UInt32(truncatingIfNeeded: word * 64 + rest.trailingZeroBitCount)
            count += 1
            rest &= rest - 1
        }
        return count
    }

    private func noteInUse(_ inUse: Int) {
        Self.raise(mostOfLate, to: inUse)
        Self.raise(mostInUse, to: inUse)
    }

    private static func raise(_ mark: borrowing Atomic<Int>, to value: Int) {
        var seen = mark.load(ordering: .relaxed)
        while value > seen {
            let (exchanged, original) = mark.weakCompareExchange(expected: seen, desired: value, ordering: .relaxed)
            if exchanged { break }
            seen = original
        }
    }

    // MARK: Giving memory back to the system

    /// Most pages taken at once since the last time somebody asked.
    func takeMostOfLate() -> Int {
        let inUse = pages - freeCount.load(ordering: .relaxed)
        return max(inUse, mostOfLate.exchange(inUse, ordering: .relaxed))
    }

    /// Takes free pages whose bytes take memory, from the highest down to page `floor`, and writes their numbers to
    /// `list`, in ascending order within each 64; returns how many. None where fewer than `reserve` would stay free.
    ///
    /// The caller gives their bytes back to the system, and then the pages to ``put(_:count:)``.
    func takeIdle(
        from floor: Int, atMost limit: Int, leaving reserve: Int, into list: UnsafeMutablePointer<UInt32>
    ) -> Int {
        var count = 0
        var word = wordCount - 1
        while word >= max(0, floor) >> 6, count < limit {
            defer { word -= 1 }
            var bits = free[word].load(ordering: .relaxed) & touched[word].load(ordering: .relaxed)
            if word == floor >> 6 { bits &= .max << UInt64(floor & 63) }
            while bits.nonzeroBitCount > limit - count { bits &= bits - 1 }
            let wanted = bits.nonzeroBitCount
            guard wanted > 0, self.reserve(wanted, leaving: reserve) != nil else { continue }
            let taken = free[word].bitwiseAnd(~bits, ordering: .acquiringAndReleasing).oldValue & bits
            // Others have found some of them in the meantime, and left other free pages for the reservation.
            freeCount.wrappingAdd(wanted - taken.nonzeroBitCount, ordering: .sequentiallyConsistent)
            touched[word].bitwiseAnd(~taken, ordering: .relaxed)
            touchedCount.wrappingSubtract(taken.nonzeroBitCount, ordering: .relaxed)
            count += Self.write(taken, ofWord: word, to: list + count)
        }
        return count
    }

    /// The `count` lowest set bits of `value`, or all when it has fewer.
    private static func lowestBits(of value: UInt64, count: Int) -> UInt64 {
        guard value.nonzeroBitCount > count else { return value }
        var rest = value
        for _ in 0..<count { rest &= rest - 1 }
        return value & ~rest
    }
}
