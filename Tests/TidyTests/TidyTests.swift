// SPDX-License-Identifier: Apache-2.0

import Testing

/// The rules of the house, held against every file.
@Suite("The house is in order")
struct TidyTests {
    @Test("there are files to look at")
    func files() {
        #expect(Repository.sources.count > 50)
        #expect(Repository.code.contains { $0.path == "Sources/HomaCore/Endpoint/Endpoint.swift" && !$0.text.isEmpty })
    }

    @Test("every target imports only what its row of the table permits")
    func imports() { expectNothing(Repository.sources.flatMap(ImportLaws.findings(in:))) }

    @Test("the manifest gives every target what its row of the table permits, and no more")
    func manifest() {
        let manifest = Repository.read("Package.swift")
        #expect(manifest.text.contains("house(\"HomaCore\""))
        expectNothing(ImportLaws.findings(inManifest: manifest))
    }

    @Test("nothing below the engine depends on a clock, chance, threads or hashing")
    func determinism() { expectNothing(Repository.sources.flatMap(Rules.determinism)) }

    @Test("every file names its licence first")
    func licence() { expectNothing((Repository.code + Repository.scripts).flatMap(Rules.licence)) }

    @Test("lines have at most 120 characters, files at most 900 lines")
    func size() { expectNothing(Repository.code.flatMap(Rules.size)) }

    @Test("no remark about unfinished work is left in the code")
    func leftovers() { expectNothing((Repository.code + Repository.scripts).flatMap(Rules.leftovers)) }

    @Test("results are written by one function, which notices when they are lost")
    func output() { expectNothing(Repository.sources.flatMap(Rules.output)) }

    @Test("signals are handled in one place")
    func signals() { expectNothing(Repository.sources.flatMap(Rules.signals)) }

    @Test("no option or argument of the command takes a number without a range")
    func bareNumbers() { expectNothing(Repository.sources.flatMap(Rules.bareNumbers)) }

    @Test("no circle among the files and folders of a target", arguments: CircleLaw.targets)
    func circles(target: String) {
        expectNothing(CircleLaw.findings(in: Repository.sources.filter { $0.target == target }))
    }

    @Test("no method of the endpoint comes back to itself by way of others")
    func callCircles() {
        let core = Repository.sources.filter { $0.target == "HomaCore" }
        expectNothing(CircleLaw.callCircles(of: "Endpoint", in: core))
    }

    @Test("code is indented with spaces")
    func tabs() { expectNothing(Repository.code.flatMap(Rules.tabs)) }

    @Test("every folder of tests has the sources it tests")
    func mirrored() {
        let targets = Set(Repository.sources.compactMap(\.target))
        for file in Repository.files(under: "Tests", extensions: ["swift"]) {
            let folder = file.path.split(separator: "/")[1]
            guard folder != "TidyTests" else { continue }
            #expect(folder.hasSuffix("Tests") && targets.contains(String(folder.dropLast(5))), "\(file.path)")
        }
    }
}

/// What the documents say is so.
@Suite("The documents keep up with the code")
struct DocumentTests {
    @Test("every document has one title, and its links lead somewhere")
    func links() {
        expectNothing(Repository.documents.flatMap(Documents.heading))
        expectNothing(Repository.documents.flatMap { Documents.brokenLinks($0, exists: Repository.exists) })
    }

    @Test("ARCHITECTURE.md tells where every concept is, in three files at most, which exist")
    func places() {
        let table = Documents.places(in: Repository.read("ARCHITECTURE.md"))
        #expect(table.count > 20)
        expectNothing(Documents.misplaced(table, files: Repository.sources.map(\.path), exists: Repository.exists))
    }

    @Test("the tests named in docs/conformance.md exist")
    func conformance() {
        let tests = Repository.files(under: "Tests", extensions: ["swift"])
        expectNothing(Documents.unknownTests(Repository.read("docs/conformance.md"), tests: tests))
    }

    @Test("every example in README.md is code that the tests compile")
    func examples() {
        let compiled = Repository.files(under: "Tests", extensions: ["swift"]).filter {
            $0.path.hasSuffix("/ReadmeSnippets.swift")
        }
        let readme = Repository.read("README.md")
        #expect(compiled.count == 3 && Documents.examples(in: readme).count == 4)
        expectNothing(Documents.unknownExamples(readme, compiled: compiled))
        // The manifest's names, which are no code by themselves.
        #expect(readme.text.contains(#".product(name: "Homa", package: "swift-homa")"#))
        let manifest = Repository.read("Package.swift").text
        for product in ["Homa", "HomaServiceLifecycle", "HomaTestKit"] {
            #expect(manifest.contains(".library(name: \"\(product)\""))
        }
        #expect(manifest.contains(#"name: "swift-homa""#))
    }

    @Test("docs/tuning.md names every setting, and its default where that is a number")
    func settings() {
        let targets: Set<String> = ["HomaBuffers", "HomaCore", "HomaIO", "Homa"]
        let files = Repository.sources.filter {
            targets.contains($0.target ?? "")
                && ($0.path.hasSuffix("Configuration.swift") || $0.path.hasSuffix("Options.swift"))
        }
        #expect(files.count >= 2)
        let text = Repository.read("docs/tuning.md").text
        expectNothing(files.flatMap { Documents.missingSettings(of: $0, in: text) })
        expectNothing(files.flatMap { Documents.wrongDefaults(of: $0, in: text) })
    }

    @Test("docs/protocol.md names every reason to drop a packet")
    func reasons() {
        let text = Repository.read("docs/protocol.md").text
        for path in ["Sources/HomaCore/Endpoint/DropReason.swift", "Sources/HomaWire/WireError.swift"] {
            let file = Repository.read(path)
            #expect(!file.text.isEmpty)
            expectNothing(Documents.missingCases(of: file, in: text, document: "docs/protocol.md"))
        }
    }
}

private func expectNothing(_ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation) {
    let isTidy = findings.isEmpty
    #expect(isTidy, "\n\(findings.report)", sourceLocation: sourceLocation)
}
