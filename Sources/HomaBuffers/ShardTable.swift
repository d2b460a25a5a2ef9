// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

/// Three cache lines for each shard, cut by who writes them.
struct ShardTable: ~Copyable, @unchecked Sendable {
    let count: Int
    private let base: UnsafeMutableRawPointer
    private static let stride = 3 * cacheLine

    init(count: Int) {
        self.count = count
        base = .allocate(byteCount: count * Self.stride, alignment: cacheLine)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: count * Self.stride)
        for shard in 0..<count { self[shard].owner.initialize(to: ShardOwner()) }
    }

    deinit { base.deallocate() }

    @inline(__always)
    subscript(shard: Int) -> Shard {
        precondition(shard >= 0 && shard < count, "shard outside the configured range")
        return Shard(base: base + shard * Self.stride)
    }
}

/// The memory of one shard.
struct Shard {
    let base: UnsafeMutableRawPointer

    // Line 0, written rarely.

    /// 1 when another shard is out of space and wants this one's idle page.
    @inline(__always)
    var asked: UnsafeMutablePointer<Atomic<UInt64>> { base.word(0) }
    /// The parking place: number of the owned page plus one while the shard is parked, else 0.
    /// Whoever exchanges it for 0 holds the page.
    var parkedPage: UnsafeMutablePointer<Atomic<UInt64>> { base.word(8) }
    /// When the parked page may be taken, in nanoseconds.
    var parkedUntil: UnsafeMutablePointer<Atomic<UInt64>> { base.word(16) }
    /// 1 while the active shard owns a page: whether asking makes sense.
    var ownsPage: UnsafeMutablePointer<Atomic<UInt64>> { base.word(24) }
    /// Messages of this shard that wait for space.
    var waiting: UnsafeMutablePointer<Atomic<UInt64>> { base.word(32) }

    // Line 1, counters that only the shard's thread writes.

    var stalls: UnsafeMutablePointer<Atomic<UInt64>> { base.word(64) }
    var reuses: UnsafeMutablePointer<Atomic<UInt64>> { base.word(72) }
    var steals: UnsafeMutablePointer<Atomic<UInt64>> { base.word(80) }
    var surrenders: UnsafeMutablePointer<Atomic<UInt64>> { base.word(88) }

    // Line 2, plain memory of the shard's thread.

    @inline(__always)
    var owner: UnsafeMutablePointer<ShardOwner> { (base + 128).assumingMemoryBound(to: ShardOwner.self) }
}

/// What only the thread of a shard reads and writes.
struct ShardOwner: BitwiseCopyable {
    var owned = OwnedPage()
    /// Last allocation from the owned page, which its lease counts from.
    var lastUse = Instant.zero
    /// Where the search for a free slot begins; `none` before the first block is claimed.
    var nextSlot = LeaseTable.none
    /// Blocks of slots the shard has claimed.
    var blocks = 0
    /// All slots were taken when they were looked at last.
    var isExhausted = false
}
