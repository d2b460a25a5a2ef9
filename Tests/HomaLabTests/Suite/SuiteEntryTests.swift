// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBench
import Testing

@testable import HomaLab

@Suite("Entries of the suite for docs/measurements")
struct SuiteEntryTests {
    private func report(build: String = "release") throws -> SuiteReport {
        let plan = SuitePlan(count: 5, quick: false, slack: 1, measures: SuiteMeasure.allCases, seed: 7)
        let path = SuitePath(loopbackBecause: "this is a test")
        return SuiteReport(
            figures: [
                SuiteFigure(
                    measure: .goodputVsTCP,
                    outcome: .measured(.init(values: [1.2], rival: "tcp", own: [12e9], rivals: [10e9]))),
                SuiteFigure(measure: .shortTail, outcome: .skipped("root is needed")),
                SuiteFigure(measure: .core, outcome: .failed("it stopped")),
            ],
            rounds: SuiteRounds(path: path, times: .init(isQuick: true), seed: 7),
            environment: RunEnvironment(
                build: build, processor: "a processor", cores: 2, kernel: "Linux 6", mtu: 1500),
            path: path.description, isVeth: path.isVeth, plan: plan,
            health: .init(receiveBufferErrors: 3, segmentsResent: 0, softnetDrops: 0, packetsRetransmitted: 0))
    }

    @Test("an entry says everything that docs/measurements asks of one")
    func sections() throws {
        let text = SuiteEntry(try report()).text(records: "day-suite")
        for part in [
            "**Question.**", "**Command.**", "**Machine.** release build, a processor, 2 cores, Linux 6",
            "**Path.** LOOPBACK",
            "this is a test", "**Build.**", "**Configuration.** Seed 7", "## Result", "1.20", "MISSED", "**Health.**",
            "RcvbufErrors 3", "root is needed", "FAILED, it stopped", "day-suite.jsonl",
        ] {
            #expect(text.contains(part), "\(part)")
        }
    }

    @Test("an entry and its records are written beside each other, and never over others")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "suite-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let entry = SuiteEntry(try report())
        let first = try entry.write(into: folder.path)
        let text = try String(contentsOfFile: first, encoding: .utf8)
        let second = try entry.write(into: folder.path)
        #expect(first != second)
        #expect(try String(contentsOfFile: first, encoding: .utf8) == text)
        let records = try String(contentsOfFile: String(second.dropLast(3)) + ".jsonl", encoding: .utf8)
        #expect(records.split(separator: "\n").count == 3)
    }

    @Test("a debug build says first of all that its figures mean nothing")
    func debug() throws {
        #expect(try report(build: "debug").render().hasPrefix("THIS IS A DEBUG BUILD"))
        #expect(try !report().render().contains("DEBUG"))
    }
}
