// SPDX-License-Identifier: Apache-2.0

/// A program of the system with its arguments, never a line for a shell.
struct SystemCommand: Equatable, Sendable, CustomStringConvertible {
    /// The program's name and its arguments.
    var arguments: [String]
    /// What it reads from its standard input, line by line.
    var input: [String] = []

    init(_ arguments: String..., input: [String] = []) {
        self.arguments = arguments
        self.input = input
    }

    init(_ arguments: [String], input: [String] = []) {
        self.arguments = arguments
        self.input = input
    }

    /// `ip` within a namespace, one command a line.
    static func ip(in namespace: String, _ lines: [String]) -> SystemCommand {
        SystemCommand("ip", "-n", namespace, "-batch", "-", input: lines)
    }

    /// `tc` within a namespace, one command a line.
    static func tc(in namespace: String, _ lines: [String]) -> SystemCommand {
        SystemCommand("tc", "-n", namespace, "-batch", "-", input: lines)
    }

    /// A program in a namespace.
    static func inside(_ namespace: String, _ arguments: [String], input: [String] = []) -> SystemCommand {
        SystemCommand(["ip", "netns", "exec", namespace] + arguments, input: input)
    }

    var description: String { arguments.joined(separator: " ") }
}
