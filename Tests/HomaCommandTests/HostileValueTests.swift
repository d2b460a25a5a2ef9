// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaBench
import HomaScenarios
import HomaSim
import Testing

@testable import HomaCommand
@testable import HomaLab

/// An option, or an argument, of one command, as the parser itself tells of it.
private struct Parameter: Decodable {
    struct Name: Decodable { var name: String }
    var kind: String
    var names: [Name]?
    var valueName: String?
    var abstract: String?

    var text: String { "\(names?.first?.name ?? valueName ?? ""): \(abstract ?? "")" }
}

/// A command that does something, by the words that call it.
private struct Leaf: Sendable, CustomTestStringConvertible {
    var path: [String]
    var type: any ParsableCommand.Type

    var name: String { path.joined(separator: " ") }
    var testDescription: String { name }

    /// Every one, hidden ones too.
    static func all(below type: any ParsableCommand.Type = HomaCommand.self, _ path: [String] = []) -> [Leaf] {
        let below = type.configuration.subcommands
        guard below.isEmpty else { return below.flatMap { all(below: $0, path + [$0._commandName]) } }
        return [Leaf(path: path, type: type)]
    }

    /// Its options and arguments, without those that an earlier command has in the same words: they are one group's,
    /// and the parser takes milliseconds for each try.
    func ownParameters() throws -> [Parameter] {
        var earlier: Set<String> = []
        for leaf in Leaf.all() {
            guard leaf.name != name else { break }
            for parameter in try leaf.parameters() { earlier.insert(parameter.text) }
        }
        return try parameters().filter { !earlier.contains($0.text) }
    }

    func parameters() throws -> [Parameter] {
        struct Dump: Decodable {
            struct Command: Decodable { var arguments: [Parameter]? }
            var command: Command
        }
        let dump = try JSONDecoder().decode(Dump.self, from: Data(type._dumpHelp().utf8))
        return (dump.command.arguments ?? []).filter { $0.kind != "flag" }
    }
}

@Suite("Whatever a command line says")
struct HostileValueTests {
    /// The plans of this test that have been rehearsed.
    private final class Plans {
        private var plans: [LoadPlan] = []

        /// False when it is there already.
        func insert(_ plan: LoadPlan) -> Bool {
            guard !plans.contains(plan) else { return false }
            plans.append(plan)
            return true
        }
    }

    private let rehearsed = Plans()

    /// Words that make each command complete; a command without an entry needs none.
    private static let needed: [String: [String]] = [
        "bench": ["127.0.0.1:4000"], "ping": ["127.0.0.1:4000"], "serve": ["4000"], "spray": ["127.0.0.1:4000"],
        "workload show": ["w3"], "sim sweep": ["--vary", "seed=1,2", "--out", "x"], "sim merge": ["x"],
        "experiment run": ["--all"], "suite-part": ["core"], "tied": ["demo"],
        "decode": ["x.pcap"],
    ]

    /// Parameters that take words, not numbers. Of all others every hostile value is refused, or is in range.
    private static let words: Set<String> = [
        "server", "protocol", "bind", "workload", "driver", "carriage", "framing", "file", "preset", "receive-mode",
        "threshold", "write",
        "only", "name", "offloads", "settings", "set", "scenarios", "scenario", "topology", "transport", "vary", "out",
        "share", "files", "names", "store", "part", "library", "network", "command",
        "seeds", "fault", "faults", "dscp",
    ]

    /// What each kind of number is tried with, by what its reader says that it wants. (Every parse takes milliseconds
    /// in a debug build; `ReaderTests` try the readers with many more.)
    private static let hostile: [(wanted: String, values: [String])] = [
        (
            "a whole number",
            ["-1", "0", "9223372036854775808", "18446744073709551616"]
        ),
        ("a number", ["-1", "0", "1e-300", "1e300"]),
        ("a time", ["-1s", "0", "1e300s", "0.1ns"]),
        ("a count of bytes", ["-1", "0", "1e-300", "9223372036854775807Gi"]),
        ("a rate", ["-1", "0bit", "1e-300bit", "1e300Gbit"]),
        ("0%, or", ["-1%", "1", "1e300%", "inf%", "nan%"]),
    ]

