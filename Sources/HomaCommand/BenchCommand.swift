// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench
import HomaIO
import HomaPosix
import HomaWorkloads

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Offer a load to homa serve and measure latency, slowdown and goodput.",
        discussion: """
            Requests leave at the times a Poisson process gives, whether or not earlier responses have come back, \
            and latency counts from the intended time: a stalled server shows in the tail. Every response is \
            compared with what was sent, byte by byte.

            With --suite it needs no server: it measures everything that docs/measurements keeps a record of, \
            against its rivals, between processes of its own in two network namespaces (as root; otherwise on \
            loopback), and holds the figures against what is wanted of them.

            Examples:
              homa bench 127.0.0.1:4000 --workload w3 --load 0.02 --link 10Gbit
              homa bench 127.0.0.1:4000 --workload w3 --load 0.02 --link 10Gbit --protocol tcp
              homa bench [::1]:4000 --workload 500K --outstanding 4 --response-size 100 --threshold 'goodput>5Gbit'
              homa bench --suite --runs 5 --write docs/measurements
              homa bench --suite --quick --json --slack 3
            """)

    @Argument(help: "Server, as HOST:PORT; left out with --suite.")
    var server: String?

    @Option(name: .customLong("protocol"), help: "homa, tcp, or udp-trains (nothing but datagrams; one way).")
    var carrier: ProtocolChoice = .homa

    @OptionGroup var load: LoadOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var framing: FramingOption
    @OptionGroup var thresholds: ThresholdOptions
    @OptionGroup(title: "The whole list") var suite: SuiteOptions

    @Option(
        help: "Round trip of a minimal message on the idle path, for the slowdown.",
        within: .time(.nanoseconds(1) ... .seconds(1000)))
    var baselineRtt = TimeSpan(.microseconds(10))

    @Flag(help: "One JSON object per line.")
    var json = false

    mutating func validate() throws {
        guard carrier != .udp else { throw ValidationError("--protocol udp is for homa ping") }
        guard (server == nil) == suite.suite else {
            throw ValidationError(
                suite.suite ? "--suite starts its own servers: name none" : "name a server, or --suite")
        }
        guard carrier == .tcp || !node.writesEach else { throw ValidationError("--write-each is for --protocol tcp") }
        guard !suite.suite || thresholds.threshold.isEmpty else {
            throw ValidationError("--threshold is not for --suite, which knows what is wanted")
        }
        try framing.check(for: carrier)
        guard framing.framing == .pattern || load.responseSize.map({ $0.bytes == MessageFraming.shortResponse }) ?? true
        else {
            throw ValidationError(
                "--response-size \(load.responseSize?.bytes ?? 0): must be \(MessageFraming.shortResponse) with "
                    + "--framing cp-node, which has echoes else")
        }
        _ = try plan()
    }

    /// The load, all of it in range.
    func plan() throws -> LoadPlan {
        let link = node.link?.rate
        let baseline = SlowdownBaseline(
            rttNanoseconds: baselineRtt.duration.wholeNanoseconds,
            bitsPerSecond: (link ?? .gigabitsPerSecond(10)).bitsPerSecond)
        var plan = try load.plan(link: link, baseline: baseline)
        plan.framing = framing.framing
        return plan
    }

    func run() async throws {
        try await orCouldNotRun {
            guard let server else { return try suite.run(seed: load.seed, json: json) }
            let environment = RunEnvironment.current(mtu: node.mtu ?? pathMTU(to: server))
            warnIfDebug(environment)
            guard carrier != .trains else { return try sendTrains(to: server, environment) }
            let plan = try plan()
            note("\(carrier.rawValue) to \(server): \(plan.sizes.name), \(describe(plan.pace)), seed \(plan.seed)")
            let result = try await measure(plan, server)
            if json {
                for record in result.records() + result.slowdownRecords() {
                    try say(environment.annotate(record).jsonLine)
                }
            } else {
                try say("\(environment.summary)\n\(LoadReport(result).render())")
            }
            if let why = result.firstError { note("\(result.errors) requests failed; the first: \(why)") }
            try judge(result, thresholds)
        }
    }

    private func measure(_ plan: LoadPlan, _ server: String) async throws -> LoadResult {
        switch carrier {
        case .homa: return try await measureHoma(plan, server)
        default:
            let options = TCPLoadClient.Options(spin: node.spin.duration == nil, writesEach: node.writesEach)
            return try TCPLoadClient(server: try resolveListening(server), options: options).run(plan)
        }
    }

    /// The bare stream: of all load options only the times mean anything.
    private func sendTrains(to server: String, _ environment: RunEnvironment) throws {
        let result = try UDPTrainSource.run(
            sink: try resolve(server), warmUp: load.warmUp.duration, duration: load.duration.duration)
        let record = ResultRecord(measure: "goodput", value: result.goodput, unit: "bit/s")
            .with("protocol", carrier.rawValue).with("datagram_bytes", result.datagramBytes)
            .with("datagrams_per_train", result.datagramsPerTrain)
        let trains = "trains of \(result.datagramsPerTrain) datagrams of \(result.datagramBytes) bytes"
        try say(
            json
                ? environment.annotate(record).jsonLine
                : "\(environment.summary)\nbare UDP, \(trains): \(gigabits(result.goodput)) Gb/s, nothing lost")
        guard try thresholds.areMet(by: result) else { throw ExitCode.failed }
    }
}

/// Wrong bytes are never acceptable, whatever the thresholds say, and a run without any answer is none.
func judge(_ result: LoadResult, _ thresholds: ThresholdOptions) throws {
    if result.verificationFailures > 0 { note("\(result.verificationFailures) responses had wrong bytes") }
    let isGood = try thresholds.areMet(by: result) && result.verificationFailures == 0
    if result.completed == 0, result.latency.count == result.latency.unanswered, result.verificationFailures == 0 {
        throw CommandError("no request was answered (\(result.errors) failed, \(result.unfinished) unfinished)")
    }
    guard isGood else { throw ExitCode.failed }
}

func describe(_ pace: LoadPlan.Pace) -> String {
    switch pace {
    case .openLoop(let rate): "open loop, \(fixed(rate, 0)) requests/s"
    case .closedLoop(let outstanding): "closed loop, \(outstanding) outstanding"
    }
}

/// The same, where a name has several addresses, as `localhost` does: the first that takes TCP connections.
func resolveListening(_ text: String) throws -> PeerAddress {
    let found = try AddressResolver.resolve(text)
    guard !found.isEmpty else { throw ValidationError("\(text) has no address") }
    return TCPLoadClient.firstListening(found)
}

/// Largest IP packet on the way to a server; nil when the system does not know.
func pathMTU(to server: String) -> Int? {
    let node = server.prefix { $0 != "/" }
    guard let address = try? resolve(String(node)) else { return nil }
    return lookUpPathMTU(to: address)
}
