// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaSim

/// Runs a scenario or a script of messages to its end, and checks what holds of every run.
func runToEnd(
    _ scenario: Scenario, _ script: [Simulation.ScriptedMessage] = []
) throws -> SimulationResult {
    var simulation = try Simulation(scenario, script: script)
    while !simulation.run(until: 1_000_000) {}
    let result = simulation.finish()
    #expect(result.failure == nil)
    #expect(result.conservation.holds)
    return result
}
