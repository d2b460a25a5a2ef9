// SPDX-License-Identifier: Apache-2.0

package import HomaBench
import HomaWorkloads

/// What was measured in a lab, for people and as records.
package struct LabReport {
    let description: LabDescription
    /// One protocol, or Homa and the one it is compared with.
    let series: [LabSeries]
    let load: Double
    let hosts: Int

    package init(
        description: LabDescription, series: [LabSeries], load: Double, hosts: Int
    ) {
        self.description = description
        self.series = series
        self.load = load
        self.hosts = hosts
    }

    private var isComparison: Bool { series.count == 2 }

    // MARK: For people

    package func render() -> String { [title, figures, priorities].joined(separator: "\n\n") }

    private var title: String {
        let plan = series[0].rounds[0].load.plan
        let rounds = series[0].rounds.count
        let medians = rounds > 1 ? ", medians of \(rounds) rounds" : ""
        return "\(hosts) hosts, links of \(description.rate), queues of \(description.queue), MTU \(description.mtu); "
            + "\(plan.sizes.name) at \(fixed(load * 100, 0)) % load, all to all, "
            + "\(fixed(plan.window.seconds, 1)) s measured" + medians
    }

    private var figures: String {
        var columns = [TextTable.Column("", .left)] + series.map { TextTable.Column($0.name) }
        if isComparison { columns.append(TextTable.Column("\(series[1].name) ÷ \(series[0].name)")) }
        var table = TextTable(columns)
        for figure in LabFigure.all {
            var cells = [figure.label] + series.map { figure.show($0.measured(figure)) }
            if isComparison { cells.append(series[0].ratio(of: series[1], figure).map { fixed($0, 2) } ?? "–") }
            table.add(cells)
        }
        return table.render()
    }

    private var priorities: String {
        var columns = [TextTable.Column("priority at the switch")]
        for one in series {
            columns += [.init("\(one.name): packets"), .init("MB"), .init("dropped")]
        }
        var table = TextTable(columns)
        for priority in (0..<8).reversed() {
            var cells = [String(priority)]
            for one in series {
                let queues = one.rounds.map { $0.counters.switchQueues.queues[priority] }
                func total(_ path: KeyPath<QueueCounters.Queue, UInt64>) -> UInt64 {
                    queues.reduce(0) { $0 + $1[keyPath: path] }
                }
                cells += ["\(total(\.packets))", fixed(Double(total(\.bytes)) / 1e6, 1), "\(total(\.drops))"]
            }
            table.add(cells)
        }
        return table.render()
    }

    // MARK: As records

    /// Everything of every round, then the medians of a comparison.
    package func records(_ environment: RunEnvironment) -> [ResultRecord] {
        var records: [ResultRecord] = []
        for one in series {
            for (round, measurement) in one.rounds.enumerated() {
                let all = measurement.load.records() + extras(measurement)
                records += all.map { $0.with("round", round + 1).with("is_median", .flag(false)) }
            }
        }
        if isComparison { records += medians }
        return records.map { environment.annotate(annotate($0)) }
    }

    /// What a bench result does not have.
    private func extras(_ measurement: LabMeasurement) -> [ResultRecord] {
        let known = Set(measurement.load.records().map(\.measure))
        var records = LabFigure.all.filter { !known.contains($0.measure) }.compactMap { figure in
            figure.measured(measurement).map { ResultRecord(measure: figure.measure, $0, unit: figure.unit) }
        }
        for (priority, queue) in measurement.counters.switchQueues.queues.enumerated() {
            for (name, value) in [
                ("switch_queue_packets", queue.packets), ("switch_queue_bytes", queue.bytes),
                ("switch_queue_drops", queue.drops),
            ] {
                records.append(
                    ResultRecord(
                        measure: name, value: Double(value), unit: name == "switch_queue_bytes" ? "bytes" : "packets"
                    ).with("priority", priority))
            }
        }
        records += measurement.nodes.sorted { $0.key < $1.key }.map {
            ResultRecord(measure: "node_counter", value: Double($0.value), unit: "count").with("counter", $0.key)
        }
        return records.map { $0.with("protocol", measurement.load.protocolName) }
    }

    private var medians: [ResultRecord] {
        var records: [ResultRecord] = LabFigure.all.compactMap { figure in
            guard let mine = series[0].measured(figure), let theirs = series[1].measured(figure) else { return nil }
            let record = ResultRecord(measure: figure.measure, mine, unit: figure.unit).against("tcp", theirs.value)
            return theirs.isLowerBound ? record.with("rival_is_lower_bound", .flag(true)) : record
        }
        for figure in LabFigure.all where figure.unit == "ns" {
            guard let ratio = series[0].ratio(of: series[1], figure) else { continue }
            records.append(ResultRecord(measure: "\(figure.measure)_tcp_over_homa", value: ratio, unit: "ratio"))
        }
        return records.map {
            $0.with("protocol", "homa").with("rounds", series[0].rounds.count).with("is_median", .flag(true))
        }
    }

    private func annotate(_ record: ResultRecord) -> ResultRecord {
        let named = record.with("path", "lab").with("hosts", hosts).with("link_bps", Int(description.bitsPerSecond))
            .with("load_fraction", load).with("loss_fraction", Double(description.lossTenThousandths) / 10_000)
        return switch description.queue {
        case .bytes(let count): named.with("switch_queue_bytes_limit", count)
        case .packets(let count): named.with("switch_queue_packets_limit", count)
        }
    }
}
