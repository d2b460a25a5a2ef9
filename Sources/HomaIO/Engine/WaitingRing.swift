// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// A call whose task cannot be cancelled yet, as it was when it was made on the engine's thread.
struct YoungCall {
    let cookie: UInt64
    let started: Instant
}

/// What waits for the engine thread, oldest first: a ring that only its thread touches, which grows when full and never
/// shrinks.
struct WaitingRing<Element>: ~Copyable {
    private var slots: UnsafeMutablePointer<Element>
    private var mask: Int
    private var head = 0
    /// Elements waiting.
    private(set) var count = 0

    init() {
        mask = 255
        slots = .allocate(capacity: mask + 1)
    }

    deinit { slots.deallocate() }

    var first: Element? { count > 0 ? slots[head] : nil }

    mutating func append(_ element: Element) {
        if count > mask { grow() }
        (slots + ((head + count) & mask)).initialize(to: element)
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head]
        head = (head + 1) & mask
        count -= 1
        return element
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: (mask + 1) * 2)
        for index in 0..<count { (larger + index).initialize(to: slots[(head + index) & mask]) }
        slots.deallocate()
        slots = larger
        mask = mask * 2 + 1
        head = 0
    }
}
