// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The simulator's queue of pending events. `EventQueueBenchmark` compares the two there are.
typealias EventQueue = EventWheel

extension EventWheel {
    /// Slots about as wide as the mean distance of events when every host link is busy with full packets, but not so
    /// narrow that the delays of a link reach beyond the ring.
    init(_ topology: TopologyConfiguration) {
        let packetTime = 12_304_000_000_000_000 / max(1, topology.hostRate.bitsPerSecond)
        let spacing = packetTime / UInt64(max(1, topology.hostCount) * 8)
        self.init(slotPicoseconds: max(64, max(spacing, packetTime / 4096)))
    }
}
