// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What the documents promise about the code, and about each other.
enum Documents {
    /// One first-level heading, outside code blocks.
    static func heading(_ file: TextFile) -> [Finding] {
        let count = prose(file).filter { $0.hasPrefix("# ") }.count
        guard count != 1 else { return [] }
        return [Finding(file: file.path, line: 1, problem: "\(count) first-level headings instead of one")]
    }

    /// Links to files that do not exist. `exists` takes a path below the package's root.
    static func brokenLinks(_ file: TextFile, exists: (String) -> Bool) -> [Finding] {
        let folder = (file.path as NSString).deletingLastPathComponent
        return prose(file).enumerated().flatMap { index, line in
            line.matches(of: /\]\(([^)#\s]+)[^)]*\)/).compactMap { match in
                let link = String(match.1)
                if link.contains("://") || link.hasPrefix("mailto:") { return nil }
                let path = ((folder as NSString).appendingPathComponent(link) as NSString).standardizingPath
                guard !exists(path) else { return nil }
                return Finding(file: file.path, line: index + 1, problem: "links to \(link), which does not exist")
            }
        }
    }

    /// The rows of the table that tells where what belongs, each with the number of its line.
    static func places(in file: TextFile) -> [(line: Int, row: Substring)] {
        let lines = file.lines
        guard let start = lines.firstIndex(of: "| what | where |") else { return [] }
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.enumerated().map {
            (start + 3 + $0.offset, $0.element)
        }
    }

    /// Rows that name a file or folder of the sources that does not exist, or more than three files.
    ///
    /// Such a name has a slash or a plus sign; a file's may lack what comes before, and its ending.
    static func misplaced(
        _ table: [(line: Int, row: Substring)], files: [String], exists: (String) -> Bool
    ) -> [Finding] {
        table.flatMap { line, row in
            let names = row.matches(of: /`([\w.+\/]+)`/).map { String($0.1) }.filter { $0.contains(/[\/+]/) }
            var findings: [Finding] = []
            var count = 0
            for name in names where !name.hasPrefix("+") && !exists(name) && !exists("Sources/" + name) {
                count += 1
                let isFile = files.contains { $0.hasSuffix("/\(name)") || $0.hasSuffix("/\(name).swift") }
                if !isFile {
                    findings.append(
                        Finding(file: "ARCHITECTURE.md", line: line, problem: "names \(name), which does not exist"))
                }
            }
            if count > 3 {
                findings.append(
                    Finding(file: "ARCHITECTURE.md", line: line, problem: "one concept in \(count) files"))
            }
            return findings
        }
    }

    /// Test names between “ and ” that no test has.
    static func unknownTests(_ file: TextFile, tests: [TextFile]) -> [Finding] {
        file.lines.enumerated().flatMap { index, line in
            line.matches(of: /“([^”]+)”/).compactMap { match in
                let name = String(match.1)
                guard !tests.contains(where: { $0.text.contains("\"\(name)\"") }) else { return nil }
                return Finding(file: file.path, line: index + 1, problem: "names a test “\(name)” that does not exist")
            }
        }
    }

    /// Blocks of Swift, but those of a manifest, each with the number of its first line.
    static func examples(in file: TextFile) -> [(line: Int, lines: [Substring])] {
        var blocks: [(line: Int, lines: [Substring])] = []
        var isInside = false
        for (index, line) in file.lines.enumerated() {
            if line.hasPrefix("```") {
                isInside = line == "```swift"
                if isInside { blocks.append((index + 2, [])) }
            } else if isInside {
                blocks[blocks.count - 1].lines.append(line)
            }
        }
        return blocks.filter { $0.lines.first?.hasPrefix("dependencies:") != true }
    }

    /// Examples that stand in none of the files. There they are indented, and their imports are at the file's head.
    static func unknownExamples(_ file: TextFile, compiled: [TextFile]) -> [Finding] {
        examples(in: file).compactMap { example in
            let isImport: (Substring) -> Bool = { $0.hasPrefix("import ") }
            let body = example.lines.filter { !isImport($0) && !$0.isEmpty }.map { "    \($0)\n" }.joined()
            let imports = example.lines.filter(isImport)
            let isKnown = compiled.contains { text in
                !body.isEmpty && text.text.contains(" {\n" + body + "}\n")
                    && imports.allSatisfy { text.lines.contains($0) }
            }
            guard !isKnown else { return nil }
            return Finding(file: file.path, line: example.line, problem: "an example that no test compiles")
        }
    }

    /// Settings, one stored `public var` each, that the text does not name in backquotes.
    static func missingSettings(of configuration: TextFile, in text: String) -> [Finding] {
        configuration.lines.enumerated().compactMap { index, line in
            guard let match = line.firstMatch(of: /^    public var (\w+)/), !line.contains("{") else { return nil }
            guard !text.contains("`\(match.1)`") else { return nil }
            return Finding(file: configuration.path, line: index + 1, problem: "\(match.1) is not in docs/tuning.md")
        }
    }

    /// Settings whose default, a number in the code, is another one in their row of the table: name, unit, default.
    static func wrongDefaults(of configuration: TextFile, in text: String) -> [Finding] {
        configuration.lines.enumerated().compactMap { index, line in
            guard let match = line.firstMatch(of: /^    public var (\w+)(?:: \w+)? = ([0-9_.]+)$/) else { return nil }
            guard let row = text.split(separator: "\n").first(where: { $0.hasPrefix("| `\(match.1)` |") }) else {
                return nil
            }
            let cells = row.split(separator: "|")
            let documented = cells.count > 2 ? cells[2].filter { $0 != " " } : ""
            guard documented != match.2.filter({ $0 != "_" }) else { return nil }
            return Finding(file: configuration.path, line: index + 1, problem: "docs/tuning.md has \(documented)")
        }
    }

    /// The cases of an enum that the text does not name in backquotes.
    static func missingCases(of file: TextFile, in text: String, document: String) -> [Finding] {
        file.lines.enumerated().compactMap { index, line in
            guard let match = line.firstMatch(of: /^    case (\w+)$/) else { return nil }
            guard !text.contains("`\(match.1)`") else { return nil }
            return Finding(file: file.path, line: index + 1, problem: "\(match.1) is not in \(document)")
        }
    }

    /// The lines; those of code blocks are empty.
    private static func prose(_ file: TextFile) -> [Substring] {
        var isInCode = false
        return file.lines.map { line in
            let isFence = line.hasPrefix("```")
            if isFence { isInCode.toggle() }
            return isInCode || isFence ? "" : line
        }
    }
}
