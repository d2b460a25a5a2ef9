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
        if endpoint.unscheduledCutoffs == base.unscheduledCutoffs {
            endpoint.unscheduledCutoffs = fitted.unscheduledCutoffs
        }
        // The card asks for a packet whenever it falls idle; a pacer would only stand in its way.
        endpoint.linkRate = nil
        // Hosts have known each other for long.
        endpoint.assumesPeersAlike = homa.cutoffs != .learned
        endpoint.learnsCutoffs = homa.cutoffs == .learned
        endpoint.maximumPeers = max(16, scenario.topology.hostCount)
        if endpoint.maximumRPCs == base.maximumRPCs { endpoint.maximumRPCs = 4096 }
        endpoint.maximumMessageBytes = max(
            endpoint.maximumMessageBytes, longestMessage(scenario.traffic), endpoint.unscheduledBytes)
        if homa.cutoffs == .fromWorkload {
            endpoint.unscheduledCutoffs = workloadCutoffs(
                scenario.traffic.effectiveSizes, frame: HomaFrame(homa).format,
                unscheduledBytes: endpoint.unscheduledBytes,
                levels: min(levels, endpoint.priorityLevels - 1)...endpoint.priorityLevels - 1)
        }
        fitToLoss(&endpoint, scenario, homa.preset)
        return endpoint
    }

    /// Where packets can be lost, even all of a message, only an acknowledgement tells the sender that it may forget.
    ///
    /// Where none is ever lost none comes twice either, and receivers need not remember what they have had. Nor do the
    /// published simulations know timers: a message that is silent there is one whose sender has shorter ones, and
    /// asking for it, or granting to others in its stead, would only put more packets under way.
    private static func fitToLoss(_ endpoint: inout EndpointConfiguration, _ scenario: Scenario, _ homa: HomaPreset) {
        let topology = scenario.topology
        let settings = [topology.leafSwitch, topology.spineSwitch]
        let isSelective = endpoint.probesUnscheduled || settings.contains { $0.selectiveDropThresholdBytes != nil }
        if isSelective || settings.contains(where: \.isLimited) {
            endpoint.acknowledgesMessages = true
            return
        }
        if !endpoint.acknowledgesMessages { endpoint.finishedMemory = 0 }
        let base = homa.configuration(scheduledLevels: 7)
        guard homa == .sigcomm2018, endpoint.resendAfter == base.resendAfter else { return }
        endpoint.resendAfter = .seconds(3600)
        endpoint.resendIntervalLimit = .seconds(3600)
        endpoint.timeout = .seconds(3600)
    }

    private static func longestMessage(_ traffic: TrafficConfiguration) -> Int {
        guard case .rpc(let response?) = traffic.mode else { return traffic.effectiveSizes.maximum }
        return max(traffic.effectiveSizes.maximum, response)
    }

    /// Longest message per level such that every unscheduled level carries the same unscheduled bytes on the wire.
    ///
    /// On the wire, because headers are most of what short messages bring: so did the simulations of the SIGCOMM 2018
    /// paper, which says no more than that bytes are split evenly (section 3.4). The top level takes the shortest
    /// messages, the lowest of `levels` takes every length.
    static func workloadCutoffs(
        _ sizes: SizeDistribution, frame: FrameFormat, unscheduledBytes: Int, levels: ClosedRange<Int>
    ) -> [UInt32] {
        // Enough points that one of them is far less than a level's share.
        let points = 20_000
        let lengths = (0..<points).map { sizes.quantile((Double($0) + 0.5) / Double(points)) }
        let bytes = lengths.map { Double(frame.wireBytes(message: min($0, unscheduledBytes))) }
        let part = bytes.reduce(0, +) / Double(levels.count)
        var cutoffs = [UInt32](repeating: 0, count: HomaLimits.priorityLevels)
        cutoffs[levels.lowerBound] = UInt32(Int32.max)
        var level = levels.upperBound
        var carried = 0.0
        for (length, amount) in zip(lengths, bytes) where level > levels.lowerBound {
            carried += amount
            guard carried >= part * Double(levels.upperBound - level + 1) else { continue }
            cutoffs[level] = UInt32(length)
            level -= 1
        }
        return cutoffs
    }
}
