// SPDX-License-Identifier: Apache-2.0

/// When slow start has gone far enough: before packets are lost (Ha and Rhee, *Taming the Elephants: New TCP Slow
/// Start*, 2011, as Linux has it, with its constants).
struct HyStart: BitwiseCopyable {
    /// Segments; below this window slow start goes on in any case.
    static let leastWindow = 16.0
    /// Acknowledgements closer than 2 ms make a train.
    private static let trainGap: UInt64 = 2_000_000_000
    /// Round trips longer by an eighth, but at least 4 ms and at most 16 ms, are too long.
    private static let leastDelay: UInt64 = 4_000_000_000
    private static let mostDelay: UInt64 = 16_000_000_000

    private var shortest = UInt64.max
    private var roundStart: UInt64 = 0
    private var roundEnd: UInt64 = 0
    private var lastAcknowledgement: UInt64 = 0

    /// A round trip has been measured; true when it says that queues are long.
    mutating func leaves(roundTrip: UInt64) -> Bool {
        let before = shortest
        shortest = min(shortest, roundTrip)
        guard before != .max else { return false }
        return roundTrip > before + min(max(before / 8, Self.leastDelay), Self.mostDelay)
    }

    /// An acknowledgement has come; true when those of this round, together, last half as long as the shortest
    /// round trip: the window fills the path in one direction.
    mutating func leaves(window: Double, acknowledged: UInt64, next: UInt64, at now: UInt64) -> Bool {
        if acknowledged > roundEnd || roundStart == 0 {
            roundStart = now
            lastAcknowledgement = now
            roundEnd = next
            return false
        }
        guard now - lastAcknowledgement <= Self.trainGap else { return false }
        lastAcknowledgement = now
        return window >= Self.leastWindow && shortest != .max && now - roundStart > shortest / 2
    }
}
