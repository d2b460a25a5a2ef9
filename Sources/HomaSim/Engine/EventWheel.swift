// SPDX-License-Identifier: Apache-2.0

/// Pending events in a ring of time slots, with a heap for what lies beyond the ring.
///
/// A slot is `2^shift` picoseconds wide and holds a list in no order; the next event is the least of the first
/// slot that is not empty, which a bitmap finds. With slots about as wide as the mean distance of events,
/// both operations cost the same however many events are pending. Nodes lie in one array.
struct EventWheel: ~Copyable {
    private static let slotCount = 16_384
    private static let words = slotCount / 64
    private static let none = UInt32.max

    private struct Node: BitwiseCopyable {
        var entry: EventEntry
        var next: UInt32
    }

    private var nodes: UnsafeMutablePointer<Node>
    private var nodeCapacity: Int
    private var freeNode = EventWheel.none
    private var freshNodes = 0
    private let heads: UnsafeMutablePointer<UInt32>
    private let bitmap: UnsafeMutablePointer<UInt64>
    /// One bit for each word of the bitmap.
    private let summary: UnsafeMutablePointer<UInt64>
    private let shift: UInt64
    /// Number of the slot that the ring begins with; slots before it are over.
    private var firstSlot: UInt64 = 0
    private var inRing = 0
    /// Events beyond the ring; sequence numbers are its entries' own.
    private var beyond: UnsafeMutablePointer<EventEntry>
    private var beyondCapacity = 256
    private var beyondCount = 0
    private var sequence: UInt64 = 0

    /// - Parameter slotPicoseconds: rounded up to a power of two.
    init(slotPicoseconds: UInt64) {
        shift = UInt64(64 - (max(slotPicoseconds, 2) - 1).leadingZeroBitCount)
        nodeCapacity = 1024
        nodes = .allocate(capacity: nodeCapacity)
        heads = .allocate(capacity: Self.slotCount)
        heads.initialize(repeating: Self.none, count: Self.slotCount)
        bitmap = .allocate(capacity: Self.words)
        bitmap.initialize(repeating: 0, count: Self.words)
        summary = .allocate(capacity: Self.words / 64)
        summary.initialize(repeating: 0, count: Self.words / 64)
        beyond = .allocate(capacity: beyondCapacity)
    }

    deinit {
        summary.deallocate()
        nodes.deallocate()
        heads.deallocate()
        bitmap.deallocate()
        beyond.deallocate()
    }

    var count: Int { inRing + beyondCount }

    /// Adds an event; its time is not before that of the last one taken.
    @inline(__always)
    mutating func push(_ time: UInt64, _ payload: UInt32) {
        let entry = EventEntry(time: time, sequence: sequence, payload: payload)
        sequence &+= 1
        if (time >> shift) &- firstSlot < UInt64(Self.slotCount) { insert(entry) } else { putBeyond(entry) }
    }

    /// Takes the next event; there must be one.
    @inline(__always)
    mutating func pop() -> EventEntry {
        let slot = firstOccupied()!
        var best = heads[slot]
        var beforeBest = Self.none
        var previous = best
        var node = nodes[Int(best)].next
        while node != Self.none {
            if nodes[Int(node)].entry.precedes(nodes[Int(best)].entry) {
                best = node
                beforeBest = previous
            }
            previous = node
            node = nodes[Int(node)].next
        }
        let next = nodes[Int(best)].next
        if beforeBest == Self.none { heads[slot] = next } else { nodes[Int(beforeBest)].next = next }
        if heads[slot] == Self.none { clear(slot) }
        nodes[Int(best)].next = freeNode
        freeNode = best
        inRing -= 1
        return nodes[Int(best)].entry
    }

    // MARK: The ring

