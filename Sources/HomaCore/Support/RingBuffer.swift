// SPDX-License-Identifier: Apache-2.0

/// A first-in first-out queue of plain values that stops allocating once it has reached its working size.
struct RingBuffer<Element: BitwiseCopyable>: ~Copyable {
    private var storage: UnsafeMutablePointer<Element>
    private var mask: Int
    private var head = 0
    private(set) var count = 0

    /// `capacity` is rounded up to a power of two; the buffer doubles when it is full.
    init(capacity: Int) {
        var size = 16
        while size < capacity { size *= 2 }
        storage = .allocate(capacity: size)
        mask = size - 1
    }

    deinit { storage.deallocate() }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element) {
        if count > mask { grow() }
        storage[(head + count) & mask] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head]
        head = (head + 1) & mask
        count -= 1
        return element
    }

    /// Moves the first element to `place`, which need not be initialized. There must be one.
    mutating func popFirst(into place: UnsafeMutablePointer<Element>) {
        precondition(count > 0, "the queue is empty")
        place.initialize(to: storage[head])
        head = (head + 1) & mask
        count -= 1
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: (mask + 1) * 2)
        for index in 0..<count { larger[index] = storage[(head + index) & mask] }
        storage.deallocate()
        storage = larger
        head = 0
        mask = mask * 2 + 1
    }
}
