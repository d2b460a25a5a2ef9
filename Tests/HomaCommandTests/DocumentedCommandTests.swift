// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Testing

@testable import HomaCommand

@Suite("Command lines in the documents")
struct DocumentedCommandTests {
    private static let documents = ["README.md", "docs/lab.md", "docs/scenarios.md", "docs/findings.md"]

    private static func text(_ path: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The arguments of every line of a shell block that calls `homa`, without remarks.
    private static func commands(in text: String) -> [[String]] {
        var isInside = false
        return text.split(separator: "\n").compactMap { line in
            if line.hasPrefix("```") { isInside = line == "```sh" }
            let call = line.trimmingPrefix("swift run -c release ")
            guard isInside, call.hasPrefix("homa ") else { return nil }
            let words = call.split(separator: " ", omittingEmptySubsequences: true).dropFirst()
            return words.prefix { !$0.hasPrefix("#") }.map { String($0.filter { $0 != "'" }) }
        }
    }

    @Test("every homa command shown is one that the program takes", arguments: documents)
    func parse(document: String) throws {
        let commands = Self.commands(in: try Self.text(document))
        #expect(commands.count >= 2)
        for words in commands {
            #expect(throws: Never.self, "\(document): homa \(words.joined(separator: " "))") {
                try HomaCommand.parseAsRoot(words)
            }
        }
    }

    @Test("files that they name are there, and commands that are none are noticed")
    func files() throws {
        let words = Self.commands(in: try Self.text("README.md")).flatMap(\.self)
        let files = words.filter { $0.hasPrefix("Scenarios/") }
        #expect(!files.isEmpty)
        for file in files { _ = try Self.text(file) }
        #expect(
            Self.commands(in: "```sh\nhoma sim run --nothing 1 # x\n```\nhoma x") == [["sim", "run", "--nothing", "1"]])
        #expect(throws: (any Error).self) { try HomaCommand.parseAsRoot(["sim", "run", "--nothing", "1"]) }
    }

    @Test("README.md's table has every subcommand that is not hidden, and no other")
    func table() throws {
        let readme = try Self.text("README.md")
        let shown = readme.matches(of: /\| `homa ([a-z]+)` \|/).map { String($0.1) }
        let known = HomaCommand.configuration.subcommands.filter { $0.configuration.shouldDisplay }.map {
            $0._commandName
        }
        #expect(Set(shown) == Set(known))
    }
}
