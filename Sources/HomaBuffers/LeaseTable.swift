// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

/// The lease slots: raw memory with three records per message that may hold buffers.
///
/// Shards claim slots in blocks and keep them. The slots of a shard form a ring that its thread goes round: the next
/// slot that is free is the next lease. Whoever returns a lease only marks its slot, so there is no list to keep in
/// order between threads. Memory of blocks nobody claimed is never touched.
struct LeaseTable: ~Copyable, @unchecked Sendable {
    /// Stands for "no slot".
    static let none = UInt32.max
    /// Slots that are looked at before a new block is claimed. More keeps the ring shorter, fewer finds a slot sooner.
    private static let patience = 8

    let capacity: Int
    private let states: UnsafeMutableRawPointer
    private let places: UnsafeMutableRawPointer
    private let pages: UnsafeMutableRawPointer
    private let pagesStride: Int
    /// The generation of slots that were never used. Differs between the pools of a process, so that
    /// one pool's lease is taken for foreign by the others.
    private let firstGeneration: UInt32
    private let blockShift: Int
    private let blockCount: Int
    /// Blocks that a shard claims to find slots sooner; beyond that only because all its slots are taken.
    private let fairShare: Int
    /// Blocks claimed so far.
    private let claimedBlocks = Atomic<Int>(0)
    /// Shards that have no block yet. One is kept for each, or they would never get any.
    private let shardsWithout: Atomic<Int>
    /// Per block, 1 once its records may be read by threads that got a lease from nowhere.
    private let ready: UnsafeMutablePointer<Atomic<UInt8>>
    /// Per block, the next one of its shard's ring. Plain memory of the shard's thread.
    private let nextBlock: UnsafeMutablePointer<UInt32>
    /// 1 when a shard found all its slots taken and none has been returned since.
    private let exhausted = Atomic<UInt64>(0)

    init(capacity: Int, bpageSize: Int, shards: Int) {
        self.capacity = capacity
        pagesStride = LeasePages.stride(bpageSize: bpageSize)
        states = .allocate(byteCount: capacity * LeaseRecord.stateStride, alignment: cacheLine)
        places = .allocate(byteCount: capacity * LeaseRecord.placeStride, alignment: cacheLine)
        pages = .allocate(byteCount: capacity * pagesStride, alignment: cacheLine)
        let largest = min(64, max(1, capacity / shards))
        blockShift = Int.bitWidth - 1 - largest.leadingZeroBitCount
        blockCount = (capacity + (1 << blockShift) - 1) >> blockShift
        fairShare = blockCount / shards
        shardsWithout = Atomic(shards)
        ready = .allocate(capacity: blockCount)
        nextBlock = .allocate(capacity: blockCount)
        for block in 0..<blockCount { (ready + block).initialize(to: Atomic(0)) }
        // Odd multiplier: a different start for each of 2³² pools, far apart for neighbours.
        firstGeneration = poolsMade.wrappingAdd(1, ordering: .relaxed).newValue &* 0x9E37_79B1
    }

    deinit {
        states.deallocate()
        places.deallocate()
        pages.deallocate()
        ready.deallocate()
        nextBlock.deallocate()
    }

    @inline(__always)
    func record(_ slot: UInt32) -> LeaseRecord {
        LeaseRecord(
            state: states.word(Int(slot) &* LeaseRecord.stateStride),
            place: places + Int(slot) &* LeaseRecord.placeStride)
    }
    @inline(__always)
    func pages(_ slot: UInt32) -> LeasePages { LeasePages(base: pages + Int(slot) &* pagesStride) }

    // MARK: The shard's thread

    /// A free slot of the shard, or `none` when it has none and can get none.
    @inline(__always)
    func freeSlot(_ owner: UnsafeMutablePointer<ShardOwner>) -> UInt32 {
        let slot = owner.pointee.nextSlot
        return slot != Self.none && isFree(slot) ? slot : search(owner)
    }

    /// The slot that comes after this one in its shard's ring.
    @inline(__always)
    func slot(after slot: UInt32) -> UInt32 {
        let next = slot &+ 1
        let isInBlock = Int(next) & (1 << blockShift - 1) != 0 && Int(next) < capacity
        return isInBlock ? next : nextBlock[Int(slot) >> blockShift] << UInt32(blockShift)
    }

    /// Acquires what the last holder of the slot did.
    @inline(__always)
    private func isFree(_ slot: UInt32) -> Bool {
        record(slot).state.pointee.load(ordering: .acquiring) & LeaseRecord.Phase.mask == LeaseRecord.Phase.free
    }

    /// The slots that follow, then a new block if the shard has few, then the whole ring, then any new block.
    ///
    /// When nothing is free the search is not repeated until some lease has been returned: a flood of messages must
    /// not cost a search each. A return marks its slot and then looks at the flag; the search sets the flag and then
    /// looks at the slots once more. Both in sequentially consistent order, so one of them sees the other.
    @inline(never)
    private func search(_ owner: UnsafeMutablePointer<ShardOwner>) -> UInt32 {
        let start = owner.pointee.nextSlot
        guard start != Self.none else { return claimBlock(owner) }
        if owner.pointee.isExhausted, exhausted.load(ordering: .sequentiallyConsistent) != 0 { return Self.none }
        var slot = scan(from: start, atMost: Self.patience)
        if slot == Self.none, owner.pointee.blocks < fairShare { slot = claimBlock(owner) }
        if slot == Self.none { slot = scan(from: start, atMost: capacity) }
        if slot == Self.none { slot = claimBlock(owner) }
        if slot == Self.none {
            exhausted.store(1, ordering: .sequentiallyConsistent)
            slot = scan(from: start, atMost: capacity)
        }
        owner.pointee.isExhausted = slot == Self.none
        return slot
    }

