// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWire
import HomaWorkloads

/// Sizes on the wire of Homa's packets, as its settings say.
struct HomaFrame {
    let format: FrameFormat

    init(_ homa: HomaTransportConfiguration) {
        let endpoint = homa.endpoint
        let wire = endpoint.wireSizes
        let packet = min(endpoint.maximumPacketBytes, endpoint.packetBytesCap)
        var format = FrameFormat(
            payloadBytes: endpoint.segmentBytes ?? packet - DataFields.byteCount, dataOverheadBytes: wire.dataOverhead)
        format.minimumWireBytes = wire.minimum
        self.format = format
    }

    /// Of the largest packet, in a buffer.
    var largestStoredBytes: Int { format.storedBytes(wire: format.fullWireBytes) }
}

/// What a simulated host's endpoint is configured with: the scenario's settings, fitted to the simulated world.
enum HomaHostSettings {
    /// Scheduled levels published for the workloads of the SIGCOMM 2018 paper (its section 5.2).
    static func scheduledLevels(workload: String) -> Int {
        switch workload {
        case "w1": 1
        case "w2": 3
        case "w3": 4
        default: 7
        }
    }

    static func scheduledLevels(for scenario: Scenario, _ homa: HomaTransportConfiguration) -> Int {
        homa.scheduledLevels ?? scheduledLevels(workload: scenario.traffic.sizes.name)
    }

    static func endpoint(for scenario: Scenario, _ homa: HomaTransportConfiguration) -> EndpointConfiguration {
        var endpoint = homa.endpoint
        let levels = scheduledLevels(for: scenario, homa)
        // What depends on the number of levels follows it, unless the scenario says otherwise.
        let base = homa.preset.configuration(scheduledLevels: homa.scheduledLevels ?? 7)
        let fitted = homa.preset.configuration(scheduledLevels: levels)
        if endpoint.overcommitment == base.overcommitment { endpoint.overcommitment = fitted.overcommitment }
        if endpoint.maximumIncoming == base.maximumIncoming { endpoint.maximumIncoming = fitted.maximumIncoming }
        if endpoint.unscheduledCutoffs == base.unscheduledCutoffs {
            endpoint.unscheduledCutoffs = fitted.unscheduledCutoffs
        }
        // The card asks for a packet whenever it falls idle; a pacer would only stand in its way.
        endpoint.linkRate = nil
        endpoint.maximumPeers = max(16, scenario.topology.hostCount)
        if endpoint.maximumRPCs == base.maximumRPCs { endpoint.maximumRPCs = 4096 }
        endpoint.finishedMemory = min(endpoint.finishedMemory, 1024)
        endpoint.maximumMessageBytes = max(
            endpoint.maximumMessageBytes, longestMessage(scenario.traffic), endpoint.unscheduledBytes)
        if homa.cutoffs == .fromWorkload {
            endpoint.unscheduledCutoffs = workloadCutoffs(
                scenario.traffic.effectiveSizes, unscheduledBytes: endpoint.unscheduledBytes,
                levels: endpoint.priorityLevels, scheduled: min(levels, endpoint.priorityLevels - 1))
        }
        return endpoint
    }

    private static func longestMessage(_ traffic: TrafficConfiguration) -> Int {
        guard case .rpc(let response?) = traffic.mode else { return traffic.effectiveSizes.maximum }
        return max(traffic.effectiveSizes.maximum, response)
    }

    /// Longest message per level such that every unscheduled level carries the same number of unscheduled bytes.
    ///
    /// The SIGCOMM 2018 paper (section 3.4) splits the distribution of bytes, each message counted up to the
    /// unscheduled limit. Levels from the top: 7 takes the shortest messages.
    static func workloadCutoffs(
        _ sizes: SizeDistribution, unscheduledBytes: Int, levels: Int, scheduled: Int
    ) -> [UInt32] {
        var cutoffs = [UInt32](repeating: 0, count: HomaLimits.priorityLevels)
        let lowest = min(scheduled, levels - 1)
        cutoffs[lowest] = UInt32(HomaLimits.maximumMessageLength)
        let total = sizes.meanOfPrefix(unscheduledBytes)
        var bound = 0
        for (index, level) in stride(from: levels - 1, to: lowest, by: -1).enumerated() {
            let wanted = total * Double(index + 1) / Double(levels - lowest)
            bound = max(bound + 1, smallest(from: bound, sizes, unscheduledBytes, carrying: wanted))
            cutoffs[level] = UInt32(min(bound, HomaLimits.maximumMessageLength))
        }
        return cutoffs
    }

    /// The least size such that messages up to it carry so many unscheduled bytes per message of the whole.
    private static func smallest(
        from start: Int, _ sizes: SizeDistribution, _ unscheduledBytes: Int, carrying wanted: Double
    ) -> Int {
        var low = start
        var high = sizes.maximum
        while low < high {
            let middle = (low + high) / 2
            if carried(upTo: middle, sizes, unscheduledBytes) >= wanted { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Unscheduled bytes of messages of at most `size` bytes, per message of the whole distribution.
    private static func carried(upTo size: Int, _ sizes: SizeDistribution, _ unscheduledBytes: Int) -> Double {
        // The prefix mean up to min(size, limit), without what longer messages contribute to it …
        let limit = min(size, unscheduledBytes)
        let longer = 1 - sizes.fraction(ofMessagesUpTo: size)
        return sizes.meanOfPrefix(limit) - longer * Double(limit)
    }
}
