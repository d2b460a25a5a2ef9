// SPDX-License-Identifier: Apache-2.0

import HomaScenarios

/// What is measured of a modelled receiver.
struct ReceiverMeter {
    private var slowdowns: [Double] = []
    private var mostLive = 0
    private var heldAtMostLive = 0
    private var observations = 0

    /// Messages that have all their bytes.
    var completed: Int { slowdowns.count }

    mutating func complete(slowdown: Double) { slowdowns.append(slowdown) }

    /// After memory was taken: fragmentation counts where most is live.
    mutating func observe(_ memory: ReceiverMemory, liveBytes: Int) {
        guard liveBytes > mostLive else { return }
        mostLive = liveBytes
        heldAtMostLive = memory.heldBytes
    }

    /// - Parameter pieces: for every message, what its memory consists of.
    func json(
        _ model: ReceiverModel, _ memory: ReceiverMemory, seconds: Double, pieces: [Int], waited: Int,
        deadlockedAt: UInt64?
    ) -> JSONValue {
        let sorted = slowdowns.sorted()
        let mean = sorted.isEmpty ? .nan : sorted.reduce(0, +) / Double(sorted.count)
        let total = Double(pieces.reduce(0, +))
        return .object([
            .init("messages", .integer(completed)), .init("messages_incomplete", .integer(pieces.count - completed)),
            .init("slowdown_mean", .double(mean)), .init("slowdown_p99", .double(Self.quantile(sorted, 0.99))),
            .init("high_water_bytes", .integer(memory.mostBytes)),
            .init("touched_bytes", .integer(memory.touchedBytes)),
            .init("most_live_bytes", .integer(mostLive)),
            .init(
                "held_over_live", mostLive > 0 ? .double(Double(heldAtMostLive) / Double(mostLive)) : .null),
            .init("pieces_per_message", .double(total / Double(max(1, pieces.count)))),
            .init("pieces_most", .integer(pieces.max() ?? 0)),
            .init("pieces_per_second", .double(seconds > 0 ? total / seconds : .nan)),
            .init("waited_share", .double(Double(waited) / Double(max(1, pieces.count)))),
            .init("deadlocked_at_us", deadlockedAt.map { .double(Double($0) / 1000) } ?? .null),
            .init("simulated_seconds", .double(seconds)), .init("model", model.json),
        ])
    }

    private static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        sorted.isEmpty ? .nan : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
}
