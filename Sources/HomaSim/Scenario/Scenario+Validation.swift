// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWorkloads

extension Scenario {
    /// Throws for a scenario that cannot be run, naming the field, its value and what is allowed.
    public func validated() throws(ScenarioError) {
        try checkTopology()
        try check(topology.leafSwitch, "topology.leaf", ports: topology.portsPerLeaf)
        if topology.spineCount > 0 { try check(topology.spineSwitch, "topology.spine", ports: topology.leafCount) }
        try checkTraffic()
        try checkTransport()
        try checkLength()
        try checkTimes()
    }

    private func checkTopology() throws(ScenarioError) {
        switch topology.shape {
        case .singleSwitch(let hosts):
            try check("topology.hosts", hosts, 2...4096)
        case .leafSpine(let leaves, let hostsPerLeaf, let spines):
            try check("topology.leaves", leaves, 1...1024)
            try check("topology.hosts_per_leaf", hostsPerLeaf, 1...1024)
            try check("topology.spines", spines, 1...1024)
            try check("topology.leaves × hosts_per_leaf", leaves * hostsPerLeaf, 2...4096)
        }
        let rates = 1_000_000...UInt64(2_000_000_000_000)
        try check("topology.host_gbps", topology.hostRate, rates)
        if topology.spineCount > 0 { try check("topology.uplink_gbps", topology.uplinkRate, rates) }
        try checkDelay("topology.link_delay_ns", topology.linkDelay)
        try checkDelay("topology.switch_delay_ns", topology.switchDelay)
        try checkDelay("topology.host_send_delay_ns", topology.hostSendDelay)
        try checkDelay("topology.host_receive_delay_ns", topology.hostReceiveDelay)
        try checkDelay("topology.nic_delay_ns", topology.nicDelay)
        guard let copying = topology.hostCopyRate else { return }
        try check("topology.host_copy_gbps", copying, rates)
        guard transport != .srptOracle else {
            throw ScenarioError(
                field: "topology.host_copy_gbps", value: "\(copying)",
                permitted: "null with srpt-oracle, which sends no packets")
        }
    }

    private func check(_ one: SwitchConfiguration, _ path: String, ports: Int) throws(ScenarioError) {
        try check("\(path).cell_bytes", one.cellBytes, 1...4096)
        try check("\(path).reserved_bytes_per_queue", one.reservedBytesPerQueue, 0...1 << 30)
        try check("\(path).ecn_threshold_bytes", one.ecnThresholdBytes ?? 0, 0...1 << 40)
        try check("\(path).selective_drop_threshold_bytes", one.selectiveDropThresholdBytes ?? 0, 0...1 << 40)
        if case .dynamicThreshold(let alpha) = one.buffer, !(1.0 / 128...64).contains(alpha) {
            throw ScenarioError(field: "\(path).alpha", value: "\(alpha)", permitted: "1/128 … 64")
        }
        var pools = 1
        if case .groups(let size) = one.buffer {
            try check("\(path).ports_per_group", size, 1...ports)
            pools = (ports + size - 1) / size
        }
        if one.buffer == .perPort { pools = ports }
        guard let bytes = one.bufferBytes, one.buffer != .unlimited else { return }
        let reserved = one.reservedBytesPerQueue * ports * HomaLimits.priorityLevels
        let least = pools * largestFrame(cells: one.cellBytes) + reserved
        guard bytes >= least, bytes <= 1 << 40 else {
            throw ScenarioError(
                field: "\(path).buffer_bytes", value: "\(bytes)",
                permitted: "at least \(least): one full packet for each of its \(pools) pools beside \(reserved) "
                    + "reserved bytes; at most \(1 << 40)")
        }
    }

    /// Bytes that a full packet occupies in a buffer.
    private func largestFrame(cells: Int) -> Int {
        let stored: Int
        switch transport {
        case .homa(let homa): stored = HomaFrame(homa).largestStoredBytes
        case .srptOracle: stored = FrameFormat.sigcomm2018.storedBytes(wire: FrameFormat.sigcomm2018.fullWireBytes)
        case .tcp: stored = FrameFormat.tcp.storedBytes(wire: FrameFormat.tcp.fullWireBytes)
        case .dcpim(let dcpim): stored = dcpim.frame.storedBytes(wire: dcpim.frame.fullWireBytes)
        }
        return (stored + cells - 1) / cells * cells
    }

