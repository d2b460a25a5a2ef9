// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@testable import HomaSim

@Suite struct SRPTOracleTests {
    private func times(_ script: [Simulation.ScriptedMessage]) throws -> SimulationResult {
        let topology = TopologyConfiguration(
            shape: .singleSwitch(hosts: 6), hostRate: .gigabitsPerSecond(10), uplinkRate: .gigabitsPerSecond(40))
        var simulation = try Simulation(
            Scenario(
                topology: topology, transport: .srptOracle, traffic: TrafficConfiguration(sizes: .fixed(14_420))),
            script: script)
        while !simulation.run(until: 1000) {}
        let result = simulation.finish()
        #expect(result.failure == nil)
        return result
    }

    private func message(_ source: UInt16, _ destination: UInt16, _ bytes: Int, at start: UInt64 = 0)
        -> Simulation.ScriptedMessage
    {
        .init(start: start, source: source, destination: destination, bytes: bytes)
    }

    @Test func `a message alone takes the best time`() throws {
        #expect(try times([message(0, 1, 14_420)]).slowdown.maximum == 1)
    }

    @Test func `a shorter message goes first, and the longer one loses just that time`() throws {
        let both = try times([message(0, 2, 14_420), message(1, 2, 1442, at: 2_000_000)])
        let alone = try times([message(0, 2, 14_420)])
        // One packet of 1538 bytes at 10 Gb/s.
        let lost = both.completionMicroseconds.maximum - alone.completionMicroseconds.maximum
        #expect(abs(lost - 1.2304) < 0.001)
        #expect(both.slowdown.median < 1.01)
    }

    @Test func `messages between different hosts do not know of each other`() throws {
        let result = try times([message(0, 1, 14_420), message(2, 3, 14_420), message(4, 5, 1442)])
        #expect(result.slowdown.maximum == 1)
    }

    @Test func `a sender whose receiver is taken sends to another`() throws {
        // Host 0 has two messages; the shorter one's receiver is kept busy by a still shorter one.
        let result = try times([message(1, 2, 1442), message(0, 2, 2884), message(0, 3, 14_420)])
        // The long one starts at once, waits for two packets while host 0 sends to host 2, and goes on.
        let alone = try times([message(0, 3, 14_420)])
        let lost = result.completionMicroseconds.maximum - alone.completionMicroseconds.maximum
        #expect(abs(lost - 2 * 1.2304) < 0.001)
    }
}
