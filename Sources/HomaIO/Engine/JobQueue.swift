// SPDX-License-Identifier: Apache-2.0

/// Jobs of Swift tasks that wait for the engine thread, oldest first.
///
/// A ring that only its thread touches; it grows when full and never shrinks.
struct JobQueue: ~Copyable {
    private var slots: UnsafeMutablePointer<UnownedJob>
    private var mask: Int
    private var head = 0
    /// Jobs waiting.
    private(set) var count = 0

    init() {
        mask = 255
        slots = .allocate(capacity: mask + 1)
    }

    deinit { slots.deallocate() }

    mutating func append(_ job: UnownedJob) {
        if count > mask { grow() }
        (slots + ((head + count) & mask)).initialize(to: job)
        count += 1
    }

    mutating func popFirst() -> UnownedJob? {
        guard count > 0 else { return nil }
        let job = slots[head]
        head = (head + 1) & mask
        count -= 1
        return job
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<UnownedJob>.allocate(capacity: (mask + 1) * 2)
        for index in 0..<count { (larger + index).initialize(to: slots[(head + index) & mask]) }
        slots.deallocate()
        slots = larger
        mask = mask * 2 + 1
        head = 0
    }
}
