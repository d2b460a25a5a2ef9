// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Which message sends next: the one with the fewest bytes left, and now and then the oldest.
///
/// Holds the slots of exactly those RPCs that have something to transmit now.
struct SendQueue: ~Copyable {
    private var byRemaining: IndexedHeap
    private var byAge: IndexedHeap
    private let oldestShare: Double
    /// What the oldest message earns for each byte of others.
    private let earning: Double
    /// Bytes the oldest message has earned and not used.
    private var credit = 0.0
    /// Bytes the oldest still sends in its present turn.
    private var turn = 0
    /// The oldest takes its share in bursts, so that trains of packets of one message stay long.
    private static let burstPackets = 8

    init(capacity: Int, oldestShare: Double) {
        byRemaining = IndexedHeap(capacity: capacity)
        byAge = IndexedHeap(capacity: oldestShare > 0 ? capacity : 0)
        self.oldestShare = oldestShare
        earning = oldestShare / (1 - oldestShare)
    }

    var isEmpty: Bool { byRemaining.isEmpty }
    var count: Int { byRemaining.count }

    func contains(_ slot: UInt32) -> Bool { byRemaining.contains(slot) }

    /// Adds the message, or takes note of its new remaining length.
    mutating func set(_ slot: UInt32, remaining: UInt32, birth: Instant) {
        if oldestShare > 0 && !byRemaining.contains(slot) {
            byAge.set(slot, key: birth.nanoseconds, tie: UInt64(slot))
        }
        byRemaining.set(slot, key: UInt64(remaining), tie: birth.nanoseconds)
    }

    mutating func remove(_ slot: UInt32) {
        guard byRemaining.contains(slot) else { return }
        byRemaining.remove(slot)
        if oldestShare > 0 { byAge.remove(slot) }
    }

    /// The message whose turn it is.
    @inline(__always)
    func next() -> UInt32? {
        turn > 0 ? byAge.first ?? byRemaining.first : byRemaining.first
    }

    /// True while the oldest message sends what it has earned.
    var isOldestsTurn: Bool { turn > 0 }

    /// The message with the fewest bytes left.
    var shortest: UInt32? { byRemaining.first }

    /// Accounts a packet of a message; call before the message is moved or removed.
    mutating func sent(_ bytes: Int, of slot: UInt32, segment: Int) {
        guard oldestShare > 0 else { return }
        if turn > 0 {
            if slot == byAge.first { turn -= bytes }
            return
        }
        guard byRemaining.count > 1 else { return }
        credit += Double(bytes) * earning
        let burst = segment * Self.burstPackets
        if credit >= Double(burst) {
            credit -= Double(burst)
            turn = burst
        }
    }
}
