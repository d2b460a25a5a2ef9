// SPDX-License-Identifier: Apache-2.0

public import HomaSim

/// A simulation whose result must not be used.
public struct SimulationFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// Runs the simulator.
public enum ScenarioRun {
    /// Events between two looks at the monitor: some hundredths of a second, so that an interrupted run ends at once
    /// and the looking costs nothing.
    private static let slice = 100_000

    /// Runs a scenario on this thread. Nil when it was asked to stop.
    public static func run(
        _ scenario: Scenario, _ monitor: RunMonitor
    ) throws -> (result: SimulationResult, cost: RunCost)? {
        let meter = CostMeter()
        var simulation = try Simulation(scenario)
        while !simulation.run(until: slice) {
            let progress = simulation.progress
            monitor.report(fraction: progress.fraction, packetHops: progress.packetHops)
            if monitor.isStopped { return nil }
        }
        let result = simulation.finish()
        monitor.report(fraction: 1, packetHops: result.packetHops)
        return (result, meter.cost)
    }

    /// For sweeps: the result as JSON, without figures of this machine. Throws ``SimulationFailure`` for one that must
    /// not be used.
    public static let runner: ScenarioRunner = { scenario, monitor in
        guard let (result, _) = try run(scenario, monitor) else { return nil }
        if let failure = result.failure { throw SimulationFailure(failure) }
        return result.json
    }
}
