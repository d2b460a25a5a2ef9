// SPDX-License-Identifier: Apache-2.0

import Testing

/// Each rule notices a file that breaks it. A rule that cannot fail protects nothing.
@Suite("Every rule can fail")
struct CanaryTests {
    private func file(_ text: String, path: String = "Sources/HomaCore/Canary.swift") -> TextFile {
        TextFile(path: path, text: text)
    }

    @Test(
        "imports that break the law are found",
        arguments: [
            ("HomaBase", "import Glibc"), ("HomaCore", "import Foundation"), ("HomaCore", "public import HomaIO"),
            ("HomaBuffers", "@preconcurrency internal import Dispatch"), ("HomaIO", "import struct Foundation.Date"),
            ("HomaSim", "import Homa"), ("Homa", "import HomaSim"), ("Unheard", "import HomaBase"),
        ])
    func imports(target: String, line: String) {
        let canary = file("// one\n\(line)\n", path: "Sources/\(target)/Canary.swift")
        #expect(ImportLaws.findings(in: canary).count == 1)
    }

    @Test("permitted imports, and words that only look like imports, pass")
    func permittedImports() {
        let text = "public import HomaBase\n// import Foundation\nlet text = \"import Foundation\"\nlet import2 = 1\n"
        #expect(ImportLaws.findings(in: file(text)).isEmpty)
    }

    @Test("a concept in four files, or in one that is gone, is found")
    func places() {
        let document = file(
            "| what | where |\n|--|--|\n| a | `A/One`, `Two+Three` |\n| b | `A/Gone.swift`, `One` |\n", path: "A.md")
        let table = Documents.places(in: document)
        #expect(table.map(\.line) == [3, 4])
        let files = ["Sources/A/One.swift", "Sources/B/Two+Three.swift"]
        #expect(Documents.misplaced(table, files: files) { _ in false }.map(\.line) == [4])
        let many = [(line: 1, row: Substring("| c | `A/One`, `B/Two+Three`, `Two+Three`, `A/One.swift` |"))]
        #expect(Documents.misplaced(many, files: files) { _ in false }.count == 1)
    }

    @Test("a circle of files is found, and one of folders that no file is in")
    func circles() {
        let one = file("struct One { var two: Two? }\n", path: "Sources/HomaCore/A/One.swift")
        let two = file("struct Two {}\n// One\n", path: "Sources/HomaCore/B/Two.swift")
        #expect(CircleLaw.findings(in: [one, two]).isEmpty)
        let back = file("struct Two { func one(_: One) {} }\n", path: "Sources/HomaCore/B/Two.swift")
        #expect(CircleLaw.findings(in: [one, back]).count == 2)
        let three = file("extension Three { static let one = One() }\n", path: "Sources/HomaCore/B/Four.swift")
        let four = file("enum Three {}\n", path: "Sources/HomaCore/B/Three.swift")
        #expect(CircleLaw.findings(in: [one, two, three, four]).count == 1)
    }

    @Test("methods that call each other in a circle are found; overloads, and methods of others, are none")
    func callCircles() {
        let straight = """
            extension Endpoint {
                func one(_ a: Int, at b: Int) { two(of: a) }
                func two(of a: Int) { one(a); other.one(a, at: 1) }
                func one(_ a: Int, to b: (Int, Int), by c: Int = 1) -> Int { 0 }
            }
            """
        let circle = straight.replacing("one(a);", with: "one(\n a,\n at: max(1, a));")
        let path = "Sources/HomaCore/Endpoint/Endpoint+One.swift"
        #expect(CircleLaw.callCircles(of: "Endpoint", in: [file(circle, path: path)]).count == 1)
        let apart = straight.replacing("one(a);", with: "_ = one(a, to: (1, 2));")
        #expect(CircleLaw.callCircles(of: "Endpoint", in: [file(apart, path: path)]).isEmpty)
        #expect(CircleLaw.callCircles(of: "Granter", in: [file(circle, path: path)]).isEmpty)
    }

