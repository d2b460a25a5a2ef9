// SPDX-License-Identifier: Apache-2.0

/// Occupancy of whole switches, sampled in regular intervals: percentiles, means, and the optional series.
struct SwitchSampler: ~Copyable {
    /// Between samples for percentiles, in picoseconds: 5 µs, a few packet times of the slowest links in use.
    static let interval: UInt64 = 5_000_000
    private static let kinds = 3

    private let switches: Int
    /// Total, downlinks and uplinks of each switch.
    private let histograms: [LogHistogram]
    private var sums: [Double]
    private var samples = 0
    private(set) var series: [OccupancySample] = []

    init(switches: Int) {
        self.switches = switches
        histograms = (0..<switches * Self.kinds).map { _ in LogHistogram(precision: 6, bits: 44) }
        sums = Array(repeating: 0, count: switches * Self.kinds)
    }

    deinit { for histogram in histograms { histogram.destroy() } }

    mutating func sample(_ network: inout Network, at now: UInt64) {
        samples += 1
        for number in 0..<switches {
            network.advanceAll(of: network.switches + number, to: now)
            let down = network.switches[number].downlinkBytes
            let up = network.switches[number].uplinkBytes
            add(number, 0, down + up)
            add(number, 1, down)
            add(number, 2, up)
        }
    }

    private mutating func add(_ number: Int, _ kind: Int, _ bytes: Int) {
        histograms[number * Self.kinds + kind].add(UInt64(bytes))
        sums[number * Self.kinds + kind] += Double(bytes)
    }

    mutating func record(_ network: inout Network, at now: UInt64) {
        for number in 0..<switches { network.advanceAll(of: network.switches + number, to: now) }
        var bytes: [Int] = []
        for number in 0..<switches {
            bytes.append(network.switches[number].downlinkBytes + network.switches[number].uplinkBytes)
        }
        var longest = 0
        for host in 0..<network.hosts { longest = max(longest, network.ports[network.hosts + host].queuedBytes) }
        series.append(
            OccupancySample(time: Duration(picoseconds: now), bytes: bytes, longestHostDownlinkBytes: longest))
    }

    mutating func fill(_ result: inout SimulationResult, _ network: inout Network, _ topology: TopologyConfiguration) {
        result.series = series
        for number in 0..<switches {
            let state = network.switches[number]
            let settings = state.kind == .leaf ? topology.leafSwitch : topology.spineSwitch
            let down = network.bitsPerSecond(state.downlinks)
            let up = network.bitsPerSecond(state.uplinks)
            result.switches.append(
                SwitchResult(
                    name: network.switchName(number), bufferBytes: settings.isLimited ? settings.bufferBytes : nil,
                    total: summary(number, 0, maximum: state.maximumBytes, bandwidth: down + up),
                    downlinks: summary(number, 1, maximum: state.maximumDownlinkBytes, bandwidth: down),
                    uplinks: summary(number, 2, maximum: state.maximumUplinkBytes, bandwidth: up)))
        }
    }

    private func summary(_ number: Int, _ kind: Int, maximum: Int, bandwidth: Double) -> OccupancySummary {
        var summary = OccupancySummary()
        summary.maximumBytes = maximum
        summary.bitsPerSecond = bandwidth
        summary.meanBytes = samples > 0 ? sums[number * Self.kinds + kind] / Double(samples) : 0
        summary.fillPercentiles(histograms[number * Self.kinds + kind])
        return summary
    }
}
