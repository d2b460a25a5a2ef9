// SPDX-License-Identifier: Apache-2.0

/// A priority queue of small integers ("handles") in which any element can be moved or removed.
///
/// What comes in order waits in a list, the run, and costs O(1) in and out: timeouts of one length, messages by age,
/// messages of one length. What would have to be put far from the end of the run goes to a 4-ary heap with the keys
/// kept beside the handles (on this class of machine twice as fast as a binary one) and costs O(log n). Storage is
/// reserved once for `capacity` handles, so no operation allocates. Ties between equal keys are broken by `tie`, which
/// callers set to an age so that the order never depends on where an element waits.
@frozen
public struct IndexedHeap: ~Copyable {
    @frozen
    @usableFromInline
    struct Entry: BitwiseCopyable {
        @usableFromInline var key: UInt64
        @usableFromInline var tie: UInt64
        @usableFromInline var handle: UInt32

        @inlinable
        init(key: UInt64, tie: UInt64, handle: UInt32) {
            self.key = key
            self.tie = tie
            self.handle = handle
        }

        @inlinable
        func precedes(_ other: Entry) -> Bool {
            key < other.key || (key == other.key && tie < other.tie)
        }
    }

    /// An element of the run, at its handle's place.
    @frozen
    @usableFromInline
    struct Link: BitwiseCopyable {
        @usableFromInline var entry: Entry
        @usableFromInline var next: Int32
        @usableFromInline var previous: Int32

        @inlinable
        init(entry: Entry, next: Int32, previous: Int32) {
            self.entry = entry
            self.next = next
            self.previous = previous
        }
    }

    @usableFromInline let entries: UnsafeMutablePointer<Entry>
    @usableFromInline let links: UnsafeMutablePointer<Link>
    /// Position of each handle in `entries`, or one of the two below.
    @usableFromInline let positions: UnsafeMutablePointer<Int32>
    @inlinable static var absent: Int32 { -1 }
    @inlinable static var inRun: Int32 { -2 }
    /// The ends of the run; -1 without one.
    @usableFromInline var runFirst: Int32 = -1
    @usableFromInline var runLast: Int32 = -1
    /// Elements of the run that a new one may pass on its way from the end to its place.
    @inlinable static var longestWalk: Int { 4 }
    /// Handles 0 ..< capacity may be stored.
    public let capacity: Int
    /// Number of handles stored.
    @inlinable
    public var count: Int { storedCount + runCount }
    /// Those in the heap, and those in the run.
    @usableFromInline var storedCount = 0
    @usableFromInline var runCount = 0

    public init(capacity: Int) {
        self.capacity = capacity
        entries = .allocate(capacity: max(capacity, 1))
        links = .allocate(capacity: max(capacity, 1))
        positions = .allocate(capacity: max(capacity, 1))
        positions.initialize(repeating: Self.absent, count: max(capacity, 1))
    }

    deinit {
        entries.deallocate()
        links.deallocate()
        positions.deallocate()
    }

    @inlinable
    public var isEmpty: Bool { count == 0 }

    @inlinable
    var firstEntry: UnsafePointer<Entry>? {
        guard runFirst >= 0 else { return storedCount == 0 ? nil : UnsafePointer(entries) }
        let entry = UnsafeRawPointer(links + Int(runFirst)).assumingMemoryBound(to: Entry.self)
        return storedCount > 0 && entries[0].precedes(entry.pointee) ? UnsafePointer(entries) : entry
    }

    /// The handle with the smallest key, or nil.
    @inlinable
    public var first: UInt32? { firstEntry?.pointee.handle }

    /// The smallest key, or nil.
    @inlinable
    public var firstKey: UInt64? { firstEntry?.pointee.key }

    @inlinable
    public func contains(_ handle: UInt32) -> Bool { positions[Int(handle)] != Self.absent }

