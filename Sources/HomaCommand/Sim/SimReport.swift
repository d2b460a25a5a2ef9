// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
import HomaScenarios
import HomaSim
import HomaWorkloads

/// A simulated result as text for people.
struct SimReport {
    private let result: SimulationResult
    private let figures: MachineFigures?

    /// - Parameter figures: nil leaves out what the run cost.
    init(_ result: SimulationResult, _ figures: MachineFigures?) {
        self.result = result
        self.figures = figures
    }

    func render() -> String {
        [heading, slowdown, queues, switches, packets, cost, configuration].filter { !$0.isEmpty }
            .joined(separator: "\n\n") + "\n"
    }

    private var heading: String {
        let scenario = result.scenario
        let load =
            scenario.traffic.arrivals.isClosed ? "closed loop" : "load \(fixed(scenario.traffic.load * 100, 1)) %"
        return """
            \(scenario.name) (simulated): \(scenario.transport.kind), \
            workload \(scenario.traffic.sizes.name), \(load), \
            \(scenario.topology.hostCount) hosts at \(scenario.topology.hostRate), seed \(scenario.seed)
            \(result.messages) messages complete, \(result.messagesIncomplete) incomplete, \
            \(result.messagesFailed) given up, in \(fixed(result.measuredTime / .milliseconds(1), 2)) ms measured of \
            \(fixed(result.simulatedTime / .milliseconds(1), 2)) ms simulated
            slowdown: mean \(fixed(result.slowdown.mean, 3)), median \(fixed(result.slowdown.median, 3)), \
            p99 \(fixed(result.slowdown.p99, 2)); \
            bandwidth wasted at receivers \(fixed(result.wastedBandwidth * 100, 1)) %
            """
    }

    private var slowdown: String {
        var table = TextTable([
            .init("messages (percentile of size)", .left), .init("up to (bytes)"), .init("count"),
            .init("slowdown mean"), .init("p50"), .init("p99"), .init("max"), .init("time p50 (µs)"), .init("p99 (µs)"),
        ])
        for bin in result.sizeBins where bin.slowdown.count > 0 {
            table.add([
                "\(fixed(bin.fromPercentile, 0))–\(fixed(bin.toPercentile, 0))", String(bin.maximumBytes),
                String(bin.slowdown.count), fixed(bin.slowdown.mean, 2), fixed(bin.slowdown.median, 2),
                fixed(bin.slowdown.p99, 2), fixed(bin.slowdown.maximum, 2),
                fixed(bin.completionMicroseconds.median, 1), fixed(bin.completionMicroseconds.p99, 1),
            ])
        }
        return table.rows.isEmpty ? "" : table.render()
    }

    private var queues: String {
        var table = TextTable([
            .init("queue of one port", .left), .init("ports"), .init("mean (bytes)"), .init("p99 (bytes)"),
            .init("max (bytes)"), .init("max (µs)"), .init("busy (%)"), .init("busiest (%)"),
        ])
        for tier in result.tiers {
            table.add([
                tier.name, String(tier.ports), fixed(tier.queue.meanBytes, 0), String(tier.queue.p99Bytes),
                String(tier.queue.maximumBytes), fixed(tier.queue.maximumMicroseconds, 1),
                fixed(tier.utilisation * 100, 1), fixed(tier.maximumUtilisation * 100, 1),
            ])
        }
        return table.rows.isEmpty ? "" : table.render()
    }

    /// The fullest switch of each kind: nine leaves differ by chance only.
    private var switches: String {
        var table = TextTable([
            .init("fullest switch", .left), .init("buffer (bytes)"), .init("mean (bytes)"), .init("p99 (bytes)"),
            .init("max (bytes)"), .init("max (µs)"), .init("down max (bytes)"), .init("up max (bytes)"),
        ])
        for kind in ["leaf", "spine"] {
            let those = result.switches.filter { $0.name.hasPrefix(kind) }
            guard let one = those.max(by: { $0.total.maximumBytes < $1.total.maximumBytes }) else { continue }
            table.add([
                one.name, one.bufferBytes.map(String.init) ?? "unlimited", fixed(one.total.meanBytes, 0),
                String(one.total.p99Bytes), String(one.total.maximumBytes), fixed(one.total.maximumMicroseconds, 1),
                String(one.downlinks.maximumBytes), String(one.uplinks.maximumBytes),
            ])
        }
        return table.rows.isEmpty ? "" : table.render()
    }

    private var packets: String {
        let kinds = result.packetsByKind.filter { $0.packets > 0 }.map { "\($0.packets) \($0.kind)" }
        let drops = result.drops.map { "\($0.packets) \($0.reason)" }
        return """
            packets: \(kinds.isEmpty ? "none" : kinds.joined(separator: ", "))
            dropped: \(drops.isEmpty ? "none" : drops.joined(separator: ", "))
            """
    }

    private var cost: String {
        guard let figures else { return "" }
        let machine = figures.machine.map { "\($0.key) \($0.value.text ?? $0.value.description)" }
        return """
            \(result.packetHops) packet-hops, \(result.events) events \
            in \(fixed(figures.cpuSeconds, 2)) s of processor time: \
            \(fixed(figures.packetHopsPerCPUSecond / 1e6, 2)) M packet-hops per second; \
            \(fixed(Double(figures.maximumResidentBytes) / 1e6, 1)) MB of memory at most
            \(figures.build) build; \(machine.joined(separator: ", "))
            """
    }

    private var configuration: String { "scenario: " + result.scenario.json.pretty() }
}

extension ArrivalProcess {
    fileprivate var isClosed: Bool { if case .closed = self { true } else { false } }
}
