// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
package import HomaCore

/// Protocol settings of a run in a lab: where to start from, and what to change.
package struct LabSettings: Codable, Equatable, Sendable {
    /// `link` (derived from the lab's links), `default`, `linux2026` or `sigcomm2018`.
    var base = "link"
    /// `NAME=VALUE`, names as in docs/tuning.md.
    var changes: [String] = []
    /// Rate of the lab's links.
    var bitsPerSecond: UInt64
    /// Bytes of an IP packet.
    var mtu: Int
    /// Whether the pacer knows the rate.
    var isPaced = true

    package init(
        base: String = "link", changes: [String] = [], bitsPerSecond: UInt64, mtu: Int, isPaced: Bool = true
    ) {
        self.base = base
        self.changes = changes
        self.bitsPerSecond = bitsPerSecond
        self.mtu = mtu
        self.isPaced = isPaced
    }

    static let bases = ["link"] + Preset.allCases.map(\.rawValue)

    private typealias Path<Value> = WritableKeyPath<EndpointConfiguration, Value>

    /// Settings that are counts.
    private static var counts: [(name: String, path: Path<Int>)] {
        [
            ("unscheduledBytes", \.unscheduledBytes), ("overcommitment", \.overcommitment),
            ("maximumIncoming", \.maximumIncoming), ("grantIncrement", \.grantIncrement),
            ("fifoGrantIncrement", \.fifoGrantIncrement), ("pacerBypassBytes", \.pacerBypassBytes),
            ("priorityLevels", \.priorityLevels), ("boostedTailBytes", \.boostedTailBytes),
            ("cutoffSample", \.cutoffSample),
        ]
    }

    private static var shares: [(name: String, path: Path<Double>)] {
        [("fifoSendFraction", \.fifoSendFraction), ("fifoGrantFraction", \.fifoGrantFraction)]
    }

    private static var times: [(name: String, path: Path<Duration>)] {
        [
            ("linkQueueLimit", \.linkQueueLimit), ("resendAfter", \.resendAfter), ("timeout", \.timeout),
            ("resendIntervalLimit", \.resendIntervalLimit), ("cutoffInterval", \.cutoffInterval),
        ]
    }

    private static var flags: [(name: String, path: Path<Bool>)] {
        [
            ("learnsCutoffs", \.learnsCutoffs), ("countsUnscheduledIncoming", \.countsUnscheduledIncoming),
            ("adaptsUnscheduled", \.adaptsUnscheduled),
        ]
    }

    /// What `--set` knows.
    static var names: [String] {
        (counts.map(\.name) + shares.map(\.name) + times.map(\.name) + flags.map(\.name) + ["window", "cutoffs"])
            .sorted()
    }

    /// The settings, in range.
    package func configuration() throws -> EndpointConfiguration {
        var result = try start()
        if isPaced { result.linkRate = BitRate(bitsPerSecond: bitsPerSecond) }
        for change in changes { try apply(change, to: &result) }
        do { try result.validated(bpageSize: 65_536) } catch { throw LabError("--set: \(error)") }
        return result
    }

    private func start() throws -> EndpointConfiguration {
        if base == "link" { return .forLink(BitRate(bitsPerSecond: bitsPerSecond), mtu: mtu) }
        guard let preset = Preset(rawValue: base) else {
            throw LabError("--settings '\(base)': must be one of \(Self.bases.joined(separator: ", "))")
        }
        return preset.configuration
    }

    private func apply(_ change: String, to result: inout EndpointConfiguration) throws {
        let parts = change.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw LabError("--set '\(change)': write NAME=VALUE") }
        let (name, text) = (parts[0], parts[1])
        func bad(_ expected: String) -> LabError { LabError("--set \(name): '\(text)' is not \(expected)") }
        if let count = Self.counts.first(where: { $0.name == name }) {
            guard let value = ByteCount(argument: text) else { throw bad("a number such as 10000 or 10K") }
            result[keyPath: count.path] = value.bytes
        } else if let share = Self.shares.first(where: { $0.name == name }) {
            guard let value = Double(text) else { throw bad("a number such as 0.05") }
            result[keyPath: share.path] = value
        } else if let time = Self.times.first(where: { $0.name == name }) {
            guard let value = TimeSpan(argument: text) else { throw bad("a time such as 5us") }
            result[keyPath: time.path] = value.duration
        } else if let flag = Self.flags.first(where: { $0.name == name }) {
            guard let value = Bool(text) else { throw bad("true or false") }
            result[keyPath: flag.path] = value
        } else if name == "window" {
            guard let value = ByteCount(argument: text) else { throw bad("a number such as 10000") }
            result.window = value.bytes
        } else if name == "cutoffs" {
            let cutoffs = text.split(separator: "/").compactMap { UInt32($0) }
            guard cutoffs.count == 8 else { throw bad("eight lengths with '/' between them, for priorities 0 to 7") }
            result.unscheduledCutoffs = cutoffs
        } else {
            throw LabError("--set '\(name)': unknown; known are \(Self.names.joined(separator: ", "))")
        }
    }
}