    /// The key under which `handle` is stored, or nil.
    @inlinable
    public func key(of handle: UInt32) -> UInt64? {
        let position = positions[Int(handle)]
        if position == Self.inRun { return links[Int(handle)].entry.key }
        return position < 0 ? nil : entries[Int(position)].key
    }

    /// Stores `handle`, or moves it when it is already stored.
    @inlinable
    public mutating func set(_ handle: UInt32, key: UInt64, tie: UInt64) {
        precondition(Int(handle) < capacity, "heap handle outside the reserved range")
        let entry = Entry(key: key, tie: tie, handle: handle)
        let position = positions[Int(handle)]
        if position >= 0 {
            if entry.precedes(entries[Int(position)]) {
                siftUp(entry, from: Int(position))
            } else {
                siftDown(entry, from: Int(position))
            }
            return
        }
        if position == Self.inRun { unlink(handle) }
        if !joinRun(entry) {
            storedCount += 1
            siftUp(entry, from: storedCount - 1)
        }
    }

    /// Removes `handle`; does nothing when it is not stored.
    @inlinable
    public mutating func remove(_ handle: UInt32) {
        let position = positions[Int(handle)]
        guard position != Self.absent else { return }
        if position == Self.inRun { unlink(handle) } else { removeFromHeap(handle, at: Int(position)) }
    }

    @inlinable
    mutating func removeFromHeap(_ handle: UInt32, at position: Int) {
        positions[Int(handle)] = Self.absent
        storedCount -= 1
        guard position < storedCount else { return }
        let last = entries[storedCount]
        if last.precedes(entries[position]) {
            siftUp(last, from: position)
        } else {
            siftDown(last, from: position)
        }
    }

    /// Removes and returns the handle with the smallest key.
    @inlinable
    public mutating func popFirst() -> UInt32? {
        guard let handle = first else { return nil }
        remove(handle)
        return handle
    }

    // MARK: The run

    /// False where the place is too far from the end.
    @inlinable
    mutating func joinRun(_ entry: Entry) -> Bool {
        var (previous, walked) = (runLast, 0)
        while previous >= 0, entry.precedes(links[Int(previous)].entry) {
            walked += 1
            if walked > Self.longestWalk { return false }
            previous = links[Int(previous)].previous
        }
        let next = previous < 0 ? runFirst : links[Int(previous)].next
        let own = Int32(bitPattern: entry.handle)
        links[Int(own)] = Link(entry: entry, next: next, previous: previous)
        if previous < 0 { runFirst = own } else { links[Int(previous)].next = own }
        if next < 0 { runLast = own } else { links[Int(next)].previous = own }
        positions[Int(own)] = Self.inRun
        runCount += 1
        return true
    }

    @inlinable
    mutating func unlink(_ handle: UInt32) {
        let (next, previous) = (links[Int(handle)].next, links[Int(handle)].previous)
        if previous < 0 { runFirst = next } else { links[Int(previous)].next = next }
        if next < 0 { runLast = previous } else { links[Int(next)].previous = previous }
        positions[Int(handle)] = Self.absent
        runCount -= 1
    }

    // MARK: The heap

    @inlinable
    mutating func place(_ entry: Entry, at position: Int) {
        entries[position] = entry
        positions[Int(entry.handle)] = Int32(truncatingIfNeeded: position)
    }

    @inlinable
    mutating func siftUp(_ entry: Entry, from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) >> 2
            guard entry.precedes(entries[parent]) else { break }
            place(entries[parent], at: child)
            child = parent
        }
        place(entry, at: child)
    }

    @inlinable
    mutating func siftDown(_ entry: Entry, from start: Int) {
        var parent = start
        while true {
            let firstChild = 4 * parent + 1
            guard firstChild < storedCount else { break }
            var least = firstChild
            var child = firstChild + 1
            let end = min(firstChild + 4, storedCount)
            while child < end {
                if entries[child].precedes(entries[least]) { least = child }
                child += 1
            }
            guard entries[least].precedes(entry) else { break }
            place(entries[least], at: parent)
            parent = least
        }
        place(entry, at: parent)
    }
}
