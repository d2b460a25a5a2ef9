// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HomaBase
import HomaBench
import HomaCheck
import HomaEngineCheck
import HomaPosix

struct CheckSwarmCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swarm",
        abstract: "Run hosts on a faulty network that exists in memory only, and hold them to the rules.",
        discussion: """
            Each seed draws 2 to 6 hosts with their settings, what they send each other, and what goes wrong: packets \
            lost, doubled, late or cut; hosts that stand still, restart or change their address; ways that are cut, \
            slow or narrow; slow applications; strangers. Then the network heals, and everything has to end.

            A seed that breaks a rule is cut down (fewer faults, incidents, calls and hosts, less time) and told with \
            the command that repeats it. Rules:
            \(Rule.allCases.map { "  \($0.rawValue): \($0.statement)" }.joined(separator: "\n"))

            With --engine whole engines run instead of protocol states: with their drivers, shards, inboxes, sleep and \
            shutdown, over sockets in memory that lose, double, delay, join and refuse packets. Hosts stand still as \
            suspended processes or sleeping machines, crash, restart, end, and move; ways are cut in one or both \
            directions, and become narrow. A broken seed is told with the last events of the RPC concerned. Its faults \
            are \(FaultSet.ofEngines.text). Its rules:
            \(EngineRule.allCases.map { "  \($0.rawValue): \($0.statement)" }.joined(separator: "\n"))

            Examples:
              homa check swarm --seeds 1..10000 --json
              homa check swarm --engine --seeds 1..2000
              homa check swarm --seeds 7 --calls 20 --faults loss,restart --trace
            """)

    @Option(help: "Seeds, one or A..B.", within: .seeds)
    var seeds = SeedRange(1...100)

    @Flag(help: "Run whole engines.")
    var engine = false

    @Option(help: "Seeds at once; all cores unless given.", within: .count(1...1024))
    var jobs: Int?

    @Option(name: .customLong("for"), help: "Begin no seed after this time.", within: .length)
    var duration: TimeSpan?

    @Option(help: "Cut runs down to so many hosts.", within: .count(2...6))
    var hosts: Int?

    @Option(help: "Cut runs down to the first so many calls and messages.", within: .count(1...100_000))
    var calls: Int?

    @Option(
        help: "Cut runs down to these kinds of faults: none, or of \(FaultSet.all.text).", within: .faults)
    var faults: FaultSet?

    @Option(help: "Cut runs down to the first so many incidents.", within: .count(0...100))
    var incidents: Int?

    @Option(help: "Cut the time before the network heals.", within: .length)
    var length: TimeSpan?

    @Option(
        help: "DATA packets for each that was needed, at most, in runs without loss. The goal is 1.1.",
        within: .number(1...1_000_000))
    var packetFactor = SwarmSettings.defaultPacketFactor

    @Option(
        help: "Bytes to a stranger for each of its own, at most.", within: .number(0...1_000_000))
    var replyFactor = SwarmSettings.defaultReplyFactor

    @Flag(help: "Show the last events of each run that broke a rule, uncut; of a single seed in any case.")
    var trace = false

    @Flag(help: "One JSON object for each broken seed, and one for all, a line each.")
    var json = false

    func run() async throws {
        try await orCouldNotRun {
            if engine { return try await runEngines() }
            CrashNote.install(trapHeading + "swarm --seeds ", .crashedThread(status: 1))
            let (limits, settings) = (limits, settings)
            var tally = SwarmTally()
            var progress = CheckProgress()
            let begun = ContinuousClock.now
            try await Swarm.sweep(
                seeds.range, jobs: jobs ?? ProcessInfo.processInfo.activeProcessorCount, limits: limits,
                settings: settings, until: duration.map { begun + $0.duration }
            ) { outcome in
                tally.add(outcome)
                try tell(outcome, limits, settings, broken: tally.broken)
                progress.show {
                    let rate = Double(tally.seeds) / ((ContinuousClock.now - begun) / .seconds(1))
                    return "\(tally.seeds) of \(seeds.range.count) seeds, \(tally.broken) broken, "
                        + "\(fixed(rate, 1)) seeds/s"
                }
                return true
            }
            try say(json ? tally.json : tally.text)
            if tally.broken > 0 { throw ExitCode.failed }
        }
    }

    private func runEngines() async throws {
        CrashNote.install(trapHeading + "swarm --engine --seeds ", .crashedThread(status: 1))
        let limits = limits
        var tally = EngineTally()
        var progress = CheckProgress()
        let begun = ContinuousClock.now
        try await EngineSwarm.sweep(
            seeds.range, jobs: jobs ?? ProcessInfo.processInfo.activeProcessorCount, limits: limits,
            until: duration.map { begun + $0.duration }
        ) { outcome in
            tally.add(outcome)
            try tell(outcome, limits, broken: tally.broken)
            progress.show { "\(tally.seeds) of \(seeds.range.count) seeds, \(tally.broken) broken" }
            return true
        }
        try say(json ? tally.json : tally.text)
        if tally.broken > 0 { throw ExitCode.failed }
    }

    /// Cutting down takes as long as some dozen runs: the first broken seeds get it, the rest are told as they are.
    private static var mostCutDown: Int { 20 }

    private func tell(
        _ outcome: SwarmOutcome, _ limits: SwarmLimits, _ settings: SwarmSettings, broken: Int
    ) throws {
        var outcome = outcome
        if trace, outcome.violation != nil || seeds.range.count == 1 {
            outcome = Swarm.run(seed: outcome.seed, limits: limits, settings: settings, keepsTrace: true)
            try show(outcome.trace)
        } else if outcome.violation != nil, broken <= Self.mostCutDown {
            outcome = Swarm.shrink(outcome, settings: settings)
        }
        guard outcome.violation != nil else { return }
        try say(json ? outcome.json : outcome.text)
    }

    private func tell(_ outcome: EngineOutcome, _ limits: SwarmLimits, broken: Int) throws {
        var outcome = outcome
        let isAlone = seeds.range.count == 1
        if trace, outcome.broken != nil || isAlone {
            outcome = EngineSwarm.run(seed: outcome.seed, limits: limits, keepsTrace: true)
            try show(outcome.trace)
        } else if outcome.broken != nil, broken <= Self.mostCutDown {
            outcome = EngineSwarm.shrink(outcome)
        }
        guard outcome.broken != nil || isAlone else { return }
        try say(json ? outcome.json : outcome.text)
    }

    private func show(_ trace: [String]) throws {
        for line in trace { if json { note(line) } else { try say(line) } }
    }

    private var limits: SwarmLimits {
        var limits = SwarmLimits()
        limits.hosts = hosts
        limits.calls = calls
        limits.faults = faults
        limits.incidents = incidents
        // Replays name whole microseconds, which decimal fractions of a second need not hit.
        limits.length = length.map { ($0.duration.wholeNanoseconds + 500) / 1000 * 1000 }
        return limits
    }

    private var settings: SwarmSettings {
        var settings = SwarmSettings()
        settings.packetFactor = packetFactor
        settings.replyFactor = replyFactor
        return settings
    }
}

/// Seeds from the first to the last.
struct SeedRange: CustomStringConvertible, Sendable {
    var range: ClosedRange<UInt64>

    init(_ range: ClosedRange<UInt64>) { self.range = range }

    /// `7` or `1..1000`; nil for anything else, and for more than can be counted.
    init?(argument: String) {
        let ends = argument.split(separator: "..", omittingEmptySubsequences: false).map { UInt64($0) }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
            last - first < 1 << 62
        else { return nil }
        range = first...last
    }

    var description: String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)..\(range.upperBound)"
    }
}

extension Reader where Value == SeedRange {
    /// Seeds.
    static var seeds: Reader {
        Reader("a seed, or A..B with A at most B, 0 … \(UInt64.max)") { SeedRange(argument: $0) }
    }
}

extension Reader where Value == FaultSet {
    /// Kinds of faults, with commas between them.
    static var faults: Reader {
        Reader("none, or some of \(FaultSet.all.text)") { text in
            if text == "none" { return FaultSet.none }
            let kinds = text.split(separator: ",", omittingEmptySubsequences: false).map {
                FaultKind(rawValue: String($0))
            }
            return kinds.contains(nil) ? nil : FaultSet(kinds.compactMap { $0 })
        }
    }
}
