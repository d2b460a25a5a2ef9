// SPDX-License-Identifier: Apache-2.0

/// Which server and client ports are open: one bit each.
struct PortTable: ~Copyable {
    private let words: UnsafeMutablePointer<UInt64>

    init() {
        words = .allocate(capacity: 1024)
        words.initialize(repeating: 0, count: 1024)
    }

    deinit { words.deallocate() }

    func contains(_ port: UInt16) -> Bool { words[Int(port >> 6)] & (1 << UInt64(port & 63)) != 0 }
    mutating func insert(_ port: UInt16) { words[Int(port >> 6)] |= 1 << UInt64(port & 63) }
    mutating func remove(_ port: UInt16) { words[Int(port >> 6)] &= ~(1 << UInt64(port & 63)) }
}
