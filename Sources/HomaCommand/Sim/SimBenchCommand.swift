// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBench
import HomaPosix
import HomaScenarios
import HomaSim

struct SimBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast the simulator is, and where its time goes.",
        discussion: """
            Runs one scenario on one core, by default W4 at 80 % load on fabric-10g, 5000 messages, and both event \
            queues by themselves.

            Examples:
              homa sim bench
              homa sim bench --set topology.leaves=72 --set topology.spines=32
              homa sim bench --json --threshold 'packet_hops_per_cpu_second>5000000'
            """)

    @OptionGroup var options: ScenarioOptions
    @OptionGroup var demands: FigureDemandOptions

    @Flag(help: "One JSON object, in a line.")
    var json = false

    private static let defaults = """
        {"topology": "fabric-10g", "transport": {"kind": "homa", "preset": "sigcomm2018"}, \
        "traffic": {"workload": "w4", "load": 0.8}, "length": {"messages": 5000}}
        """

    func run() throws {
        try orCannotRun {
            let environment = RunEnvironment.current()
            warnIfDebug(environment)
            let record = JSONValue.object(
                try figures() + queueFigures() + [
                    .init("build", .string(environment.build)),
                    .init("machine", .string(environment.simulationSummary)),
                ])
            if json {
                try say(record.description)
            } else {
                for member in record.members ?? [] { try say("\(member.key): \(member.value.description)") }
            }
            guard try demands.check(record) else { throw ExitCode.failed }
        }
    }

    private func figures() throws -> [JSONValue.Member] {
        let scenario = try Scenario(json: options.document(Self.defaults))
        var simulation = try Simulation(scenario)
        let flag = simulation.isInProtocolCore
        let meter = CostMeter()
        if let flag { CoreSampler.start(flag) }
        while !simulation.run(until: 1_000_000) {}
        let share = flag == nil ? nil : CoreSampler.stop()
        let cost = meter.cost
        let progress = simulation.progress
        let hops = Double(progress.packetHops)
        return [
            .init("hosts", .integer(scenario.topology.hostCount)),
            .init("packet_hops", .integer(Int(progress.packetHops))),
            .init("packet_hops_per_cpu_second", .double((hops / cost.cpuSeconds).rounded())),
            .init("ns_per_packet_hop", .double(cost.cpuSeconds * 1e9 / hops)),
            .init("events_per_packet_hop", .double(Double(progress.events) / hops)),
            .init("protocol_core_share", share.map(JSONValue.double) ?? .null),
            .init("cpu_seconds", .double(cost.cpuSeconds)), .init("wall_seconds", .double(cost.wallSeconds)),
        ]
    }

    /// Nanoseconds per event taken and put back, with as many pending as a fabric of 144 hosts has, and one of 1152.
    private func queueFigures() -> [JSONValue.Member] {
        EventQueueBenchmark.Candidate.allCases.flatMap { candidate in
            [600, 5000].map { pending in
                let meter = CostMeter()
                let outcome = EventQueueBenchmark.run(candidate, pending: pending, operations: 5_000_000, seed: 1)
                let nanoseconds = meter.cost.cpuSeconds * 1e9 / Double(outcome.operations)
                return .init("ns_per_event_\(candidate.rawValue)_\(pending)_pending", .double(nanoseconds))
            }
        }
    }
}
