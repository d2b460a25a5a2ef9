// SPDX-License-Identifier: Apache-2.0

/// A host's timers: a binary heap of when to look at which.
///
/// Timers of a transport are moved with almost every packet and seldom expire. So an entry is not moved when its timer
/// is put off: it comes up at the old time, and whoever looks then enters the new one. Each timer remembers when its
/// earliest entry is due; entries that do not agree with that are left over from an earlier one.
struct LazyTimers: ~Copyable {
    struct Entry: BitwiseCopyable {
        var time: UInt64
        var timer: UInt32

        func precedes(_ other: Entry) -> Bool {
            time < other.time || (time == other.time && timer < other.timer)
        }
    }

    private var entries: UnsafeMutablePointer<Entry>
    private var capacity = 16
    private(set) var count = 0

    init() { entries = .allocate(capacity: 16) }

    deinit { entries.deallocate() }

    /// When the next look is due; `UInt64.max` for never.
    @inline(__always)
    var first: UInt64 { count == 0 ? .max : entries[0].time }

    mutating func push(_ time: UInt64, _ timer: UInt32) {
        if count == capacity {
            let larger = UnsafeMutablePointer<Entry>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: entries, count: count)
            entries.deallocate()
            entries = larger
            capacity *= 2
        }
        let entry = Entry(time: time, timer: timer)
        var child = count
        count += 1
        while child > 0, entry.precedes(entries[(child - 1) / 2]) {
            entries[child] = entries[(child - 1) / 2]
            child = (child - 1) / 2
        }
        (entries + child).initialize(to: entry)
    }

    /// Takes the first entry; there must be one.
    mutating func pop() -> Entry {
        let first = entries[0]
        count -= 1
        guard count > 0 else { return first }
        let entry = entries[count]
        var parent = 0
        while 2 * parent + 1 < count {
            var least = 2 * parent + 1
            if least + 1 < count, entries[least + 1].precedes(entries[least]) { least += 1 }
            guard entries[least].precedes(entry) else { break }
            entries[parent] = entries[least]
            parent = least
        }
        entries[parent] = entry
        return first
    }
}
