// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaLab

/// Another command of `homa` that ends, at the latest, with its standard input: with the process that started it.
struct TiedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tied", abstract: "Run a command of homa until standard input ends; 'homa demo' does.",
        shouldDisplay: false)

    @Argument(parsing: .captureForPassthrough) var command: [String]

    func run() async throws {
        StandardInput.endProcessAtEnd()
        var command = try HomaCommand.parseAsRoot(command)
        if var asynchronous = command as? any AsyncParsableCommand {
            try await asynchronous.run()
        } else {
            try command.run()
        }
    }
}
