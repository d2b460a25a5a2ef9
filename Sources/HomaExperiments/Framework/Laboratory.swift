// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import HomaSim

/// Something to run: a simulation of a network, or a model of one host.
struct Point: Sendable {
    enum Work: Sendable {
        case simulation(Scenario)
        case receiver(ReceiverModel)
        case copying(CopyModel)
        case sharing(ShardedLink)
    }

    /// Names the work with all its settings.
    var key: String
    var work: Work
    /// What repeats it.
    var command: String
}

/// Gives an experiment the results it asks for and notes those that are missing.
public struct Laboratory {
    public let scale: Scale
    private let kept: (String) -> PointStore.Entry?
    private(set) var missing: [Point] = []
    private(set) var used: [Point] = []
    private(set) var otherBuilds = 0
    private(set) var failures: [String] = []
    private var keys: Set<String> = []
    /// Records of other commands, by the name of their file.
    let records: (String) -> [JSONValue]

    init(
        scale: Scale, records: @escaping (String) -> [JSONValue] = { _ in [] },
        kept: @escaping (String) -> PointStore.Entry?
    ) {
        self.scale = scale
        self.records = records
        self.kept = kept
    }

    /// What is right for the scale.
    func choose<T>(quick: T, full: T) -> T { scale == .quick ? quick : full }

    /// The result of a simulation.
    mutating func run(_ recipe: Recipe) throws -> Outcome {
        let scenario = try recipe.scenario()
        return ask(Point(key: scenario.key, work: .simulation(scenario), command: recipe.command))
    }

    /// The result of a model of receive buffers.
    mutating func run(_ model: ReceiverModel) -> Outcome {
        ask(Point(key: model.key, work: .receiver(model), command: "# \(model.json.description)"))
    }

    /// The result of a model of copying.
    mutating func run(_ model: CopyModel) -> Outcome {
        ask(Point(key: model.key, work: .copying(model), command: "# \(model.json.description)"))
    }

    /// The result of a model of shards.
    mutating func run(_ model: ShardedLink) -> Outcome {
        ask(Point(key: model.key, work: .sharing(model), command: "# \(model.json.description)"))
    }

    private mutating func ask(_ point: Point) -> Outcome {
        let isNew = keys.insert(point.key).inserted
        guard let entry = kept(point.key) else {
            if isNew { missing.append(point) }
            return Outcome(nil)
        }
        if isNew {
            used.append(point)
            if entry.isOfOtherBuild { otherBuilds += 1 }
            if let failure = entry.failure { failures.append("\(failure): \(point.command)") }
        }
        return Outcome(entry.result)
    }
}
