// SPDX-License-Identifier: Apache-2.0

import Foundation
@testable import HomaScenarios
import HomaSim
import Testing

/// What docs/scenarios.md and the examples promise.
@Suite("Documents about scenarios")
struct DocumentTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// A row of a table of keys.
    private struct Row {
        var section: String
        var cells: [String]
        var key: String { cells[0].filter { $0 != "`" } }
    }

    /// The tables below the headings that name a section of the file.
    private static func rows() throws -> [Row] {
        let headings = ["### Top": ""].merging(
            ScenarioKeys.sections.dropFirst().map { ("### `\($0.path)`", $0.path) }, uniquingKeysWith: { $1 })
        var section: String?
        var rows: [Row] = []
        for line in try text("docs/scenarios.md").split(separator: "\n") {
            if line.hasPrefix("#") { section = headings.first { line.hasPrefix($0.key) && !$0.key.isEmpty }?.value }
            guard let section, line.hasPrefix("| `") else { continue }
            let cells = line.dropFirst().split(separator: "|").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            rows.append(Row(section: section, cells: cells))
        }
        return rows
    }

    @Test("docs/scenarios.md has a row for every key, and for no other")
    func keys() throws {
        let rows = try Self.rows()
        for (path, keys) in ScenarioKeys.sections where path != "topology.spine" {
            #expect(rows.filter { $0.section == path }.map(\.key).sorted() == keys.sorted(), "\(path)")
        }
    }

    @Test("the defaults in docs/scenarios.md are the program's")
    func defaults() throws {
        let scenario = try Scenario(parsing: "{}").json
        var compared = 0
        for row in try Self.rows() {
            let isSetting = EndpointField.all.contains { $0.key == row.key && row.section == "transport" }
            let cell = row.cells[isSetting ? 2 : 1]
            let object = row.section.split(separator: ".").reduce(scenario) { $0[String($1)] ?? .null }
            guard cell != "–", let value = object[row.key], value.members == nil else { continue }
            #expect((value.text ?? value.description) == cell.filter { $0 != " " }, "\(row.section).\(row.key)")
            compared += 1
        }
        #expect(compared > 70)
    }

    @Test("settings stand beside their name in the code")
    func settings() throws {
        let rows = try Self.rows()
        for field in EndpointField.all {
            let row = rows.first { $0.section == "transport" && $0.key == field.key }
            #expect(row?.cells[1] == "`\(field.setting)`")
        }
    }

    @Test("the example in docs/scenarios.md, the files in Scenarios and the built-in scenarios can be run")
    func examples() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Scenarios").path)
            .filter { $0.hasSuffix(".json") }
        #expect(files.count >= 4)
        for file in files {
            let scenario = try Scenario(parsing: Self.text("Scenarios/\(file)"))
            #expect("\(scenario.name).json" == file)
        }
        #expect(BuiltInScenario.all.count >= 8)
        for builtIn in BuiltInScenario.all {
            #expect(try Scenario(json: builtIn.document).name == builtIn.name)
        }
        let document = try Self.text("docs/scenarios.md")
        let example = try #require(document.firstMatch(of: /```json\n([\s\S]*?)```/))
        #expect(try Scenario(parsing: String(example.1)).name == "w4-small-buffer")
    }

    @Test("shares and files of the Kubernetes manifest and the Slurm script are those the command knows")
    func deployment() throws {
        let manifest = try Self.text("deploy/kubernetes/sweep-job.yaml")
        let counts = manifest.matches(of: /(?:completions: |parallelism: |HOMA_SHARE_COUNT\n\s+value: ")(\d+)/).map(\.1)
        #expect(counts.count == 3 && Set(counts).count == 1)
        let count = try #require(counts.first.flatMap { Int($0) })
        #expect(manifest.contains("completionMode: Indexed"))
        let share = try SweepShare.ofJobArray(["JOB_COMPLETION_INDEX": "0", "HOMA_SHARE_COUNT": "\(count)"])
        #expect(share?.file(for: "/results/sweep.jsonl") == "/results/sweep.share-1-of-\(count).jsonl")
        #expect(manifest.contains("/results/sweep.share-*-of-\(count).jsonl"))
        for match in manifest.matches(of: /- --vary=(\S+)/) { _ = try SweepAxis(parsing: String(match.1)) }
        let script = try Self.text("deploy/slurm/sweep.sbatch")
        #expect(script.contains("#SBATCH --array=0-7") && script.contains("sweep.share-*-of-8.jsonl"))
    }
}
