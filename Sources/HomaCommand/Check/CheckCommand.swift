// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaCheck
import HomaPosix

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Try to break the protocol: seeds, faults, rules.",
        discussion: """
            Everything here depends on its arguments alone: a seed that breaks a rule does so again, on any machine.

            Examples:
              homa check swarm --seeds 1..1000
              homa check packets --count 1000000 --seed 1
              homa check endpoint --operations 1000000 --seed 1
            """,
        subcommands: [
            CheckSwarmCommand.self, CheckPacketsCommand.self, CheckEndpointCommand.self, CheckPlantedCommand.self,
        ])
}

struct CheckPacketsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "packets",
        abstract: "Give damaged, cut and made-up packets to the parser.",
        discussion: """
            What is accepted must read the same when it is written again; what is not must have a reason.

            Example: homa check packets --count 100000000 --seed 1
            """)

    @Option(help: "Packets.", within: .count(1...1_000_000_000_000))
    var count = 1_000_000

    @Option(help: "Decides every packet.", within: .seed)
    var seed: UInt64 = 1

    @Flag(help: "One JSON object, in a line.")
    var json = false

    func run() throws {
        try orCannotRun {
            CrashNote.install(trapHeading + "packets --count \(count) --seed \(seed)", .crashedThread(status: 1))
            var check = PacketCheck(seed: seed)
            var progress = CheckProgress()
            while check.packets < count, check.problem == nil {
                check.run(min(1_000_000, count - check.packets))
                progress.show { "\(check.packets) of \(count) packets" }
            }
            try say(json ? check.json : check.text)
            if check.problem != nil { throw ExitCode.failed }
        }
    }
}

struct CheckEndpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint",
        abstract: "Call everything that one endpoint has, in any order, with stale handles and damaged packets.",
        discussion: """
            Every 4096 operations the endpoint is told to let go of everything, and a new one begins.

            Example: homa check endpoint --operations 10000000 --seed 1
            """)

    @Option(help: "Operations.", within: .count(1...1_000_000_000_000))
    var operations = 1_000_000

    @Option(help: "Decides every operation.", within: .seed)
    var seed: UInt64 = 1

    @Flag(help: "One JSON object, in a line.")
    var json = false

    func run() throws {
        try orCannotRun {
            CrashNote.install(trapHeading + "endpoint --operations 4096 --seed ", .crashedThread(status: 1))
            var check = EndpointCheck(seed: seed)
            var progress = CheckProgress()
            while check.operations < operations, check.problem == nil {
                check.run(min(4096 * 16, operations - check.operations))
                progress.show { "\(check.operations) of \(operations) operations" }
            }
            try say(json ? check.json : check.text)
            if check.problem != nil { throw ExitCode.failed }
        }
    }
}

struct CheckPlantedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "planted",
        abstract: "See whether the swarm finds faults that are planted in the core.",
        discussion: """
            Each fault breaks one rule. It counts as found in a seed that breaks the rule with the fault in it, and \
            none without. Only in builds with HOMA_PLANTED_FAULTS, as debug builds are (Scripts/planted-faults.sh \
            makes a fast one).

            Example: homa check planted --fault keepsLease
            """)

    @Option(help: "Faults to plant; all when none is named: \(PlantedCheck.faults.joined(separator: ", ")).")
    var fault: [String] = []

    @Option(help: "Seeds for each fault at most.", within: .count(1...1_000_000))
    var seeds = 2_000

    @Flag(help: "One JSON object for each fault, in a line.")
    var json = false

    func validate() throws {
        for name in fault where !PlantedCheck.faults.contains(name) {
            throw ValidationError("there is no fault \(name); there are \(PlantedCheck.faults.joined(separator: ", "))")
        }
    }

    func run() throws {
        try orCannotRun {
            guard PlantedCheck.isPossible else {
                throw CommandError("this build takes no planted faults; Scripts/planted-faults.sh makes one that does")
            }
            var isGood = true
            for name in fault.isEmpty ? PlantedCheck.faults : fault {
                guard let outcome = PlantedCheck.find(name, most: seeds) else { continue }
                try say(json ? outcome.json : outcome.text)
                if outcome.seed == nil { isGood = false }
            }
            if !isGood { throw ExitCode.failed }
        }
    }
}

/// A line on standard error now and then.
struct CheckProgress {
    private var last = ContinuousClock.now

    mutating func show(_ text: () -> String) {
        guard ContinuousClock.now - last > .seconds(5) else { return }
        last = ContinuousClock.now
        note(text())
    }
}

/// What is told of a trap, which breaks a rule as anything else does.
let trapHeading = "homa: no_trap is broken: the program stopped; replay: homa check "
