// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaPosix
import HomaScenarios
import HomaSim
import Testing

@testable import HomaExperiments

@Suite struct ExperimentRunTests {
    private static let recipe = Recipe(#"{"topology": "cluster-25g", "traffic": {"workload": "w4"}}"#)

    private static func search() -> Experiment {
        .test { laboratory in
            let search = try PoolSearch(recipe, &laboratory)
            var findings = Findings()
            findings.claims = [
                Claim(
                    "c", source: "s", published: .number(3), ours: search.smallest / 1e6, unit: "MB",
                    tolerance: .share(0))
            ]
            return findings
        }
    }

    @Test func `a search finds the smallest pool that does no harm, in few runs`() throws {
        let folder = try TemporaryFolder()
        let fake = FakeRunner(FakeRunner.pretend)
        let run = ExperimentRun(
            [Self.search()], scale: .quick, store: try PointStore(folder: folder.path, build: "a"))
        let reports = try #require(try run.run(threads: 2, stop: StopFlag(), runner: fake.runner) { _ in })
        #expect(reports[0].findings.claims[0].ours == .number(3))
        #expect(reports[0].verdict == .reproduced)
        #expect(fake.asked.count == 4)
        #expect(reports[0].points == 4)
    }

    @Test func `finished points are kept, and another process uses them`() throws {
        let folder = try TemporaryFolder()
        let first = FakeRunner(FakeRunner.pretend)
        _ = try ExperimentRun([Self.search()], scale: .quick, store: PointStore(folder: folder.path, build: "a"))
            .run(threads: 1, stop: StopFlag(), runner: first.runner) { _ in }
        let second = FakeRunner(FakeRunner.pretend)
        let run = ExperimentRun(
            [Self.search()], scale: .quick, store: try PointStore(folder: folder.path, build: "b"))
        let reports = try #require(try run.run(threads: 1, stop: StopFlag(), runner: second.runner) { _ in })
        #expect(second.asked.isEmpty)
        #expect(reports[0].pointsOfOtherBuilds == 4)
        let fresh = try PointStore(folder: folder.path, build: "b", onlyOwnBuild: true)
        _ = try ExperimentRun([Self.search()], scale: .quick, store: fresh)
            .run(threads: 1, stop: StopFlag(), runner: second.runner) { _ in }
        #expect(second.asked.count == 4)
    }

    @Test func `a run that is stopped keeps what is finished and goes on from there`() throws {
        let folder = try TemporaryFolder()
        let stop = StopFlag()
        let fake = FakeRunner { scenario in
            if scenario.topology.leafSwitch.isLimited {
                stop.raise()
                return nil
            }
            return FakeRunner.pretend(scenario)
        }
        func run(_ fake: FakeRunner, _ stop: StopFlag) throws -> [ExperimentReport]? {
            try ExperimentRun([Self.search()], scale: .quick, store: PointStore(folder: folder.path, build: "a"))
                .run(threads: 1, stop: stop, runner: fake.runner) { _ in }
        }
        #expect(try run(fake, stop) == nil)
        let second = FakeRunner(FakeRunner.pretend)
        #expect(try run(second, StopFlag())?[0].verdict == .reproduced)
        #expect(second.asked.count == 3)
    }

    @Test func `a torn file counts as none`() throws {
        let folder = try TemporaryFolder()
        let key = try Self.recipe.unlimited().scenario().key
        try Data("{\"key\":\"\(key)\",\"res".utf8).write(to: URL(filePath: "\(folder.path)/\(key).json"))
        let fake = FakeRunner(FakeRunner.pretend)
        _ = try ExperimentRun([Self.search()], scale: .quick, store: PointStore(folder: folder.path, build: "a"))
            .run(threads: 1, stop: StopFlag(), runner: fake.runner) { _ in }
        #expect(fake.asked.count == 4)
    }

    @Test func `a point that fails is told, and nothing is claimed of it`() throws {
        let folder = try TemporaryFolder()
        let fake = FakeRunner { scenario in
            if scenario.topology.leafSwitch.isLimited { throw SimulationFailure("packets were lost") }
            return FakeRunner.pretend(scenario)
        }
        let run = ExperimentRun(
            [Self.search()], scale: .quick, store: try PointStore(folder: folder.path, build: "a"))
        let reports = try #require(try run.run(threads: 2, stop: StopFlag(), runner: fake.runner) { _ in })
        #expect(reports[0].verdict == .notReproduced)
        #expect(reports[0].failures.count == 1)
        #expect(reports[0].failures[0].contains("packets were lost"))
        #expect(reports[0].failures[0].contains("homa sim run"))
    }

    @Test func `only experiments that have all their points are reported without running`() throws {
        let folder = try TemporaryFolder()
        let store = try PointStore(folder: folder.path, build: "a")
        let run = ExperimentRun([Self.search()], scale: .quick, store: store)
        #expect(try run.finishedReports().isEmpty)
        _ = try run.run(threads: 1, stop: StopFlag(), runner: FakeRunner(FakeRunner.pretend).runner) { _ in }
        #expect(try run.finishedReports().count == 1)
    }
}
