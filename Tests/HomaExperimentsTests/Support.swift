// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios
import HomaSim
import Testing

@testable import HomaExperiments

/// A folder that goes away.
final class TemporaryFolder {
    let path = FileManager.default.temporaryDirectory.appending(path: "homa-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Counts what it is asked to run and gives made-up results.
final class FakeRunner: @unchecked Sendable {
    private let lock = NSLock()
    private var scenarios: [Scenario] = []
    private let result: @Sendable (Scenario) throws -> JSONValue?

    init(_ result: @escaping @Sendable (Scenario) throws -> JSONValue?) { self.result = result }

    var asked: [Scenario] { lock.withLock { scenarios } }

    var runner: ScenarioRunner {
        { [self] scenario, _ in
            lock.withLock { scenarios.append(scenario) }
            return try result(scenario)
        }
    }

    /// What a switch would have held and how slow messages would have been: a pool below 3 MB hurts.
    static func pretend(_ scenario: Scenario) -> JSONValue {
        let limit = scenario.topology.leafSwitch.isLimited ? scenario.topology.leafSwitch.bufferBytes : nil
        let isShort = limit.map { $0 < 3_000_000 } ?? false
        return .object([
            .init("switch_buffer_max_bytes", .integer(10_000_000)), .init("switch_buffer_max_us", .double(80)),
            .init("slowdown_mean", .double(isShort ? 4 : 2)), .init("messages", .integer(100)),
            .init("messages_incomplete", .integer(0)), .init("messages_failed", .integer(0)),
        ])
    }
}

extension Experiment {
    /// One that evaluates as told.
    static func test(_ evaluate: @escaping @Sendable (inout Laboratory) throws -> Findings) -> Experiment {
        Experiment(name: "test", title: "t", question: "q", method: "m", evaluate: evaluate)
    }
}

/// A chart with everything that charts can have.
let fullChart = Chart(
    "A title with <brackets> & more", x: Axis("pool", unit: "MB", logarithmic: true),
    y: Axis("slowdown", unit: "ratio"),
    series: [
        Series("one", [.init(1, 2), .init(10, 4, "label"), .init(100, 8)]),
        Series("two", marks: .points, [.init(2, 3), .init(-1, 3), .init(4, .nan)]),
    ], levels: [.init(6, "published")])
