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

    /// Linux's greatest segment for the card to cut up (`gso_max_size`), which makes acknowledgements come in bunches.
    private static let largestBunch = 65_536.0
    /// However slow the sender is, it does not allow more than 1 ms for that.
    private static let mostBunching = 1_000_000_000.0

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
    /// round trip and what bunches of segments may add to it: the window fills the path in one direction.
    ///
    /// Since version 5.6 Linux adds the time of four bunches at twice the rate of a window per round trip (at most
    /// 1 ms). In datacenters that is longer than a round trip. Without it slow start would end at once where the
    /// acknowledgements of several connections come over one link and are farther apart for that.
    /// - Parameters:
    ///   - window: segments of `segment` bytes.
    ///   - roundTrip: smoothed, in picoseconds.
    mutating func leaves(
        window: Double, segment: Double, roundTrip: UInt64, acknowledged: UInt64, next: UInt64, at now: UInt64
    ) -> Bool {
        if acknowledged > roundEnd || roundStart == 0 {
            roundStart = now
            lastAcknowledgement = now
            roundEnd = next
            return false
        }
        guard now - lastAcknowledgement <= Self.trainGap else { return false }
        lastAcknowledgement = now
        guard window >= Self.leastWindow, shortest != .max else { return false }
        let bunching = 4 * Self.largestBunch * Double(roundTrip) / (2 * window * segment)
        return Double(now - roundStart) > (Double(shortest) + min(bunching, Self.mostBunching)) / 2
    }
}
