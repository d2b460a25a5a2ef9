// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The package's own files, found from the place of this one.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Swift and C files below Sources.
    static let sources = files(under: "Sources", extensions: ["swift", "c", "h"])
    /// Swift and C files below Sources and Tests, and the manifest.
    static let code = sources + files(under: "Tests", extensions: ["swift", "c", "h"]) + [read("Package.swift")]
    /// Shell scripts and the like, which have no telling extension.
    static let scripts =
        files(under: "Scripts", extensions: ["sh"])
        + ["Makefile", ".ci/run"].filter(exists).map(read)
    static let documents =
        files(under: "docs", extensions: ["md"])
        + ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].filter(exists).map(read)

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    static func read(_ path: String) -> TextFile {
        let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
        return TextFile(path: path, text: text ?? "")
    }

    static func files(under folder: String, extensions: Set<String>) -> [TextFile] {
        guard let walk = FileManager.default.enumerator(atPath: root.appending(path: folder).path) else { return [] }
        let names = walk.compactMap { $0 as? String }
        return names.filter { extensions.contains(($0 as NSString).pathExtension) }.sorted()
            .map { read("\(folder)/\($0)") }
    }
}

/// A file with its path below the package's root.
struct TextFile: Sendable {
    let path: String
    let text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// `HomaCore` for `Sources/HomaCore/Endpoint/Endpoint.swift`.
    var target: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    /// The lines without comments and without the contents of string literals.
    var codeLines: [String] {
        var isInText = false
        return lines.map { line in
            let delimiters = line.ranges(of: "\"\"\"").count
            defer { if delimiters % 2 == 1 { isInText.toggle() } }
            return isInText || delimiters > 0 ? "" : Self.code(of: line)
        }
    }

    private static func code(of line: Substring) -> String {
        var kept = ""
        var isInString = false
        var previous: Character = " "
        for character in line {
            if character == "\"" && previous != "\\" { isInString.toggle() }
            if character == "/" && previous == "/" && !isInString { return String(kept.dropLast()) }
            if !isInString || character == "\"" { kept.append(character) }
            previous = character
        }
        return kept
    }
}

/// One place where a rule is broken.
struct Finding: CustomStringConvertible, Equatable {
    let file: String
    let line: Int
    let problem: String

    var description: String { "\(file):\(line): \(problem)" }
}

extension [Finding] {
    /// All findings, one a line, as a failing test shows them.
    var report: String { map(\.description).joined(separator: "\n") }
}
