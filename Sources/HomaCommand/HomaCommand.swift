// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import Glibc
import HomaBench
import HomaPosix

/// The `homa` command.
public struct HomaCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "homa",
        abstract: "Send, serve, measure and simulate Homa RPCs.",
        discussion: """
            Start with `homa demo`: it runs Homa and TCP side by side on this machine.

            Exit status, of every command:
              0   good
              1   a threshold was missed, or requests failed or were not finished
              2   could not run, or the result could not be written
              64  wrong usage
            """,
        version: "homa \(RunEnvironment.programVersion)",
        subcommands: [
            DemoCommand.self, ServeCommand.self, PingCommand.self, BenchCommand.self, WorkloadCommand.self,
            LabCommand.self, SimCommand.self, ExperimentCommand.self, CheckCommand.self, SprayCommand.self,
            DecodeCommand.self,
            SuitePartCommand.self, TiedCommand.self,
        ])

    public init() {}

    /// The whole program: reads the command line, carries it out, and ends with the exit status.
    public static func runProgram() async -> Never {
        StandardOutput.prepare()
        do {
            try await carryOut()
        } catch {
            Glibc.exit(end(of: error).rawValue)
        }
        Glibc.exit(EXIT_SUCCESS)
    }

    private static func carryOut() async throws {
        var command = try parseAsRoot()
        if var asynchronous = command as? any AsyncParsableCommand {
            try await asynchronous.run()
        } else {
            try command.run()
        }
    }

    /// Help and the version are results too; everything else is told on standard error.
    private static func end(of error: any Error) -> ExitCode {
        let code = exitCode(for: error)
        // What the parser knows nothing of is an error of the work, whichever command let it pass.
        if code == .failure { return toldExitCode(of: error) }
        let text = fullMessage(for: error)
        guard code == .success else {
            if !text.isEmpty { writeAll(text + "\n", to: STDERR_FILENO) }
            return code
        }
        do {
            try say(text)
            return code
        } catch {
            return toldExitCode(of: error)
        }
    }
}
