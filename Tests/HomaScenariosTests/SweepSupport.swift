// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaPosix
import HomaScenarios
import HomaSim
import Testing

/// A folder that goes away with the test.
final class Scratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "homa-scenarios-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
    func text(_ name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }
    func write(_ text: String, to name: String) throws {
        try text.write(toFile: file(name), atomically: false, encoding: .utf8)
    }
    var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

/// Counts calls from any thread.
final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var counts: [String: Int] = [:]

    func add(_ key: String) -> Int {
        lock.withLock {
            counts[key, default: 0] += 1
            return counts.values.reduce(0, +)
        }
    }
    var all: [String: Int] { lock.withLock { counts } }
}

/// Stands for the simulator: a result that depends on the scenario alone.
func standIn(_ scenario: Scenario) -> JSONValue {
    .object([
        .init("slowdown_mean", .double(1 + scenario.traffic.load)), .init("seed", .integer(scenario.seed)),
        .init("scenario", scenario.json),
    ])
}

/// Six points: three loads, two seeds.
func smallPlan() throws -> SweepPlan {
    try SweepPlan(
        document: JSONValue(parsing: "{}"),
        axes: [SweepAxis(parsing: "load=0.5..0.7/0.1"), SweepAxis(parsing: "seed=1,2")])
}

let whole = try! SweepShare(index: 0, count: 1)

/// Runs what is left of a plan in one file.
@discardableResult
func runSweep(
    _ plan: SweepPlan, share: SweepShare = whole, in path: String, threads: Int = 2, stop: StopFlag = StopFlag(),
    runner: @escaping ScenarioRunner = { scenario, _ in standIn(scenario) }
) throws -> SweepSummary {
    let store = try SweepStore(path: path, plan: plan)
    return try SweepRun(plan: plan, share: share, store: store)
        .run(threads: threads, stop: stop, runner: runner) { _, _ in }
}