    private func checkTraffic() throws(ScenarioError) {
        try check("traffic.active_hosts", traffic.activeHosts ?? topology.hostCount, 2...topology.hostCount)
        let hosts = traffic.activeHosts ?? topology.hostCount
        try check("traffic.truncated_to_bytes", traffic.sizesTruncatedTo ?? 1, 1...1 << 31)
        try check("traffic.workload (longest message)", traffic.effectiveSizes.maximum, 1...1 << 31)
        switch traffic.pattern {
        case .incast(let senders): try check("traffic.senders", senders, 1...hosts - 1)
        case .outcast(let receivers): try check("traffic.receivers", receivers, 1...hosts - 1)
        case .allToAll, .permutation: break
        }
        if case .rpc(let response?) = traffic.mode { try check("traffic.response_bytes", response, 1...1 << 31) }
        if case .closed(let outstanding) = traffic.arrivals {
            return try check("traffic.outstanding", outstanding, 1...4096)
        }
        try checkLoad()
    }

    private func checkLoad() throws(ScenarioError) {
        let limit = traffic.allowsOverload ? 100.0 : 1.0
        guard traffic.load > 0, traffic.load <= limit else {
            throw ScenarioError(
                field: "traffic.load", value: "\(traffic.load)",
                permitted: traffic.allowsOverload
                    ? "above 0 and at most 100" : "above 0 and at most 1 (above 1 with allow_overload)")
        }
    }

    /// Throws for a load so small that the run would reach the end of simulated time, which is at 1.8 · 10⁷ s, when
    /// chance makes gaps up to 37 times as long as their mean.
    private func checkTimes() throws(ScenarioError) {
        if case .closed = traffic.arrivals { return }
        // No message takes more on the wire, headers, grants and a response included.
        var bytes = 2 * traffic.effectiveSizes.mean + 2000
        if case .rpc(let response) = traffic.mode { bytes += response.map { 2 * Double($0) + 2000 } ?? bytes }
        let senders = TrafficSource.senders(traffic.pattern, active: traffic.activeHosts ?? topology.hostCount).count
        let linkSeconds = bytes * 8 / Double(topology.hostRate.bitsPerSecond) / traffic.load
        // Senders of an incast share one link.
        var gap = linkSeconds
        if case .incast = traffic.pattern { gap *= Double(senders) }
        var longest = gap / 1e5
        if length.duration == nil {
            let count = length.messages ?? RunLength.defaultMessages(meanBytes: traffic.effectiveSizes.mean)
            longest = max(longest, gap * Double(count) / Double(senders) / 1e6)
        }
        guard longest <= 1 else {
            throw ScenarioError(
                field: "traffic.load", value: "\(traffic.load)",
                permitted: "at least \(traffic.load * longest) here, or simulated time ends before the run does")
        }
    }

    private func checkTransport() throws(ScenarioError) {
        if case .tcp(let tcp) = transport { return try checkTCP(tcp) }
        if case .dcpim(let dcpim) = transport { return try checkDCPIM(dcpim) }
        guard case .homa(let homa) = transport else { return }
        try check("transport.scheduled_levels", homa.scheduledLevels ?? 1, 1...7)
        // Cutoffs are worked out from these before the endpoint looks at its settings.
        try check("transport.endpoint.priorityLevels", homa.endpoint.priorityLevels, 1...HomaLimits.priorityLevels)
        let chosen = homa.endpoint.segmentBytes != nil
        try check(
            chosen ? "transport.endpoint.segmentBytes" : "transport.endpoint.maximumPacketBytes",
            HomaFrame(homa).format.payloadBytes, 1...65_535)
        do {
            try HomaHostSettings.endpoint(for: self, homa).validated(bpageSize: nil)
        } catch {
            throw ScenarioError(
                field: "transport.endpoint.\(error.setting)", value: error.value, permitted: error.permitted)
        }
    }

    private func checkLength() throws(ScenarioError) {
        try check("length.messages", length.messages ?? 1, 1...1 << 40)
        try check("length.duration_ms", length.duration ?? .milliseconds(1), .nanoseconds(1) ... .seconds(86_400))
        try check("length.warm_up_ms", length.warmUp ?? .zero, .zero ... .seconds(86_400))
        try check("length.drain_ms", length.drain, .zero ... .seconds(86_400))
        try check("measurement.size_bins", measurement.sizeBins, 1...100)
        try check(
            "measurement.occupancy_series_us", measurement.occupancySeriesInterval ?? .microseconds(1),
            .nanoseconds(10) ... .seconds(3600))
    }

    func check<T: Comparable>(_ field: String, _ value: T, _ range: ClosedRange<T>) throws(ScenarioError) {
        guard range.contains(value) else {
            throw ScenarioError(
                field: field, value: "\(value)", permitted: "\(range.lowerBound) … \(range.upperBound)")
        }
    }

    private func check(_ field: String, _ rate: BitRate, _ range: ClosedRange<UInt64>) throws(ScenarioError) {
        guard range.contains(rate.bitsPerSecond) else {
            throw ScenarioError(field: field, value: "\(rate)", permitted: "0.001 … 2000 Gb/s")
        }
    }

    private func checkDelay(_ field: String, _ delay: Duration) throws(ScenarioError) {
        try check(field, delay, .zero ... .seconds(1))
    }
}
