// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench
import HomaPosix
import HomaWorkloads

struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping",
        abstract: "Measure round trips, one request after the other.",
        discussion: """
            Against homa serve with the same --protocol. With --spin forever on both sides nobody sleeps, and the \
            round trip is that of the software; udp then is the floor.

            Example: homa ping 127.0.0.1:4000 --size 100 --spin forever
            """)

    @Argument(help: "Server, as HOST:PORT.")
    var server: String

    @Option(name: .customLong("protocol"), help: "homa, tcp, or udp.")
    var carrier: ProtocolChoice = .homa

    @Option(name: .shortAndLong, help: "Message size in bytes.", within: .bytes(1...HomaLimits.maximumMessageLength))
    var size = ByteCount(100)

    @Option(name: .customLong("for"), help: "Time measured.", within: .length)
    var duration = TimeSpan(.seconds(1))

    @Option(help: "Time before anything is measured.", within: .time)
    var warmUp = TimeSpan(.milliseconds(200))

    @OptionGroup var node: NodeOptions
    @OptionGroup var framing: FramingOption
    @OptionGroup var thresholds: ThresholdOptions

    @Flag(help: "One JSON object per line.")
    var json = false

    mutating func validate() throws {
        try framing.check(for: carrier)
        guard framing.framing == .pattern || size.bytes >= framing.framing.headerLength else {
            throw ValidationError(
                "--size \(size): must be at least \(framing.framing.headerLength) with --framing cp-node")
        }
        guard carrier != .trains else { throw ValidationError("--protocol udp-trains is for homa bench") }
        guard carrier != .udp || size.bytes <= Self.longestDatagram else {
            throw ValidationError("--size \(size): must be 1 … \(Self.longestDatagram) with --protocol udp")
        }
    }

    private static let longestDatagram = 1400

    func run() async throws {
        try await orCouldNotRun {
            let environment = RunEnvironment.current(mtu: node.mtu ?? pathMTU(to: server))
            warnIfDebug(environment)
            let result = try await measure()
            if let why = result.firstError { note("\(result.errors) requests failed; the first: \(why)") }
            guard result.latency.count > result.latency.unanswered else {
                throw CommandError("no answer from \(server)")
            }
            try report(result, environment)
            try judge(result, thresholds)
        }
    }

    private func measure() async throws -> LoadResult {
        if carrier == .udp {
            return try UDPPingPong.run(
                server: try resolve(server), bytes: size.bytes, warmUp: warmUp.duration, duration: duration.duration)
        }
        if carrier == .homa {
            return try await HomaLoadClient(server: server, configuration: node.configuration()).run(plan)
        }
        return try TCPLoadClient(server: try resolveListening(server), options: .init(spin: node.spin.duration == nil))
            .run(plan)
    }

    var plan: LoadPlan {
        var plan = LoadPlan(
            sizes: .fixed(size.bytes), pace: .closedLoop(outstanding: 1), warmUp: warmUp.duration,
            duration: duration.duration)
        plan.framing = framing.framing
        return plan
    }

    private func report(_ result: LoadResult, _ environment: RunEnvironment) throws {
        let latency = result.latency
        let percentiles = [("p50", 50.0), ("p90", 90), ("p99", 99), ("p99.9", 99.9)]
        guard json else {
            let times = (percentiles + [("max", 100)]).map { name, percent in
                "\(name) \(microseconds(latency.measured(percent))) µs"
            }
            let failed = latency.unanswered > 0 ? " (\(latency.unanswered) never answered)" : ""
            return try say(
                "\(environment.summary)\n\(carrier.rawValue), \(size) bytes each way, "
                    + "\(latency.count) round trips\(failed): " + times.joined(separator: ", "))
        }
        for (name, percent) in percentiles {
            guard let measured = latency.measured(percent) else { continue }
            let record = ResultRecord(measure: "rtt_\(name)", measured, unit: "ns")
                .with("protocol", carrier.rawValue).with("size_bytes", size.bytes).with("count", Int(latency.count))
                .with("failed", Int(latency.unanswered))
            try say(environment.annotate(record).jsonLine)
        }
    }
}
