// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// From how many bytes in an output queue on switches mark packets for DCTCP, where the scenario does not say.
enum MarkingThreshold {
    /// 20 packets up to 1 Gb/s and 65 at 10 Gb/s (*Data Center TCP*, SIGCOMM 2010, 3.5), 74 KB at 25 Gb/s (70 to 78 KB
    /// in the measurements of the ATC 2021 paper on Homa/Linux). Above that the rule of the first paper, a seventh of
    /// bandwidth × round trip, but no less than the 65 packets that bursts of hosts made necessary.
    static func bytes(_ topology: TopologyConfiguration) -> Int {
        let packet = FrameFormat.tcp.storedBytes(wire: FrameFormat.tcp.fullWireBytes)
        let rate = topology.hostRate.bitsPerSecond
        if rate <= 1_000_000_000 { return 20 * packet }
        if rate <= 10_000_000_000 { return 65 * packet }
        if rate <= 25_000_000_000 { return 74_000 }
        return max(65 * packet, Int(Double(rate) / 8 * roundTripSeconds(topology) / 7))
    }

    /// Of a full packet and its acknowledgement on an idle network, between hosts as far from each other as can be.
    private static func roundTripSeconds(_ topology: TopologyConfiguration) -> Double {
        let idle = IdleNetwork(topology, frame: .tcp)
        let last = topology.hostCount - 1
        let there = idle.picoseconds(bytes: FrameFormat.tcp.payloadBytes, from: 0, to: last)
        return Double(there + idle.picoseconds(bytes: 1, from: last, to: 0)) * 1e-12
    }
}
