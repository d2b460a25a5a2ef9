// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBench
import HomaPosix
import HomaScenarios
import HomaSim
import HomaWorkloads

struct SimPresetsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "presets",
        abstract: "List built-in scenarios, topologies, settings of Homa, and workloads; or show one scenario.",
        discussion: "Example: homa sim presets sigcomm2018-w4")

    @Argument(help: "A built-in scenario to show with all its settings, or a topology.")
    var name: String?

    func run() throws {
        guard let name else { return try printAll() }
        if let scenario = BuiltInScenario.named(name) {
            try say(Scenario(json: scenario.document).json.pretty())
        } else if TopologyConfiguration.named(name) != nil {
            let scenario = try Scenario(json: .object([.init("topology", .string(name))]))
            try say(scenario.json["topology"]?.pretty() ?? "")
        } else {
            let known = BuiltInScenario.all.map(\.name) + TopologyConfiguration.presetNames
            let near = Suggestion.nearest(to: name, in: known).map { "; did you mean \($0)?" } ?? ""
            throw ValidationError("\(name) is neither a built-in scenario nor a topology\(near)")
        }
    }

    private func printAll() throws {
        var scenarios = TextTable([.init("scenario", .left), .init("", .left)])
        for scenario in BuiltInScenario.all { scenarios.add([scenario.name, scenario.about]) }
        var topologies = TextTable([
            .init("topology", .left), .init("hosts"), .init("shape", .left), .init("host links"),
            .init("leaf buffer (bytes)"),
        ])
        for name in TopologyConfiguration.presetNames {
            guard let topology = TopologyConfiguration.named(name) else { continue }
            let shape =
                switch topology.shape {
                case .singleSwitch: "one switch"
                case .leafSpine(let leaves, let hosts, let spines): "\(leaves) leaves of \(hosts), \(spines) spines"
                }
            let buffer = topology.leafSwitch.isLimited ? topology.leafSwitch.bufferBytes : nil
            topologies.add([
                name, String(topology.hostCount), shape, "\(topology.hostRate)", buffer.map(String.init) ?? "unlimited",
            ])
        }
        try say(scenarios.render() + "\n\n" + topologies.render() + "\n")
        try say("transports: \(TransportConfiguration.kinds.joined(separator: ", "))")
        try say("settings of homa (--preset): \(HomaPreset.allCases.map(\.rawValue).joined(separator: ", "))")
        try say("workloads: \(Workload.all.map(\.name).joined(separator: ", ")), or a size in bytes")
    }
}

struct SimChipsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chips",
        abstract: "List switching chips with their bandwidth and packet memory.",
        discussion: """
            A chip's memory in microseconds is what its ports together send in that time: the figure that decides \
            whether a transport's buffer demand fits.

            Example: homa sim run --topology fabric-100g --workload w4 --set topology.leaf.chip=tomahawk3
            """)

    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        var table = TextTable([
            .init("chip", .left), .init("Tb/s"), .init("buffer (MB)"), .init("buffer (µs)"), .init("source", .left),
        ])
        for chip in SwitchChip.all {
            if json {
                try say(
                    JSONValue.object([
                        .init("chip", .string(chip.name)), .init("tbps", .double(chip.terabitsPerSecond)),
                        .init("buffer_bytes", .integer(chip.bufferBytes)),
                        .init("buffer_us", .double(chip.microseconds)),
                        .init("source", .string(chip.source)),
                    ]).description)
            }
            table.add([
                chip.name, fixed(chip.terabitsPerSecond, 2), fixed(chip.megabytes, 1), fixed(chip.microseconds, 1),
                chip.source,
            ])
        }
        if !json { try say(table.render()) }
    }
}
