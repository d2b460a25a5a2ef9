// SPDX-License-Identifier: Apache-2.0

import HomaBench

/// One figure of a measurement in a lab: its name in records, its unit there, and how people are shown it.
package struct LabFigure: Sendable {
    package let measure: String
    let unit: String
    let label: String
    /// Shown is the value divided by this.
    let scale: Double
    let decimals: Int
    let measured: @Sendable (LabMeasurement) -> MeasuredValue?

    func value(_ measurement: LabMeasurement) -> Double? { measured(measurement)?.value }

    func show(_ value: MeasuredValue?) -> String { bounded(value, by: scale, decimals) }

    package static let all: [LabFigure] = rates + latencies + slowdowns + troubles

    private static let rates = [
        LabFigure("achieved_rate", "rpc/s", "achieved (requests/s)") { MeasuredValue($0.load.achievedRate) },
        LabFigure("goodput", "bit/s", "goodput, requests and responses (Mb/s)", 1e6, 1) {
            MeasuredValue($0.load.requestGoodput + $0.load.responseGoodput)
        },
    ]

    private static let latencies =
        [50, 99, 99.9].map { percent in
            let name = percent == 99.9 ? "p99.9" : "p\(Int(percent))"
            return LabFigure("short_latency_\(name)", "ns", "short messages, \(name) (µs)", 1000, 0) {
                $0.load.shortLatency.measured(percent)
            }
        } + [
            LabFigure("latency_p99", "ns", "all messages, p99 (µs)", 1000, 0) {
                $0.load.latency.measured(99)
            }
        ]

    private static let slowdowns = [50.0, 99].map { percent in
        LabFigure("slowdown_p\(Int(percent))", "ratio", "slowdown, all messages, p\(Int(percent))", 1, 2) {
            $0.load.slowdown?.measured(percent)
        }
    }

    private static let troubles = [
        LabFigure("errors", "count", "failed") { MeasuredValue(Double($0.load.errors)) },
        LabFigure("unfinished", "count", "unfinished") { MeasuredValue(Double($0.load.unfinished)) },
        LabFigure("verification_failures", "count", "responses with wrong bytes") {
            MeasuredValue(Double($0.load.verificationFailures))
        },
        LabFigure("packets_retransmitted", "packets", "packets sent again") { MeasuredValue(Double($0.resent)) },
        LabFigure("switch_drops", "packets", "dropped at the switch, queue full") {
            MeasuredValue(Double($0.counters.switchQueues.drops))
        },
        LabFigure("host_queue_drops", "packets", "dropped at a host's own queue") {
            MeasuredValue(Double($0.counters.hostDrops))
        },
        LabFigure("lost_on_purpose", "packets", "lost on purpose") { MeasuredValue(Double($0.counters.lost)) },
        LabFigure("receive_buffer_errors", "packets", "RcvbufErrors") { MeasuredValue(Double($0.receiveBufferErrors)) },
        LabFigure("softnet_drops", "packets", "softnet drops") { MeasuredValue(Double($0.counters.softnetDrops)) },
    ]

    private init(
        _ measure: String, _ unit: String, _ label: String, _ scale: Double = 1, _ decimals: Int = 0,
        _ measured: @escaping @Sendable (LabMeasurement) -> MeasuredValue?
    ) {
        self.measure = measure
        self.unit = unit
        self.label = label
        self.scale = scale
        self.decimals = decimals
        self.measured = measured
    }
}

/// One protocol's measurements, a round each.
package struct LabSeries {
    package let name: String
    package let rounds: [LabMeasurement]

    package init(
        name: String, rounds: [LabMeasurement]
    ) {
        self.name = name
        self.rounds = rounds
    }

    func median(_ figure: LabFigure) -> Double? {
        let values = rounds.compactMap(figure.value)
        return values.count == rounds.count ? Self.median(values) : nil
    }

    /// The median with what is known of it.
    func measured(_ figure: LabFigure) -> MeasuredValue? {
        median(figure).map { MeasuredValue($0, isLowerBound: isLowerBound(figure)) }
    }

    /// True when the figure of any round is a lower bound, which might be any other one in the order of the rounds.
    package func isLowerBound(_ figure: LabFigure) -> Bool {
        rounds.contains { figure.measured($0)?.isLowerBound == true }
    }

    /// The median over the rounds of another protocol's figure divided by this one's in the same round.
    package func ratio(of other: LabSeries, _ figure: LabFigure) -> Double? {
        let ratios = zip(rounds, other.rounds).compactMap { mine, theirs -> Double? in
            guard let one = figure.value(mine), let another = figure.value(theirs), one > 0 else { return nil }
            return another / one
        }
        return ratios.count == rounds.count ? Self.median(ratios) : nil
    }

    /// With an even number of values the mean of the two in the middle.
    static func median(_ values: [Double]) -> Double? {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return nil }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

extension LabSeries: ThresholdSubject {
    /// Medians over the rounds; failures are added up.
    func measured(_ quantity: Threshold.Quantity) -> MeasuredValue? {
        let all = rounds.compactMap { $0.load.measured(quantity) }
        guard all.count == rounds.count, let median = Self.median(all.map(\.value)) else { return nil }
        if quantity == .errors { return MeasuredValue(all.reduce(0) { $0 + $1.value }) }
        return MeasuredValue(median, isLowerBound: all.contains(where: \.isLowerBound))
    }
}
