// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// The messages of one shard that wait for buffers: shortest first, with a small share to the oldest.
///
/// Serving only the shortest would let a stream of short messages keep a long one waiting for ever.
/// So each byte served out of turn earns the oldest message credit, and when the credit covers its
/// length, it is the oldest's turn: nobody else is served until it got its space, so that freed bpages
/// gather for it. The oldest thus receives `oldestShare` of the bytes, and waits for at most
/// length × (1 − share) ÷ share bytes of others after it became the oldest.
///
/// All storage is reserved at the start; every operation costs O(log n) at most.
public struct WaitingQueue: ~Copyable {
    /// Keyed by length, ties by arrival.
    private var shortest: IndexedHeap
    /// Keyed by arrival.
    private var oldest: IndexedHeap
    /// Bytes of credit per byte served out of turn.
    private let creditPerByte: Double
    /// What the oldest message has earned, in bytes.
    private var credit = 0.0
    private var arrivals: UInt64 = 0

    /// An empty queue for the handles 0 ..< `capacity`.
    ///
    /// `oldestShare` is the part of the served bytes that goes to the oldest message, 0 ..< 1; 0 means
    /// strictly shortest first. The default 5 % is the kernel module's share for FIFO grants
    /// (grant_fifo_fraction 50 ‰, HomaModule 9edb958), which has the same purpose.
    public init(capacity: Int, oldestShare: Double = 0.05) {
        precondition(oldestShare >= 0 && oldestShare < 1, "the oldest message's share is outside 0 ..< 1")
        shortest = IndexedHeap(capacity: capacity)
        oldest = IndexedHeap(capacity: capacity)
        creditPerByte = oldestShare / (1 - oldestShare)
    }

    /// Messages waiting.
    public var count: Int { shortest.count }

    /// Adds a message of `length` bytes. The handle must be below the capacity and not in the queue.
    public mutating func insert(_ handle: UInt32, length: Int) {
        precondition(length > 0, "a message without bytes needs no buffers")
        precondition(Int(handle) < shortest.capacity && !shortest.contains(handle), "the message already waits")
        shortest.set(handle, key: UInt64(length), tie: arrivals)
        oldest.set(handle, key: arrivals, tie: 0)
        arrivals += 1
    }

    /// Removes a message that no longer needs space; does nothing when it is not in the queue.
    public mutating func remove(_ handle: UInt32) {
        shortest.remove(handle)
        oldest.remove(handle)
        if shortest.isEmpty { credit = 0 }
    }

    /// True when a newcomer of `length` bytes may not be served before those in the queue: one of them
    /// is as short, or it is the oldest's turn.
    public func mustWait(length: Int) -> Bool {
        guard let least = shortest.firstKey else { return false }
        return least <= UInt64(length) || isOldestsTurn
    }

    /// Whom to serve next, or nil when nobody waits. If there is no space for that message, no other
    /// is to be tried: the answer stays the same until it is served, removed, or a shorter one comes.
    public mutating func next() -> UInt32? {
        isOldestsTurn ? oldest.first : shortest.first
    }

    /// The message got its space: removes it and settles the oldest's share.
    public mutating func served(_ handle: UInt32) {
        guard let length = shortest.key(of: handle) else { return }
        if handle == oldest.first {
            credit = max(0, credit - Double(length))
        } else {
            earn(Int(length))
        }
        remove(handle)
    }

    /// A newcomer of `length` bytes got its space while others wait. Counts towards the oldest's share
    /// as if it had waited itself; without this, short newcomers could pass a long message for ever.
    public mutating func overtook(length: Int) {
        if !shortest.isEmpty { earn(length) }
    }

    /// True when the oldest message has earned its length.
    private var isOldestsTurn: Bool {
        guard let handle = oldest.first, let length = shortest.key(of: handle) else { return false }
        return credit >= Double(length)
    }

    /// No message is longer than the cap, so credit never buys two long messages in a row.
    private mutating func earn(_ bytes: Int) {
        credit = min(credit + Double(bytes) * creditPerByte, Double(HomaLimits.maximumMessageLength))
    }
}
