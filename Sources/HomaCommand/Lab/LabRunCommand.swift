// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench
import HomaLab
import HomaPosix
import HomaWorkloads

struct LabRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Measure in a lab: every host calls every other one.",
        discussion: """
            In each host one process serves and calls, with requests at the times a Poisson process gives. Every \
            response is compared with what was sent. The load counts requests and responses, as each host's link \
            carries both.

            Example: homa lab run --workload w4 --load 0.8 --compare --rounds 5
            """)

    @OptionGroup var lab: LabNameOption
    @OptionGroup var load: LabLoadOptions
    @OptionGroup var node: LabNodeOptions
    @OptionGroup var thresholds: ThresholdOptions

    @Option(name: .customLong("protocol"), help: "homa or tcp.")
    var carrier: ProtocolChoice = .homa

    @Flag(help: "Run Homa and TCP in turns and compare medians.")
    var compare = false

    @Option(help: "Runs of each protocol, 1 … 100 (default 1, with --compare 3).", within: .count(1...100))
    var rounds: Int?

    @Option(
        help: "With --compare: status 1 unless TCP's p99 of short messages is at least so many times Homa's.",
        within: .number(0.001...1_000_000))
    var ratio: Double?

    @Option(help: "Hosts that take part, the first ones; all by default.", within: .count(2...32))
    var hosts: Int?

    @Flag(name: .customLong("ipv6"), help: "Use the hosts' IPv6 addresses.")
    var usesIPv6 = false

    @Flag(help: "One JSON object per line.")
    var json = false

    mutating func validate() throws {
        guard carrier == .homa || carrier == .tcp else { throw ValidationError("--protocol: homa or tcp") }
        guard ratio == nil || compare else { throw ValidationError("--ratio is for --compare") }
    }

    func run() async throws {
        try await orCouldNotRun {
            try SystemTools.requireRoot(to: "run processes in network namespaces")
            try SystemTools.requireAll()
            StopSignals.catchRequests(second: .isIgnored)
            let state = try LabStore().load(lab.name)
            guard state.isComplete else {
                throw LabError("lab '\(lab.name)' was never completed; 'homa lab down' removes it")
            }
            let count = hosts ?? state.description.hosts
            guard (2...state.description.hosts).contains(count) else {
                throw ValidationError("--hosts \(count): must be 2 … \(state.description.hosts), the lab's hosts")
            }
            let environment = RunEnvironment.current(mtu: state.description.mtu)
            warnIfDebug(environment)
            let series = try measure(state, hosts: count)
            let report = LabReport(description: state.description, series: series, load: load.load, hosts: count)
            if json {
                for record in report.records(environment) { try say(record.jsonLine) }
            } else {
                try say("\(environment.summary)\n\(report.render())")
            }
            try judge(series)
        }
    }

    /// The protocols in turns, so that a noisy moment of the machine hits both.
    private func measure(_ state: LabState, hosts: Int) throws -> [LabSeries] {
        let carriers: [ProtocolChoice] = compare ? [.homa, .tcp] : [carrier]
        var rounds: [[LabMeasurement]] = carriers.map { _ in [] }
        let count = self.rounds ?? (compare ? 3 : 1)
        for round in 1...count {
            for (index, carrier) in carriers.enumerated() {
                note("\(carrier.rawValue), round \(round) of \(count)")
                let job = try load.job(carrier, state.description, node: node, seed: load.seed &+ UInt64(round - 1))
                let run = LabRun(state: state, job: job, hosts: hosts, usesIPv6: usesIPv6)
                rounds[index].append(try run.measure())
            }
        }
        return zip(carriers, rounds).map { LabSeries(name: $0 == .homa ? "Homa" : "TCP", rounds: $1) }
    }

    /// Wrong bytes are never acceptable, requests that fail only as far as thresholds say, of either protocol; a run
    /// without any response is none. The other thresholds are for the first protocol.
    private func judge(_ series: [LabSeries]) throws {
        for one in series {
            for measurement in one.rounds {
                if let why = measurement.load.firstError { note("\(one.name): the first failure: \(why)") }
                if measurement.counters.softnetDrops + measurement.receiveBufferErrors > 0 {
                    note("\(one.name): packets were dropped in the hosts; the machine is too slow for this load")
                }
            }
            guard one.rounds.allSatisfy({ $0.load.completed > 0 }) else {
                throw LabError("\(one.name): no request was answered")
            }
        }
        var isGood = try thresholds.areMet(by: series[0])
        for one in series {
            if one.rounds.contains(where: { $0.load.verificationFailures > 0 }) {
                note("\(one.name): responses had wrong bytes")
                isGood = false
            }
        }
        for rival in series.dropFirst() { isGood = try thresholds.arePermitted(errorsOf: rival, rival.name) && isGood }
        if let ratio, let figure = LabFigure.all.first(where: { $0.measure == "short_latency_p99" }) {
            let measured = series[0].ratio(of: series[1], figure)
            // A p99 that is known as a lower bound only may be any number of times as long.
            let isKnown = !series[0].isLowerBound(figure)
            let words = measured.map { "\(isKnown ? "" : "at most ")\(fixed($0, 2))" } ?? "not measured"
            note("ratio \(words), demanded \(fixed(ratio, 2))")
            isGood = isGood && isKnown && (measured ?? 0) >= ratio
        }
        guard isGood else { throw ExitCode.failed }
    }
}

