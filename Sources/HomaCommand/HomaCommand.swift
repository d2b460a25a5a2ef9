// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser

/// The `homa` command.
public struct HomaCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "homa",
        abstract: "Send, serve, measure and simulate Homa RPCs.",
        discussion: """
            Start with `homa demo`: it runs Homa and TCP side by side on this machine.

            Exit status: 0 good, 1 a threshold was missed, 2 could not run, 64 wrong usage.
            """,
        subcommands: [
            DemoCommand.self, ServeCommand.self, PingCommand.self, BenchCommand.self, WorkloadCommand.self,
            LabCommand.self, SimCommand.self, ExperimentCommand.self, SprayCommand.self, SuitePartCommand.self,
            TiedCommand.self,
        ])

    public init() {}
}
