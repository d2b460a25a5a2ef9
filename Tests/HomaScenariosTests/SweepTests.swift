// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaPosix
import HomaScenarios
import HomaSim
import Testing

@Suite("Sweeps")
struct SweepTests {
    @Test("a plan is every combination, the last axis fastest, each point a scenario of its own")
    func grid() throws {
        let plan = try smallPlan()
        #expect(
            plan.points.map { "\($0.scenario.traffic.load) \($0.scenario.seed)" } == [
                "0.5 1", "0.5 2", "0.6 1", "0.6 2", "0.7 1", "0.7 2",
            ])
        #expect(plan.points[3].varied == [.init("traffic.load", .number("0.6")), .init("seed", .number("2"))])
        #expect(Set(plan.points.map(\.key)).count == 6)
        #expect(try smallPlan().id == plan.id)
        let other = try SweepPlan(
            document: JSONValue(parsing: #"{"name": "x"}"#),
            axes: [SweepAxis(parsing: "load=0.5..0.7/0.1"), SweepAxis(parsing: "seed=1,2")])
        #expect(other.id != plan.id)
    }

    @Test("axes reach into presets given by name")
    func intoPresets() throws {
        let plan = try SweepPlan(
            document: JSONValue(parsing: #"{"topology": "cluster-25g", "transport": "homa"}"#),
            axes: [
                SweepAxis(parsing: "topology.leaf.buffer_bytes=1000000,2000000"),
                SweepAxis(parsing: "transport.overcommitment=4"), SweepAxis(parsing: "preset=linux2026"),
            ])
        #expect(plan.points.map(\.scenario.topology.leafSwitch.bufferBytes) == [1_000_000, 2_000_000])
        #expect(plan.points[0].scenario.topology.hostCount == 40)
    }

    @Test("a transport or topology set to what it is keeps its settings; keys outlive the section they belong to")
    func sections() throws {
        let file = #"{"transport": {"kind": "homa", "preset": "sigcomm2018"}, "topology": "cluster-25g"}"#
        let plan = try SweepPlan(
            document: JSONValue(parsing: file),
            overrides: [Override(parsing: "topology.leaf.buffer=dynamic"), Override(parsing: "transport=homa")],
            axes: [
                SweepAxis(parsing: "topology=cluster-25g,tomahawk3"), SweepAxis(parsing: "transport=homa,srpt-oracle"),
            ])
        #expect(plan.points.map(\.scenario.transport.kind) == ["homa", "srpt-oracle", "homa", "srpt-oracle"])
        for point in plan.points {
            #expect(point.scenario.topology.leafSwitch.buffer == .dynamicThreshold(alpha: 1))
            guard case .homa(let homa) = point.scenario.transport else { continue }
            #expect(homa.preset == .sigcomm2018)
        }
        #expect(plan.points[2].scenario.topology.hostCount == 128)
    }

    @Test("a plan with a point that cannot be run is refused before anything runs")
    func badPlans() throws {
        func plan(_ axes: String...) throws -> SweepPlan {
            try SweepPlan(document: JSONValue(parsing: "{}"), axes: axes.map { try SweepAxis(parsing: $0) })
        }
        let error = #expect(throws: SweepError.self) { try plan("load=0.5..1.5/0.5") }
        #expect(error.map { "\($0)".contains("traffic.load is 1.5") } == true)
        #expect(throws: SweepError.self) { try plan("traffic.laod=0.5") }
        #expect(throws: SweepError.axisTwice("traffic.load")) { try plan("load=0.5", "traffic.load=0.6") }
        #expect(throws: SweepError.tooManyPoints) { try plan("seed=1..1000", "length.messages=1..1000") }
        #expect(throws: SweepError.samePoint(0, 1)) { try plan("load=0.5,0.50") }
    }

    @Test("a finished store has its points in order, whatever the number of threads", arguments: [1, 2, 7])
    func order(_ threads: Int) throws {
        let scratch = try Scratch()
        let plan = try smallPlan()
        let summary = try runSweep(plan, in: scratch.file("one"), threads: 1)
        #expect(summary.isComplete && summary.finished == 6 && summary.alreadyFinished == 0)
        try runSweep(plan, in: scratch.file("many"), threads: threads) { scenario, _ in
            // The later a point, the sooner it is done.
            Thread.sleep(forTimeInterval: 0.03 * (1 - scenario.traffic.load))
            return standIn(scenario)
        }
        #expect(try scratch.text("many") == scratch.text("one"))
        let lines = try scratch.text("one").split(separator: "\n").map { try JSONValue(parsing: $0) }
        #expect(lines.map { $0["point"]?.integer } == [0, 1, 2, 3, 4, 5])
        #expect(try lines.map { try Scenario(json: $0["scenario"] ?? .null) } == plan.points.map(\.scenario))
        #expect(lines[0]["varied"]?.description == #"{"traffic.load":0.5,"seed":1}"#)
        #expect(try scratch.names == ["many", "one"])
    }

    @Test("a store torn at any byte is taken up again, and ends as if nothing had happened")
    func torn() throws {
        let scratch = try Scratch()
        let plan = try SweepPlan(document: JSONValue(parsing: "{}"), axes: [SweepAxis(parsing: "seed=1..3")])
        let short: ScenarioRunner = { scenario, _ in .object([.init("seed", .integer(scenario.seed))]) }
        try runSweep(plan, in: scratch.file("whole"), runner: short)
        let text = try scratch.text("whole")
        for cut in 0...text.utf8.count {
            try scratch.write(String(text.utf8.prefix(cut))!, to: "torn")
            let counter = Counter()
            try runSweep(plan, in: scratch.file("torn")) { scenario, monitor in
                _ = counter.add("\(scenario.seed)")
                return try short(scenario, monitor)
            }
            #expect(try scratch.text("torn") == text, "cut at \(cut)")
            let wholeLines = text.utf8.prefix(cut).count { $0 == UInt8(ascii: "\n") }
            #expect(counter.all.count == 3 - wholeLines && counter.all.values.allSatisfy { $0 == 1 }, "cut at \(cut)")
        }
    }

    @Test("a stopped sweep keeps what it finished, never runs it again, and ends like one that was not stopped")
    func stopped() throws {
        let scratch = try Scratch()
        let plan = try smallPlan()
        try runSweep(plan, in: scratch.file("whole"))
        let counter = Counter()
        var rounds = 0
        while true {
            let stop = StopFlag()
            let summary = try runSweep(plan, in: scratch.file("stopped"), stop: stop) { scenario, monitor in
                if monitor.isStopped { return nil }
                // Every second point is under way when the order to stop comes.
                if counter.add("\(scenario.traffic.load) \(scenario.seed)") % 2 == 0 {
                    stop.raise()
                    return nil
                }
                return standIn(scenario)
            }
            rounds += 1
            if summary.isComplete { break }
            #expect(rounds < 20)
        }
        #expect(rounds > 2)
        #expect(try scratch.text("stopped") == scratch.text("whole"))
    }

    @Test("points that fail are told, not stored, and tried again by the next process")
    func failing() throws {
        struct Broken: Error {}
        let scratch = try Scratch()
        let plan = try smallPlan()
        let first = try runSweep(plan, in: scratch.file("a")) { scenario, _ in
            if scenario.seed == 2 { throw Broken() }
            return standIn(scenario)
        }
        #expect(first.failures.map(\.index).sorted() == [1, 3, 5] && first.finished == 3 && !first.isComplete)
        let second = try runSweep(plan, in: scratch.file("a"))
        #expect(second.alreadyFinished == 3 && second.finished == 3 && second.isComplete)
    }
}
