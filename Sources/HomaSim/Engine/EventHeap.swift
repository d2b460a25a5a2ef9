// SPDX-License-Identifier: Apache-2.0

/// Pending events in a 4-ary heap of 16-byte entries: time, then insertion sequence and payload in one word.
///
/// The root is left open after a pop, since the event that was taken is usually followed by one of the same link:
/// then the push fills the root and sifts down once, instead of a sift for each.
struct EventHeap: ~Copyable {
    private var entries: UnsafeMutablePointer<EventEntry>
    private var capacity: Int
    /// Entries in use, the open root included.
    private var used = 0
    private var rootIsOpen = false
    private var sequence: UInt64 = 0

    init(capacity: Int = 1024) {
        self.capacity = max(capacity, 16)
        entries = .allocate(capacity: self.capacity)
    }

    deinit { entries.deallocate() }

    var count: Int { rootIsOpen ? used - 1 : used }

    /// Adds an event. Events of the same time come out in the order in which they went in.
    @inline(__always)
    mutating func push(_ time: UInt64, _ payload: UInt32) {
        let entry = EventEntry(time: time, sequence: sequence, payload: payload)
        sequence &+= 1
        if rootIsOpen {
            rootIsOpen = false
            siftDown(entry)
        } else {
            if used == capacity { grow() }
            used += 1
            siftUp(entry)
        }
    }

    /// Takes the next event; there must be one.
    @inline(__always)
    mutating func pop() -> EventEntry {
        closeRoot()
        rootIsOpen = true
        return entries[0]
    }

    @inline(__always)
    private mutating func closeRoot() {
        guard rootIsOpen else { return }
        rootIsOpen = false
        used -= 1
        if used > 0 { siftDown(entries[used]) }
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<EventEntry>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: entries, count: used)
        entries.deallocate()
        entries = larger
        capacity *= 2
    }

    private mutating func siftUp(_ entry: EventEntry) {
        var child = used - 1
        while child > 0 {
            let parent = (child - 1) >> 2
            guard entry.precedes(entries[parent]) else { break }
            entries[child] = entries[parent]
            child = parent
        }
        entries[child] = entry
    }

    private mutating func siftDown(_ entry: EventEntry) {
        var parent = 0
        while true {
            let first = 4 * parent + 1
            guard first < used else { break }
            var least = first
            var child = first + 1
            let end = min(first + 4, used)
            while child < end {
                if entries[child].precedes(entries[least]) { least = child }
                child += 1
            }
            guard entries[least].precedes(entry) else { break }
            entries[parent] = entries[least]
            parent = least
        }
        entries[parent] = entry
    }
}

/// One pending event.
struct EventEntry: BitwiseCopyable {
    /// Picoseconds.
    var time: UInt64
    /// Insertion sequence (40 bits) above the payload (24 bits).
    var word: UInt64

    @inline(__always)
    init(time: UInt64, sequence: UInt64, payload: UInt32) {
        self.time = time
        word = sequence << 24 | UInt64(payload)
    }

    @inline(__always)
    var payload: UInt32 { UInt32(truncatingIfNeeded: word & 0xFF_FFFF) }

    @inline(__always)
    func precedes(_ other: EventEntry) -> Bool {
        time < other.time || (time == other.time && word < other.word)
    }
}