/// What every host offers to the others.
struct LabLoadOptions: ParsableArguments {
    @Option(help: "w1 … w5, or a message size such as 100 or 500K.")
    var workload = "w4"

    @Option(help: "Payload, requests and responses, as a fraction of the links' rate.", within: .number(0.001...2))
    var load = 0.5

    @Option(
        help: "Bytes of each response; by default the request is echoed.",
        within: .bytes(1...HomaLimits.maximumMessageLength))
    var responseSize: ByteCount?

    @Option(name: .customLong("for"), help: "Time measured.", within: .time(.milliseconds(10) ... .seconds(3600)))
    var duration = TimeSpan(.seconds(10))

    @Option(help: "Time before anything is measured.", within: .time(.zero ... .seconds(3600)))
    var warmUp = TimeSpan(.seconds(1))

    @Option(
        help: "How long to wait for the last responses before they count as unfinished.",
        within: .time(.zero ... .seconds(3600)))
    var drain = TimeSpan(.seconds(5))

    @Option(help: "Decides sizes, arrival times, targets and contents; each round adds one.", within: .seed)
    var seed: UInt64 = 1

    @Option(help: "Connections between each pair of hosts and direction, for TCP.", within: .count(1...100))
    var connections = 1

    @Option(
        help: "Most requests of a host outstanding at once; later ones wait, and their waiting counts.",
        within: .count(1...1_000_000))
    var cap = 100_000

    func validate() throws {
        _ = try usage { try Workload.named(workload) }
    }

    func job(
        _ carrier: ProtocolChoice, _ lab: LabDescription, node: LabNodeOptions, seed: UInt64
    ) throws -> LabJob {
        let sizes = try Workload.named(workload).sizes
        let rate = LabJob.requestsPerSecond(
            load: load, rate: lab.rate, sizes: sizes, responseBytes: responseSize?.bytes)
        let count = rate * ((warmUp.duration + duration.duration) / .seconds(1))
        guard count <= LoadOptions.mostRequests else {
            throw ValidationError(
                "--load \(load) for --for \(duration) is \(fixed(count, 0)) requests of each host: must be at most "
                    + fixed(LoadOptions.mostRequests, 0))
        }
        return LabJob(
            carrier: carrier.rawValue, port: node.port, targets: [], workload: workload, requestsPerSecond: rate,
            responseBytes: responseSize?.bytes, warmUpNanoseconds: warmUp.nanoseconds,
            durationNanoseconds: duration.nanoseconds, drainNanoseconds: drain.nanoseconds, seed: seed, cap: cap,
            connections: connections,
            baseline: LabBaseline(
                rttNanoseconds: UInt64(node.baselineRtt.nanoseconds), bitsPerSecond: lab.bitsPerSecond),
            spinNanoseconds: node.spin.duration.map { TimeSpan($0).nanoseconds }, settings: node.settings(in: lab),
            usesOffloads: lab.offloads)
    }
}

/// How the hosts' processes are set up.
struct LabNodeOptions: ParsableArguments {
    @Option(
        help: "How long an idle engine looks for work before it sleeps, e.g. 50us; all hosts share the cores.",
        within: .spin)
    var spin = SpinTime(.zero)

    @Option(help: "Homa settings to start from: link (derived from the links), default, linux2026 or sigcomm2018.")
    var settings = "link"

    @Option(help: "Change one Homa setting, as NAME=VALUE with a name of docs/tuning.md. May be repeated.")
    var set: [String] = []

    @Flag(help: "Do not tell Homa's pacer the rate of the links.")
    var unpaced = false

    @Option(
        help: "Round trip of a minimal message on the idle path, for the slowdown.",
        within: .time(.nanoseconds(1) ... .seconds(1000)))
    var baselineRtt = TimeSpan(.microseconds(100))

    @Option(help: "Port that every host serves, 1 … 32767.", within: .port(1...32_767))
    var port: UInt16 = 4000

    func validate() throws {
        _ = try usage { try settings(in: LabDescription()).configuration() }
    }

    func settings(in lab: LabDescription) -> LabSettings {
        LabSettings(
            base: settings, changes: set, bitsPerSecond: lab.bitsPerSecond, mtu: lab.mtu, isPaced: !unpaced)
    }
}

extension TimeSpan {
    var nanoseconds: Int64 { Int64(duration.wholeNanoseconds) }
}
