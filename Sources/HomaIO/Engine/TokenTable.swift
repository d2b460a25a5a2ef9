// SPDX-License-Identifier: Apache-2.0

/// A growing table whose entries keep their index while they live, so that an index can travel
/// through the protocol core as a 64-bit token.
struct TokenTable<Element>: ~Copyable {
    private enum Entry {
        case live(Element)
        /// Index of the next free entry, or -1.
        case free(Int)
    }

    private var entries: UnsafeMutablePointer<Entry>
    private var capacity: Int
    private var firstFree: Int
    /// Entries in use.
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
        entries = .allocate(capacity: self.capacity)
        firstFree = 0
        link(from: 0)
    }

    deinit {
        entries.deinitialize(count: capacity)
        entries.deallocate()
    }

    /// Stores `element` and returns its index.
    mutating func insert(_ element: Element) -> UInt64 {
        if firstFree < 0 { grow() }
        let index = firstFree
        guard case .free(let next) = entries[index] else {
            preconditionFailure("the free list leads to a live entry")
        }
        firstFree = next
        entries[index] = .live(element)
        count += 1
        return UInt64(index)
    }

    /// The element at `index`, which must be live.
    subscript(index: UInt64) -> Element {
        get {
            guard index < UInt64(capacity), case .live(let element) = entries[Int(index)] else {
                preconditionFailure("no entry has this token")
            }
            return element
        }
        set {
            guard index < UInt64(capacity), case .live = entries[Int(index)] else {
                preconditionFailure("no entry has this token")
            }
            entries[Int(index)] = .live(newValue)
        }
    }

    /// The element at `index`, if there is one.
    func find(_ index: UInt64) -> Element? {
        guard index < UInt64(capacity), case .live(let element) = entries[Int(index)] else { return nil }
        return element
    }

    /// Takes out the element at `index`; nil when there is none.
    mutating func remove(_ index: UInt64) -> Element? {
        guard index < UInt64(capacity), case .live(let element) = entries[Int(index)] else { return nil }
        entries[Int(index)] = .free(firstFree)
        firstFree = Int(index)
        count -= 1
        return element
    }

    /// Takes out everything, lowest index first.
    mutating func removeAll() -> [Element] {
        var elements: [Element] = []
        for index in 0..<capacity {
            if let element = remove(UInt64(index)) { elements.append(element) }
        }
        return elements
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: entries, count: capacity)
        entries.deallocate()
        entries = larger
        let first = capacity
        capacity *= 2
        link(from: first)
        firstFree = first
    }

    /// Initializes the entries from `start` on as a free list.
    private func link(from start: Int) {
        for index in start..<capacity {
            (entries + index).initialize(to: .free(index + 1 < capacity ? index + 1 : -1))
        }
    }
}