    /// What words are tried with, those that have numbers in them with more.
    private static func hostileWords(_ name: String) -> [String] {
        let numbers = ["", "nan", "0", "-1", "1e300", "1e-300", "9223372036854775808"]
        switch name {
        case "threshold": return numbers.dropFirst(3).flatMap { ["p99<\($0)s", "errors<\($0)", "slowdown_mean<\($0)"] }
        case "share": return numbers + ["1/0", "0/0", "9223372036854775807/1", "-9223372036854775808/1", "1/1e300"]
        case "vary":
            return numbers.map { "load=\($0)" } + [
                "seed=0..9223372036854775807", "seed=1e-9223372036854775808..2", "load=0..1/1e-300",
                "load=1..1e40*1e40", "seed=-9223372036854775808..9223372036854775807*2",
            ]
        case "set":
            let keys = ["load", "seed", "length.messages", "length.duration_ms", "topology.host_gbps"]
            let settings = ["unscheduledBytes", "timeout", "fifoGrantFraction", "cutoffs"]
            return (keys + settings).flatMap { key in numbers.dropFirst(4).map { "\(key)=\($0)" } }
        case "seeds":
            return numbers + [
                "2..1", "..", "1..", "-1..2", "0..18446744073709551616", "18446744073709551615", "1..1e3",
            ]
        case "dscp": return numbers + ["0,8,16", "0,0,0,0,0,0,0,64", "0,0,0,0,0,0,0,-1", ",,,,,,,"]
        case "workload", "name": return numbers + ["9223372036854775807", "0K", "9223372036854775807K"]
        // Names of files, addresses and choices: whatever they are, nothing is reckoned from them.
        default: return ["", "nan"]
        }
    }

