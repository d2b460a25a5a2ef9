// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

/// Decides where in a region each incoming message goes.
///
/// The pool keeps books only; the region itself is somebody else's memory (or, in the simulator, no
/// memory at all). The region is cut into bpages. A message of at most one bpage is contiguous; a
/// longer one takes whole bpages and puts its remainder where short messages go. Those are packed one
/// after the other, rounded up to 64 bytes, into a bpage that the allocating shard owns. A message
/// gets all its space at once or none, so two half-served messages cannot block each other.
///
/// Each shard belongs to one thread at a time, which alone calls the methods that take `shard`.
/// Leases may be returned by any thread. Nothing here waits for another thread, and allocating a
/// small piece writes no memory that other threads write.
///
/// A shard whose messages wait should retry when ``release(_:)`` reports waiting messages, and at
/// least once per lease duration: an idle page of another shard becomes available by time alone.
public final class BufferPool: Sendable {
    /// Pieces start and end on multiples of this many bytes, a cache line.
    public static let pieceAlignment = 64

    /// What the pool was made with.
    public let configuration: PoolConfiguration
    let bpageShift: Int
    let bpageMask: Int
    let leaseNanoseconds: UInt64
    let reservedPages: Int
    let freePages: FreePages
    let leases: LeaseTable
    let shards: ShardTable
    /// Page records, untouched until a page becomes owned.
    let pageRecords: PageRecords
    /// Sum of the shards' waiting messages.
    let totalWaiting = Atomic<Int>(0)
    let doubleReturns = Atomic<Int>(0)
    let foreignReturns = Atomic<Int>(0)

    /// A pool of free bpages. Throws when the configuration is out of range.
    public init(_ configuration: PoolConfiguration) throws(PoolError) {
        try configuration.validated()
        self.configuration = configuration
        bpageShift = configuration.bpageSize.trailingZeroBitCount
        bpageMask = configuration.bpageSize - 1
        leaseNanoseconds = configuration.leaseDuration.wholeNanoseconds
        reservedPages = configuration.reservedPages
        freePages = FreePages(pages: configuration.pages)
        shards = ShardTable(count: configuration.shards)
        leases = LeaseTable(
            capacity: configuration.maximumLeases, bpageSize: configuration.bpageSize, shards: configuration.shards)
        pageRecords = PageRecords(count: configuration.pages)
    }

    /// The contiguous bytes of the message from its byte `offset` on: where they start in the region,
    /// and how many they are.
    ///
    /// The lease must be live and `offset` inside the message; anything else is a bug in the caller
    /// and stops the program, because the answer would be another message's memory.
    public func piece(of lease: BufferLease, at offset: Int) -> (regionOffset: Int, byteCount: Int) {
        let rest = length(of: lease) - offset
        precondition(offset >= 0 && rest > 0, "offset outside the message")
        let record = leases.record(lease.slot)
        let piece = Int(truncatingIfNeeded: record.offset.pointee.load(ordering: .relaxed))
        guard LeaseRecord.hasPages(record.state.pointee.load(ordering: .relaxed)) else { return (piece + offset, rest) }
        let pages = leases.pages(lease.slot)
        let index = offset >> bpageShift
        if index < Int(pages.count.pointee) {
            let within = offset & bpageMask
            return (Int(pages.list[index]) << bpageShift | within, min(rest, bpageMask + 1 - within))
        }
        return (piece + offset - Int(pages.count.pointee) << bpageShift, rest)
    }

    /// Bytes of the message that holds the lease, which must be live.
    @inline(__always)
    public func length(of lease: BufferLease) -> Int {
        precondition(Int(lease.slot) < leases.capacity, "not a lease of this pool")
        let record = leases.record(lease.slot)
        precondition(
            LeaseRecord.isLive(record.state.pointee.load(ordering: .relaxed), lease.generation),
            "the lease is not live")
        return Int(truncatingIfNeeded: record.length.pointee.load(ordering: .relaxed))
    }
}

/// The page records in one block of memory.
struct PageRecords: ~Copyable, @unchecked Sendable {
    private let base: UnsafeMutableRawPointer

    init(count: Int) {
        base = .allocate(byteCount: count * PageRecord.stride, alignment: cacheLine)
    }

    deinit { base.deallocate() }

    @inline(__always)
    subscript(page: UInt32) -> PageRecord { PageRecord(base: base + Int(page) * PageRecord.stride) }
}
