// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench
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

    @Option(name: .shortAndLong, help: "Message size in bytes.")
    var size = ByteCount(100)

    @Option(name: .customLong("for"), help: "Time measured.")
    var duration = TimeSpan(.seconds(1))

    @Option(help: "Time before anything is measured.")
    var warmUp = TimeSpan(.milliseconds(200))

    @OptionGroup var node: NodeOptions
    @OptionGroup var thresholds: ThresholdOptions

    @Flag(help: "One JSON object per line.")
    var json = false

    mutating func validate() throws {
        guard carrier != .trains else { throw ValidationError("--protocol udp-trains is for homa bench") }
        let limit = carrier == .udp ? 1400 : HomaLimits.maximumMessageLength
        guard (1...limit).contains(size.bytes) else {
            throw ValidationError("--size \(size): must be 1 … \(limit)")
        }
        _ = try thresholds.parsed()
    }

    func run() async throws {
        try await orCouldNotRun {
            let environment = RunEnvironment.current(mtu: node.mtu ?? pathMTU(to: server))
            warnIfDebug(environment)
            let latency = try await measure()
            guard latency.count > 0 else {
                note("no answer from \(server)")
                throw ExitCode.couldNotRun
            }
            report(latency, environment)
            try thresholds.check(latency)
        }
    }

    private func measure() async throws -> LatencyRecorder {
        if carrier == .udp {
            return try UDPPingPong.run(
                server: try resolve(server), bytes: size.bytes, warmUp: warmUp.duration, duration: duration.duration
            ).latency
        }
        let plan = LoadPlan(
            sizes: .fixed(size.bytes), pace: .closedLoop(outstanding: 1), warmUp: warmUp.duration,
            duration: duration.duration)
        let result: LoadResult =
            if carrier == .homa {
                try await HomaLoadClient(server: server, configuration: node.configuration()).run(plan)
            } else {
                try TCPLoadClient(server: try resolve(server), options: .init(spin: node.spin.duration == nil)).run(
                    plan)
            }
        guard result.failures == 0 else {
            note("\(result.errors) requests failed, \(result.verificationFailures) responses had wrong bytes")
            if let why = result.firstError { note("the first failure: \(why)") }
            throw ExitCode.couldNotRun
        }
        return result.latency
    }

    private func report(_ latency: LatencyRecorder, _ environment: RunEnvironment) {
        let percentiles = [50, 90, 99, 99.9]
        if json {
            for percentile in percentiles {
                let record = ResultRecord(
                    measure: "rtt_p\(fixed(percentile, percentile == 99.9 ? 1 : 0))",
                    value: Double(latency.percentile(percentile)), unit: "ns"
                ).with("protocol", carrier.rawValue).with("size_bytes", size.bytes).with("count", Int(latency.count))
                print(environment.annotate(record).jsonLine)
            }
            return
        }
        print(environment.summary)
        print(
            "\(carrier.rawValue), \(size) bytes each way, \(latency.count) round trips: "
                + percentiles.map { "p\(fixed($0, $0 == 99.9 ? 1 : 0)) \(microseconds(latency.percentile($0))) µs" }
                .joined(separator: ", ")
                + ", max \(microseconds(latency.maximum)) µs")
    }
}