    @Test("every command is found, hidden ones too, and is complete with the words noted here")
    func complete() throws {
        let leaves = Leaf.all()
        let names = leaves.map(\.name)
        #expect(
            Set(names).isSuperset(of: ["bench", "demo", "lab run", "lab up", "lab host", "sim sweep", "suite-part"]))
        for leaf in leaves {
            #expect(throws: Never.self, "\(leaf.name)") { try leaf.type.parse(Self.needed[leaf.name] ?? []) }
        }
        #expect(Set(Self.needed.keys).isSubset(of: names))
    }

    @Test(
        "no value stops the program: it is in range, or refused with the option, the value and the limits",
        arguments: Leaf.all())
    private func values(leaf: Leaf) throws {
        for parameter in try leaf.ownParameters() { try check(parameter, of: leaf) }
    }

    private func check(_ parameter: Parameter, of leaf: Leaf) throws {
        let option = parameter.names?.map(\.name).max { $0.count < $1.count }
        let name = try #require(option ?? parameter.valueName)
        guard !Self.words.contains(name) else {
            for value in Self.hostileWords(name) { _ = try outcome(leaf, option, value) }
            return
        }
        let refusal = try #require(try outcome(leaf, option, "nan"), "\(leaf.name) \(name) takes what is no number")
        let wanted = try #require(refusal.firstRange(of: "must be ").map { refusal[$0.upperBound...] }, "\(refusal)")
        let values = Self.hostile.first { wanted.hasPrefix($0.wanted) }?.values ?? []
        #expect(!values.isEmpty, "nothing to try \(leaf.name) \(name) with: \(refusal)")
        for value in [""] + values {
            guard let message = try outcome(leaf, option, value) else { continue }
            // As an argument, a negative number is taken for an option that there is not.
            guard option != nil || !value.hasPrefix("-") else { continue }
            let isClear = message.contains(name) && message.contains("must be") && message.contains("'\(value)'")
            #expect(isClear, "\(leaf.name) \(name) \(value): \(message)")
        }
        // At the limits the arithmetic behind them is strained most.
        let limits = wanted.matches(of: /[0-9.]+[a-zA-Z%]*/).suffix(2).map { String($0.output) }
        #expect(limits.count == 2, "\(leaf.name) \(name) tells no limits: \(refusal)")
        for limit in limits {
            // It may contradict another option, but not the range.
            let refusal = try outcome(leaf, option, limit)
            #expect(refusal?.contains("is invalid for") != true, "\(leaf.name) \(name) \(limit): \(refusal ?? "")")
        }
    }

    /// Nil when the value was taken and everything that is reckoned from it before anything runs was reckoned; else
    /// what the user is told.
    private func outcome(_ leaf: Leaf, _ option: String?, _ value: String) throws -> String? {
        let needed = Self.needed[leaf.name] ?? []
        // A word in an argument's place takes the place of what is needed there.
        let words = option.map { needed + ["--\($0)", value] } ?? [value]
        do {
            try rehearse(try leaf.type.parse(words))
            return nil
        } catch {
            let message = leaf.type.message(for: error)
            // To ask for the status takes longer than the parse, and that of a refused value is always the same one.
            if value == "nan" || value.isEmpty || !message.contains("is invalid for") {
                #expect(HomaCommand.exitCode(for: error).rawValue == 64, "\(leaf.name) \(words): \(error)")
            }
            return message
        }
    }

    /// Does what follows from a command line, up to where packets would be sent or processes be started.
    private func rehearse(_ command: any ParsableCommand) throws {
        switch command {
        case let bench as BenchCommand: try rehearse(try bench.plan())
        case let ping as PingCommand: try rehearse(ping.plan)
        case let lab as LabRunCommand:
            for rate in [1_000_000, 10_000_000_000] as [UInt64] {
                let description = LabDescription(hosts: 32, bitsPerSecond: rate)
                guard var job = try? lab.load.job(.homa, description, node: lab.node, seed: lab.load.seed) else {
                    continue
                }
                job.targets = ["10.146.0.2:4000"]
                try rehearse(try job.plan())
            }
        case let lab as LabUpCommand:
            let plan = LabPlan(lab.labDescription)
            #expect(plan.makeSwitch().count + plan.makeHost(1).count > 0)
        case let run as SimRunCommand: try rehearse(run.options, nil)
        case let bench as SimBenchCommand: try rehearse(bench.options, nil)
        case let sweep as SimSweepCommand: try rehearse(sweep.options, try sweep.axes())
        default: break
        }
    }

    private func rehearse(_ plan: LoadPlan) throws {
        // Most options leave the plan as it is, and all that is reckoned from it.
        guard rehearsed.insert(plan) else { return }
        var recorder = LoadRecorder(plan: plan, protocolName: "test")
        for shards in [1, 64] {
            var sequence = plan.part(shards - 1, of: shards).makeSequence()
            for _ in 0..<3 {
                let request = sequence.next()
                let message = plan.message(for: request)
                recorder.issued(intended: request.intended, now: request.intended)
                recorder.completed(request: message, intended: request.intended, now: request.intended, intact: true)
                recorder.abandoned(bytes: request.bytes, intended: request.intended, now: plan.window.end)
            }
        }
        recorder.unfinished(bytes: 1, intended: plan.window.start, now: 0)
        let result = recorder.finish()
        #expect(!LoadReport(result).render().isEmpty && !result.records().isEmpty)
    }

    private func rehearse(_ options: ScenarioOptions, _ axes: [SweepAxis]?) throws {
        let small = #"{"topology": {"hosts": 2}, "traffic": {"workload": "w1"}, "length": {"messages": 1}}"#
        var document = try options.document(small)
        if let axes { Override.apply(axes.map { Override(path: $0.path, value: $0.values[0]) }, to: &document) }
        // What a scenario itself refuses is told when it is run.
        guard let scenario = try? Scenario(json: document), var simulation = try? Simulation(scenario) else { return }
        _ = simulation.run(until: 200)
        #expect(simulation.progress.events <= 200)
    }
}
