// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The same work for both event queues, so that the better one is chosen by measurement.
///
/// Every event that is taken is followed by another, at a distance such as links have: mostly between 0.3 and 3 µs,
/// one in a thousand 5 ms away like a timer. It reads no clock; whoever calls it does.
public enum EventQueueBenchmark {
    public enum Candidate: String, Sendable, CaseIterable {
        case heap
        case wheel
    }

    /// What was done, and a sum that depends on the order of events: equal for equal arguments and any candidate.
    public struct Outcome: Equatable, Sendable {
        public var operations: Int
        public var checksum: UInt64
    }

    /// - Parameters:
    ///   - pending: events in the queue all the time; a fabric of 144 hosts has about 600, one of 1152 about 5000.
    ///   - operations: events taken and put back.
    public static func run(_ candidate: Candidate, pending: Int, operations: Int, seed: UInt64) -> Outcome {
        switch candidate {
        case .heap: runHeap(pending, operations, seed)
        case .wheel: runWheel(pending, operations, seed)
        }
    }

    private static func runHeap(_ pending: Int, _ operations: Int, _ seed: UInt64) -> Outcome {
        var random = SeededRandom(seed: seed)
        var queue = EventHeap()
        for payload in 0..<pending { queue.push(random.next() % 1_000_000, UInt32(payload)) }
        var checksum: UInt64 = 0
        for _ in 0..<operations {
            let event = queue.pop()
            checksum = checksum &* 31 &+ event.time &+ UInt64(event.payload)
            queue.push(event.time + distance(&random), event.payload)
        }
        return Outcome(operations: operations, checksum: checksum)
    }

    private static func runWheel(_ pending: Int, _ operations: Int, _ seed: UInt64) -> Outcome {
        var random = SeededRandom(seed: seed)
        var queue = EventWheel(slotPicoseconds: max(64, 1_500_000 / UInt64(max(1, pending))))
        for payload in 0..<pending { queue.push(random.next() % 1_000_000, UInt32(payload)) }
        var checksum: UInt64 = 0
        for _ in 0..<operations {
            let event = queue.pop()
            checksum = checksum &* 31 &+ event.time &+ UInt64(event.payload)
            queue.push(event.time + distance(&random), event.payload)
        }
        return Outcome(operations: operations, checksum: checksum)
    }

    @inline(__always)
    private static func distance(_ random: inout SeededRandom) -> UInt64 {
        let draw = random.next()
        return draw & 1023 == 0 ? 5_000_000_000 : 300_000 + (draw >> 32 &* 2_700_000) >> 32
    }
}