    @inline(__always)
    private mutating func insert(_ entry: EventEntry) {
        var node = freeNode
        if node == Self.none {
            if freshNodes == nodeCapacity { growNodes() }
            node = UInt32(freshNodes)
            freshNodes += 1
        } else {
            freeNode = nodes[Int(node)].next
        }
        let slot = Int((entry.time >> shift) & UInt64(Self.slotCount - 1))
        nodes[Int(node)] = Node(entry: entry, next: heads[slot])
        heads[slot] = node
        bitmap[slot >> 6] |= 1 << UInt64(slot & 63)
        summary[slot >> 12] |= 1 << UInt64(slot >> 6 & 63)
        inRing += 1
    }

    @inline(__always)
    private mutating func clear(_ slot: Int) {
        bitmap[slot >> 6] &= ~(1 << UInt64(slot & 63))
        if bitmap[slot >> 6] == 0 { summary[slot >> 12] &= ~(1 << UInt64(slot >> 6 & 63)) }
    }

    /// Moves the ring's start to the first slot with an event; the place of that slot, or nil when none is pending.
    @inline(__always)
    private mutating func firstOccupied() -> Int? {
        if inRing == 0 {
            guard beyondCount > 0 else { return nil }
            firstSlot = beyond[0].time >> shift
            refill()
        }
        let start = Int(firstSlot & UInt64(Self.slotCount - 1))
        let place = occupied(from: start)
        let distance = UInt64((place - start) & (Self.slotCount - 1))
        if distance > 0 {
            firstSlot += distance
            // The ring has moved on: what lay beyond its end may lie in it now, but never before `place`.
            if beyondCount > 0, (beyond[0].time >> shift) &- firstSlot < UInt64(Self.slotCount) { refill() }
        }
        return place
    }

    @inline(__always)
    private func occupied(from start: Int) -> Int {
        let word = start >> 6
        let here = bitmap[word] & (~0 << UInt64(start & 63))
        if here != 0 { return word << 6 + here.trailingZeroBitCount }
        // Words after this one, or else around the end of the ring.
        var group = word >> 6
        var bits = word & 63 == 63 ? 0 : summary[group] & (~0 << UInt64(word & 63 + 1))
        while bits == 0 {
            group = (group + 1) & (Self.words / 64 - 1)
            bits = summary[group]
        }
        let found = group << 6 + bits.trailingZeroBitCount
        return found << 6 + bitmap[found].trailingZeroBitCount
    }

    private mutating func growNodes() {
        let larger = UnsafeMutablePointer<Node>.allocate(capacity: nodeCapacity * 2)
        larger.moveInitialize(from: nodes, count: freshNodes)
        nodes.deallocate()
        nodes = larger
        nodeCapacity *= 2
    }

    // MARK: Beyond the ring: a binary heap, used rarely

    private mutating func putBeyond(_ entry: EventEntry) {
        if beyondCount == beyondCapacity {
            let larger = UnsafeMutablePointer<EventEntry>.allocate(capacity: beyondCapacity * 2)
            larger.moveInitialize(from: beyond, count: beyondCount)
            beyond.deallocate()
            beyond = larger
            beyondCapacity *= 2
        }
        var child = beyondCount
        beyondCount += 1
        while child > 0, entry.precedes(beyond[(child - 1) / 2]) {
            beyond[child] = beyond[(child - 1) / 2]
            child = (child - 1) / 2
        }
        beyond[child] = entry
    }

    private mutating func takeBeyond() -> EventEntry {
        let first = beyond[0]
        beyondCount -= 1
        let entry = beyond[beyondCount]
        var parent = 0
        while 2 * parent + 1 < beyondCount {
            var least = 2 * parent + 1
            if least + 1 < beyondCount, beyond[least + 1].precedes(beyond[least]) { least += 1 }
            guard beyond[least].precedes(entry) else { break }
            beyond[parent] = beyond[least]
            parent = least
        }
        beyond[parent] = entry
        return first
    }

    private mutating func refill() {
        while beyondCount > 0, (beyond[0].time >> shift) &- firstSlot < UInt64(Self.slotCount) {
            insert(takeBeyond())
        }
    }
}
