// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaLab

struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Emulate a network on this machine and measure in it; needs root.",
        discussion: """
            A lab is a switch with links of a given rate and eight strict priorities, and hosts around it, made of \
            network namespaces. docs/lab.md says what it emulates and what it does not.

            Example:
              homa lab up --hosts 3 --rate 200Mbit
              homa lab run --workload w4 --load 0.8 --compare
              homa lab down
            """,
        subcommands: [
            LabUpCommand.self, LabRunCommand.self, LabDownCommand.self, LabListCommand.self, LabHostCommand.self,
            LabInsideCommand.self,
        ])
}

struct LabNameOption: ParsableArguments {
    @Option(help: "Name of the lab.")
    var name = "lab"

    func validate() throws { try usage { try LabDescription.check(name: name) } }
}

/// Not for people: 'homa lab run' starts it in each host.
struct LabHostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host", abstract: "One host's part in 'homa lab run', which starts it.", shouldDisplay: false)

    func run() async throws { try await orCouldNotRun { try await LabHost.run() } }
}

/// Not for people: 'homa demo' starts it in namespaces of its own.
struct LabInsideCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inside", abstract: "A lab that ends with this process; 'homa demo' starts it.",
        shouldDisplay: false)

    func run() async throws { try await LabInside.run() }
}
