// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWorkloads
import Testing

@testable import HomaSim

/// Grants keep a link busy, however far away the sender is.
@Suite struct WindowTests {
    private static let count = 48

    /// The share of its link that a receiver of a row of messages uses, all from one sender so many µs away.
    private func use(oneWay microseconds: Int, adapts: Bool, atOnce: Bool) throws -> Double {
        let topology = TopologyConfiguration(
            shape: .singleSwitch(hosts: 2), hostRate: .gigabitsPerSecond(10), uplinkRate: .gigabitsPerSecond(40),
            linkDelay: .nanoseconds(microseconds * 500))
        var homa = HomaTransportConfiguration(preset: .default)
        homa.endpoint.adaptsWindows = adapts
        let scenario = Scenario(
            topology: topology, transport: .homa(homa),
            traffic: TrafficConfiguration(sizes: .fixed(1442), load: 0.5),
            length: RunLength(messages: Self.count, drain: .seconds(2)), seed: 11)
        // A packet of 1416 bytes of payload occupies the link for 1538 bytes.
        let link = 1_000_000.0 / 1416 * 1538 * 8 / 10e9
        let script = (0..<Self.count).map { index in
            Simulation.ScriptedMessage(
                start: atOnce ? 0 : UInt64(Double(index) * link * 1e12), source: 1, destination: 0, bytes: 1_000_000)
        }
        let result = try runToEnd(scenario, script)
        #expect(result.messages == Self.count)
        let last = result.completionMicroseconds.maximum / 1e6 + (atOnce ? 0 : Double(Self.count - 1) * link)
        return Double(Self.count) * link / (last - Double(2 * microseconds) / 1e6)
    }

    @Test(arguments: [1, 30, 150, 300], [true, false])
    func `nothing is lost between grants, nor between messages`(oneWay: Int, atOnce: Bool) throws {
        let share = try use(oneWay: oneWay, adapts: true, atOnce: atOnce)
        #expect(share > 0.97, "\(share)")
    }

    @Test func `fixed windows do not suffice for long ways`() throws {
        let share = try use(oneWay: 300, adapts: false, atOnce: true)
        #expect(share < 0.8, "\(share)")
    }
}