    @Test("a manifest that differs from the table is found")
    func manifest() {
        let right = file("house(\"HomaWire\", [\"HomaBase\"]),\nhouse(\"HomaBase\"),", path: "Package.swift")
        #expect(ImportLaws.findings(inManifest: right).isEmpty)
        let wrong = file("house(\n    \"HomaWire\",\n    [\n\"HomaBase\", \"HomaCore\",\n]),", path: "Package.swift")
        #expect(ImportLaws.findings(inManifest: wrong).count == 1)
        #expect(ImportLaws.findings(inManifest: file("house(\"HomaWire\"),", path: "Package.swift")).count == 1)
    }

    @Test(
        "whatever makes a run differ from the last is found",
        arguments: [
            "func wait() async {}", "Task { work() }", "let lock = Mutex(0)", "let now = Date()",
            "let clock = ContinuousClock()", "var random = SystemRandomNumberGenerator()",
            "let x = Int.random(in: 0..<9)", "list.shuffle()", "var seen: Set<Int>", "var map: [UInt32: Peer] = [:]",
        ])
    func determinism(line: String) {
        #expect(Rules.determinism(file(line)).count == 1)
        #expect(Rules.determinism(file(line, path: "Sources/Homa/Canary.swift")).isEmpty)
    }

    @Test(
        "seeded numbers, comments and texts pass",
        arguments: [
            "let x = Int.random(in: 0..<9, using: &random)", "// never async", "let text = \"Date()\"",
            "let piece = pages[page: Index]", "/// An async caller waits elsewhere.",
        ])
    func deterministic(line: String) { #expect(Rules.determinism(file(line)).isEmpty) }

    @Test("a missing licence is found, and a manifest or script may begin with its own first line")
    func licence() {
        let mark = "SPDX-License-Identifier: " + "Apache-2.0"
        #expect(Rules.licence(file("import HomaBase\n// \(mark)\n")).count == 1)
        #expect(Rules.licence(file("")).count == 1)
        #expect(Rules.licence(file("// \(mark)\n")).isEmpty)
        #expect(Rules.licence(file("#!/bin/bash\n# \(mark)\n", path: "Scripts/run.sh")).isEmpty)
    }

    @Test("a long line and a long file are found")
    func size() {
        #expect(Rules.size(file(String(repeating: "x", count: 121))).count == 1)
        #expect(Rules.size(file(String(repeating: "…", count: 120))).isEmpty)
        #expect(Rules.size(file(String(repeating: "x\n", count: 901))).count == 1)
        #expect(Rules.size(file(String(repeating: "x\n", count: 900))).isEmpty)
    }

    @Test("remarks about unfinished work are found")
    func leftovers() {
        #expect(Rules.leftovers(file("// TO" + "DO: later\n")).count == 1)
        #expect(Rules.leftovers(file("// Good enough for" + " now.\n")).count == 1)
        #expect(Rules.leftovers(file("// Idle until its first RPC.\n")).isEmpty)
    }

    @Test(
        "results that bypass the one way out are found",
        arguments: [
            "print(text)", "    if json { Swift.print(1) }", "writeAll(text, to: STDOUT_FILENO)", "puts(text)",
            "FileHandle.standardOutput.write(data)",
        ])
    func output(line: String) {
        #expect(Rules.output(file(line, path: "Sources/HomaCommand/Canary.swift")).count == 1)
        #expect(Rules.output(file(line, path: "Sources/HomaBench/Canary.swift")).count == 1)
        #expect(Rules.output(file(line, path: "Sources/HomaEcho/Canary.swift")).isEmpty)
    }

    @Test(
        "a second handler of signals is found",
        arguments: ["signal(SIGINT, SIG_IGN)", "sigaction(SIGTERM, &action, nil)", "DispatchSource.makeSignalSource("])
    func signals(line: String) {
        #expect(Rules.signals(file(line, path: "Sources/HomaCommand/Canary.swift")).count == 1)
        #expect(Rules.signals(file(line, path: "Sources/HomaPosix/Signals.swift")).isEmpty)
        #expect(Rules.signals(file("condition.signal()", path: "Sources/HomaCommand/Canary.swift")).isEmpty)
    }

    @Test(
        "what only looks like output passes",
        arguments: ["try say(text)", "// print(x)", "report.print(x)", "process.standardOutput = pipe", "sprint(1)"])
    func noOutput(line: String) {
        #expect(Rules.output(file(line, path: "Sources/HomaCommand/Canary.swift")).isEmpty)
    }

    @Test(
        "an option that takes a bare number is found",
        arguments: [
            "@Option var count: Int", "@Option(help: \"within limits\")\n    var count = 5",
            "@Argument var port: UInt16",
            "@Option(help: \"x\")\n    var share: Double?", "@Option var all: [Int] = []",
            "@Option var seed: UInt64 = 1",
        ])
    func bareNumbers(text: String) {
        #expect(Rules.bareNumbers(file(text, path: "Sources/HomaCommand/Canary.swift")).count == 1)
    }

    @Test(
        "options with a range, and those that are no numbers, pass",
        arguments: [
            "@Option(help: \"x\", within: .count(1...5))\n    var count = 5", "@Option var name: String?",
            "@Option(help: \"x\")\n    var name = \"5\"\n    var count = 5",
            "@Flag var json = false\n    let count: Int",
        ])
    func boundNumbers(text: String) {
        #expect(Rules.bareNumbers(file(text, path: "Sources/HomaCommand/Canary.swift")).isEmpty)
    }

    @Test("a tab is found")
    func tabs() { #expect(Rules.tabs(file("{\n\tlet x = 1\n}\n")).count == 1) }

    @Test("a second title and a dead link are found, but not in a code block")
    func documents() {
        let bad = file("# One\n# Two\n[link](missing.md)\n", path: "docs/canary.md")
        #expect(Documents.heading(bad).count == 1)
        #expect(Documents.brokenLinks(bad, exists: { _ in false }).count == 1)
        #expect(Documents.brokenLinks(bad, exists: { $0 == "docs/missing.md" }).isEmpty)
        let good = file("# One\n```\n# two [x](y)\n```\n[web](https://example.org) [here](#one)\n", path: "docs/a.md")
        #expect(Documents.heading(good).isEmpty)
        #expect(Documents.brokenLinks(good, exists: { _ in false }).isEmpty)
    }

    @Test("a test, a setting or a reason that is missing is found")
    func promises() {
        let tests = [file("@Test(\"one holds\")", path: "Tests/T/T.swift")]
        #expect(Documents.unknownTests(file("| a | “one holds” |"), tests: tests).isEmpty)
        #expect(Documents.unknownTests(file("| a | “two holds” |"), tests: tests).count == 1)
        let settings = file("    public var first = 1\n    public var derived: Int { 2 }\n")
        #expect(Documents.missingSettings(of: settings, in: "| `first` |").isEmpty)
        #expect(Documents.missingSettings(of: settings, in: "| `second` |").count == 1)
        let defaults = file("    public var first = 10_000\n    public var share: Double = 0.05\n")
        #expect(
            Documents.wrongDefaults(of: defaults, in: "| `first` | bytes | 10 000 |\n| `share` | – | 0.05 |").isEmpty)
        #expect(
            Documents.wrongDefaults(of: defaults, in: "| `first` | bytes | 20 000 |\n| `share` | – | 1 |").count == 2)
        #expect(Documents.missingCases(of: file("    case late\n"), in: "`early`", document: "d").count == 1)
    }

    @Test("an example that is not compiled, or not with its imports, is found")
    func examples() {
        let readme = file("```swift\nimport Homa\n\nfoo()\n```\n```swift\ndependencies: []\n```\n", path: "README.md")
        func findings(_ text: String) -> Int { Documents.unknownExamples(readme, compiled: [file(text)]).count }
        #expect(findings("import Homa\nfunc one() {\n    foo()\n}\n") == 0)
        #expect(findings("import Homa\nfunc one() {\n    bar()\n    foo()\n}\n") == 1)
        #expect(findings("func one() {\n    foo()\n}\n") == 1)
    }
}