    /// The first free slot from `start` on, once round the ring at most.
    private func scan(from start: UInt32, atMost count: Int) -> UInt32 {
        var slot = start
        for _ in 0..<count {
            if record(slot).state.pointee.load(ordering: .sequentiallyConsistent) & LeaseRecord.Phase.mask
                == LeaseRecord.Phase.free
            {
                return slot
            }
            slot = self.slot(after: slot)
            if slot == start { break }
        }
        return Self.none
    }

    /// Claims a block of fresh slots, puts it into the shard's ring and returns its first slot; `none` when there is no
    /// block left for it.
    private func claimBlock(_ owner: UnsafeMutablePointer<ShardOwner>) -> UInt32 {
        let isFirst = owner.pointee.blocks == 0
        var block = claimedBlocks.load(ordering: .acquiring)
        while true {
            // A shard that gets its first block counts it before it leaves those without one, so this never
            // allows too much.
            let kept = isFirst ? 0 : shardsWithout.load(ordering: .relaxed)
            guard block + kept < blockCount else { return Self.none }
            let (exchanged, original) = claimedBlocks.weakCompareExchange(
                expected: block, desired: block + 1, ordering: .acquiringAndReleasing)
            if exchanged { break }
            block = original
        }
        if isFirst { shardsWithout.wrappingSubtract(1, ordering: .relaxed) }
        owner.pointee.blocks += 1
        let start = block << blockShift
        for slot in start..<min(start + 1 << blockShift, capacity) {
            let record = record(UInt32(slot))
            record.state.pointee.store(
                LeaseRecord.state(firstGeneration, LeaseRecord.Phase.free), ordering: .relaxed)
            record.offset.pointee.store(LeaseRecord.noPiece, ordering: .relaxed)
            record.length.pointee.store(0, ordering: .relaxed)
        }
        if isFirst {
            nextBlock[block] = UInt32(block)
        } else {
            let current = Int(owner.pointee.nextSlot) >> blockShift
            nextBlock[block] = nextBlock[current]
            nextBlock[current] = UInt32(block)
        }
        owner.pointee.nextSlot = UInt32(start)
        ready[block].store(1, ordering: .releasing)
        return UInt32(start)
    }

    // MARK: Any thread

    /// Ends a lease, once, and gives what it holds to `body`; false when it is not live.
    ///
    /// `body` gets the last state, and the pages if it tells of any. Two returns of one lease race for the exchange,
    /// and exactly one of them wins. Without pages the slot is free from the exchange on.
    @inline(__always)
    func retire(_ lease: BufferLease, _ body: (_ state: UInt64, _ pages: LeasePages) -> Void) -> Bool {
        guard isKnown(lease) else { return false }
        let state = record(lease.slot).state
        let seen = look(at: state, lease.slot)
        guard LeaseRecord.isLive(seen, lease.generation) else { return false }
        let hasPages = LeaseRecord.hasPages(seen)
        let phase = hasPages ? LeaseRecord.Phase.returning : LeaseRecord.Phase.free
        let (exchanged, _) = state.pointee.compareExchange(
            expected: seen, desired: LeaseRecord.state(lease.generation, phase), ordering: .sequentiallyConsistent)
        guard exchanged else { return false }
        body(seen, pages(lease.slot))
        if hasPages {
            state.pointee.store(
                LeaseRecord.state(lease.generation, LeaseRecord.Phase.free), ordering: .sequentiallyConsistent)
        }
        if exhausted.load(ordering: .sequentiallyConsistent) != 0 {
            exhausted.store(0, ordering: .sequentiallyConsistent)
        }
        return true
    }

    /// The state of a slot that is about to be changed, acquired.
    ///
    /// The first of a cache line is read by an exchange that cannot succeed, which fetches the line for writing: the
    /// thread that returns what another allocated then waits for it once, not to read it and again to write it.
    @inline(__always)
    private func look(at state: UnsafeMutablePointer<Atomic<UInt64>>, _ slot: UInt32) -> UInt64 {
        guard slot & 7 == 0 else { return state.pointee.load(ordering: .acquiring) }
        return state.pointee.compareExchange(expected: .max, desired: .max, ordering: .acquiring).original
    }

    /// True when the slot exists and its record has been made.
    @inline(__always)
    private func isKnown(_ lease: BufferLease) -> Bool {
        Int(lease.slot) < capacity && ready[Int(lease.slot) >> blockShift].load(ordering: .acquiring) != 0
    }

    /// Why `retire` refused the lease.
    func refusal(of lease: BufferLease) -> PoolError {
        guard isKnown(lease) else { return .foreign(lease) }
        let current = LeaseRecord.generation(record(lease.slot).state.pointee.load(ordering: .relaxed))
        let age = lease.generation &- firstGeneration
        return age >= 1 && age <= current &- firstGeneration ? .alreadyReturned(lease) : .foreign(lease)
    }

    /// Leases live at this moment. Looks at every slot ever used.
    var liveCount: Int {
        var count = 0
        for slot in 0..<capacity where ready[slot >> blockShift].load(ordering: .acquiring) != 0 {
            let state = record(UInt32(slot)).state.pointee.load(ordering: .relaxed)
            if state & LeaseRecord.Phase.mask != LeaseRecord.Phase.free { count += 1 }
        }
        return count
    }
}

/// Pools created in this process, see `LeaseTable.firstGeneration`.
private let poolsMade = Atomic<UInt32>(0)
