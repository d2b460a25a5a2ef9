// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

/// The lease slots: raw memory with one record per message that may hold buffers.
///
/// Shards claim slots in blocks and keep them. A free slot is either on its shard's own list, which
/// only the shard's thread touches, or on the shard's stack of returned slots, which any thread pushes
/// to and the shard empties as a whole; nobody ever pops a single element, so the stack cannot suffer
/// from a head that left and came back. Memory of blocks nobody claimed is never touched.
struct LeaseTable: ~Copyable, @unchecked Sendable {
    /// Ends a list of slots.
    static let endOfList = UInt32.max

    let base: UnsafeMutableRawPointer
    let stride: Int
    let capacity: Int
    /// The generation of slots that were never used. Differs between the pools of a process, so that
    /// one pool's lease is taken for foreign by the others.
    private let firstGeneration: UInt32
    private let blockShift: Int
    private let blockCount: Int
    /// Blocks claimed so far.
    private let claimedBlocks = Atomic<Int>(0)
    /// Per block, 1 once its records may be read by threads that got a lease from nowhere.
    private let ready: UnsafeMutablePointer<Atomic<UInt8>>

    init(capacity: Int, bpageSize: Int, shards: Int) {
        self.capacity = capacity
        stride = LeaseRecord.stride(bpageSize: bpageSize)
        base = .allocate(byteCount: capacity * stride, alignment: cacheLine)
        let largest = min(64, max(1, capacity / shards))
        blockShift = Int.bitWidth - 1 - largest.leadingZeroBitCount
        blockCount = (capacity + (1 << blockShift) - 1) >> blockShift
        ready = .allocate(capacity: blockCount)
        for block in 0..<blockCount { (ready + block).initialize(to: Atomic(0)) }
        // Odd multiplier: a different start for each of 2³² pools, far apart for neighbours.
        firstGeneration = poolsMade.wrappingAdd(1, ordering: .relaxed).newValue &* 0x9E37_79B1
    }

    deinit {
        base.deallocate()
        ready.deallocate()
    }

    @inline(__always)
    func record(_ slot: UInt32) -> LeaseRecord { LeaseRecord(base: base + Int(slot) * stride) }

    /// Claims a block of fresh slots for `shard` and returns the head of a list of them, or
    /// `endOfList` when all are claimed.
    func claimBlock(shard: Int) -> UInt32 {
        var block = claimedBlocks.load(ordering: .relaxed)
        while true {
            guard block < blockCount else { return Self.endOfList }
            let (exchanged, original) = claimedBlocks.weakCompareExchange(
                expected: block, desired: block + 1, ordering: .relaxed)
            if exchanged { break }
            block = original
        }
        let start = block << blockShift
        let end = min(start + 1 << blockShift, capacity)
        for slot in start..<end {
            let record = record(UInt32(slot))
            record.state.pointee.store(LeaseRecord.free(firstGeneration), ordering: .relaxed)
            record.fields.pointee = LeaseRecord.Fields(home: UInt32(shard))
            record.fields.pointee.next = slot + 1 < end ? UInt32(slot + 1) : Self.endOfList
        }
        ready[block].store(1, ordering: .releasing)
        return UInt32(start)
    }

    /// Ends the lease, once: nil when it is not live. The caller then owns the slot until it pushes it
    /// back, so the record's fields stay as they are.
    @inline(__always)
    func retire(_ lease: BufferLease) -> LeaseRecord? {
        guard Int(lease.slot) < capacity, ready[Int(lease.slot) >> blockShift].load(ordering: .acquiring) != 0
        else { return nil }
        let record = record(lease.slot)
        // Acquires what the shard wrote into the record. Two returns of one lease race here, and
        // exactly one of them wins.
        let (exchanged, _) = record.state.pointee.compareExchange(
            expected: LeaseRecord.live(lease.generation), desired: LeaseRecord.free(lease.generation),
            ordering: .acquiring)
        return exchanged ? record : nil
    }

    /// Why `retire` refused the lease.
    func refusal(of lease: BufferLease) -> PoolError {
        guard Int(lease.slot) < capacity, ready[Int(lease.slot) >> blockShift].load(ordering: .acquiring) != 0
        else { return .foreign(lease) }
        let current = LeaseRecord.generation(record(lease.slot).state.pointee.load(ordering: .relaxed))
        let age = lease.generation &- firstGeneration
        return age >= 1 && age <= current &- firstGeneration ? .alreadyReturned(lease) : .foreign(lease)
    }

    /// Leases live at this moment. Looks at every slot ever used.
    var liveCount: Int {
        var count = 0
        for slot in 0..<capacity where ready[slot >> blockShift].load(ordering: .acquiring) != 0 {
            count += Int(record(UInt32(slot)).state.pointee.load(ordering: .relaxed) & 1)
        }
        return count
    }
}

/// Pools created in this process, see `LeaseTable.firstGeneration`.
private let poolsMade = Atomic<UInt32>(0)
