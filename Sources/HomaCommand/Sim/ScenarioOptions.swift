// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaBench
import HomaScenarios

/// Options that change a scenario before it is read; the same for `run` and `sweep`.
struct ScenarioOptions: ParsableArguments {
    @Option(help: "Topology by name, in place of the scenario's (see homa sim presets).")
    var topology: String?

    @Option(help: "Transport by name, in place of the scenario's: homa, aeolus, tcp, dctcp, dcpim or srpt-oracle.")
    var transport: String?

    @Option(help: "Settings that Homa starts from: sigcomm2018, linux2026, small-buffers or default.")
    var preset: String?

    @Option(help: "w1 … w5, imc10, websearch, datamining, or a message size in bytes such as 500 or 64K.")
    var workload: String?

    @Option(
        help: "Fraction of the host links' bandwidth, with all headers and grants; above 1 with allow_overload only.",
        within: .number(0.0001...100))
    var load: Double?

    @Option(help: "Decides sizes, arrival times, destinations and paths.", within: .seed)
    var seed: UInt64?

    @Option(help: "Messages measured.", within: .count(1...1 << 40))
    var messages: Int?

    @Option(
        help: "Simulated time measured, such as 20ms, in place of a number of messages.",
        within: .time(.nanoseconds(1) ... .seconds(86_400)))
    var duration: TimeSpan?

    @Option(help: "Set any key of the scenario, such as topology.leaf.buffer_bytes=1000000. May be repeated.")
    var set: [String] = []

    func validate() throws { _ = try overrides() }

    func overrides() throws -> [Override] {
        var all: [Override] = []
        func add(_ path: String, _ value: JSONValue?) {
            if let value { all.append(Override(path: path, value: value)) }
        }
        add("topology", topology.map { .string($0) })
        add("transport", transport.map { .string($0) })
        add("transport.preset", preset.map { .string($0) })
        add("traffic.workload", workload.map { .string($0) })
        add("traffic.load", load.map { .double($0) })
        add("seed", seed.map { .integer($0) })
        add("length.messages", messages.map { .integer($0) })
        add("length.duration_ms", duration.map { .double($0.duration / .milliseconds(1)) })
        return try all + set.map { text in try usage { try Override(parsing: text) } }
    }

    /// The scenario's JSON with the options applied.
    func document(_ source: String?) throws -> JSONValue {
        var document = try source.map(Self.load) ?? .object([])
        Override.apply(try overrides(), to: &document)
        return document
    }

    /// A file, `-` for standard input, a text in braces, or the name of a built-in scenario.
    static func load(_ source: String) throws -> JSONValue {
        if source.hasPrefix("{") { return try parse(Data(source.utf8), of: "the scenario on the command line") }
        if source == "-" {
            return try parse(FileHandle.standardInput.readToEnd() ?? Data(), of: "standard input")
        }
        if let builtIn = BuiltInScenario.named(source) { return try builtIn.document }
        if let data = FileManager.default.contents(atPath: source) { return try parse(data, of: source) }
        let names = BuiltInScenario.all.map(\.name)
        let near = Suggestion.nearest(to: source, in: names).map { "; did you mean \($0)?" } ?? ""
        throw ValidationError(
            "\(source) is neither a file that can be read nor a built-in scenario\(near) "
                + "Built in are \(names.joined(separator: ", "))")
    }

    private static func parse(_ data: Data, of name: String) throws -> JSONValue {
        do {
            return try JSONValue(parsing: Array(data))
        } catch {
            throw ScenarioSourceError(description: "\(name) is no JSON: \(error)")
        }
    }
}

/// A scenario that could not be read.
struct ScenarioSourceError: Error, CustomStringConvertible {
    var description: String
}

/// Options of what is printed meanwhile.
struct ProgressOptions: ParsableArguments {
    @Flag(inversion: .prefixedNo, help: "Report progress on standard error; by default if that is a terminal.")
    var progress: Bool?
}

/// How `homa` was called, so that it can be called so again.
var commandLine: String {
    (["homa"] + CommandLine.arguments.dropFirst()).map(shellQuoted).joined(separator: " ")
}

/// The word as a POSIX shell reads it back.
func shellQuoted(_ word: String) -> String {
    let plain = word.utf8.allSatisfy { byte in
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            || "-_./=:,+@%".utf8.contains(byte)
    }
    if plain, !word.isEmpty { return word }
    return "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
}
