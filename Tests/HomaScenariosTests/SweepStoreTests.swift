// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios
import Testing

@Suite("Stores of finished points")
struct SweepStoreTests {
    @Test("a store in use is refused to a second user, and free again when the first is gone")
    func lock() throws {
        let scratch = try Scratch()
        let plan = try smallPlan()
        var first: SweepStore? = try SweepStore(path: scratch.file("a"), plan: plan)
        #expect(throws: SweepError.inUse(scratch.file("a"))) { try SweepStore(path: scratch.file("a"), plan: plan) }
        #expect(first?.finished == [])
        first = nil
        _ = try SweepStore(path: scratch.file("a"), plan: plan)
    }

    @Test("a file that is no store is left alone", arguments: ["# Notes\n", "{\"a\":1}\n", "{}", "hello", "\n"])
    func foreign(_ text: String) throws {
        let scratch = try Scratch()
        try scratch.write(text, to: "a")
        #expect(throws: SweepError.self) { try SweepStore(path: scratch.file("a"), plan: smallPlan()) }
        #expect(try scratch.text("a") == text)
        #expect(throws: SweepError.self) { try SweepStore(path: scratch.path, plan: smallPlan()) }
        #expect(throws: SweepError.self) { try SweepStore(path: scratch.file("no/such"), plan: smallPlan()) }
    }

    @Test("a damaged line that is not the last is told with its number, and nothing is changed")
    func damaged() throws {
        let scratch = try Scratch()
        try runSweep(try smallPlan(), in: scratch.file("a"))
        var lines = try scratch.text("a").split(separator: "\n").map(String.init)
        lines[2] = String(lines[2].dropLast(9))
        let text = lines.joined(separator: "\n") + "\n"
        try scratch.write(text, to: "a")
        let error = #expect(throws: SweepError.self) { try SweepStore(path: scratch.file("a"), plan: smallPlan()) }
        #expect(error.map { "\($0)".contains("line 3") } == true)
        #expect(try scratch.text("a") == text)
    }

    @Test("zero bytes after the last whole line, as a power failure leaves them, are cut off")
    func zeros() throws {
        let scratch = try Scratch()
        try runSweep(try smallPlan(), in: scratch.file("a"))
        let text = try scratch.text("a")
        try scratch.write(text + "{\"sweep\":\"12" + String(repeating: "\0", count: 100), to: "a")
        #expect(try SweepStore(path: scratch.file("a"), plan: smallPlan()).repair != nil)
        #expect(try scratch.text("a") == text)
        try scratch.write(text + String(repeating: "\0", count: 100), to: "a")
        try runSweep(try smallPlan(), in: scratch.file("a"))
        #expect(try scratch.text("a") == text)
    }

    @Test("points of another sweep are not mixed in")
    func otherSweep() throws {
        let scratch = try Scratch()
        try runSweep(try smallPlan(), in: scratch.file("a"))
        let other = try SweepPlan(document: JSONValue(parsing: "{}"), axes: [SweepAxis(parsing: "seed=1..6")])
        #expect(throws: SweepError.otherSweep(scratch.file("a"))) {
            try SweepStore(path: scratch.file("a"), plan: other)
        }
    }

    @Test("merged shares are what one process would have written, in any order of the files", arguments: 1...7)
    func merge(_ count: Int) throws {
        let scratch = try Scratch()
        let plan = try smallPlan()
        try runSweep(plan, in: scratch.file("whole"))
        let paths = try (0..<count).map { index in
            let share = try SweepShare(index: index, count: count)
            let path = share.file(for: scratch.file("part.jsonl"))
            let summary = try runSweep(plan, share: share, in: path)
            #expect(summary.isComplete && summary.points == plan.points(of: share).count)
            return path
        }
        #expect(try SweepMerge.merge(paths) == scratch.text("whole"))
        #expect(try SweepMerge.merge(paths.reversed() + paths) == scratch.text("whole"))
    }

    @Test("a merge says what is missing, and takes no contradictions")
    func incomplete() throws {
        let scratch = try Scratch()
        let plan = try smallPlan()
        let path = scratch.file("a")
        try runSweep(plan, share: SweepShare(index: 0, count: 2), in: path)
        #expect(throws: MergeError.incomplete(missing: [1, 3, 5], of: 6)) { try SweepMerge.merge([path]) }
        try scratch.write("", to: "empty")
        #expect(throws: MergeError.nothing) { try SweepMerge.merge([scratch.file("empty")]) }
        #expect(throws: SweepError.self) { try SweepMerge.merge([scratch.file("none")]) }

        let other = try SweepPlan(document: JSONValue(parsing: "{}"), axes: [SweepAxis(parsing: "seed=1..6")])
        try runSweep(other, in: scratch.file("other"))
        #expect(throws: MergeError.otherSweep(path, scratch.file("other"))) {
            try SweepMerge.merge([path, scratch.file("other")])
        }
        try runSweep(plan, in: scratch.file("changed")) { scenario, _ in .object([.init("scenario", scenario.json)]) }
        #expect(throws: MergeError.contradiction(point: 0, path, scratch.file("changed"))) {
            try SweepMerge.merge([path, scratch.file("changed")])
        }
    }
}
