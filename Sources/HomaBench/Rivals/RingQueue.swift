// SPDX-License-Identifier: Apache-2.0

/// First in, first out, in an array that is reused: one element per request outstanding on a connection.
struct RingQueue<Element> {
    private var slots: [Element?]
    private var head = 0
    private(set) var count = 0

    init(minimumCapacity: Int = 16) {
        var capacity = 16
        while capacity < minimumCapacity { capacity *= 2 }
        slots = Array(repeating: nil, count: capacity)
    }

    /// The element `offset` places behind the first.
    subscript(offset: Int) -> Element {
        get {
            precondition(offset >= 0 && offset < count, "beyond the queue")
            return slots[(head + offset) & (slots.count - 1)].unsafelyUnwrapped
        }
        set {
            precondition(offset >= 0 && offset < count, "beyond the queue")
            slots[(head + offset) & (slots.count - 1)] = newValue
        }
    }

    var first: Element? { count == 0 ? nil : slots[head] }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head + count) & (slots.count - 1)] = element
        count += 1
    }

    mutating func removeFirst() -> Element {
        precondition(count > 0, "the queue is empty")
        let element = slots[head].unsafelyUnwrapped
        slots[head] = nil
        head = (head + 1) & (slots.count - 1)
        count -= 1
        return element
    }

    private mutating func grow() {
        let ordered = (0..<count).map { slots[(head + $0) & (slots.count - 1)] }
        slots = ordered + Array(repeating: nil, count: slots.count)
        head = 0
    }
}
