// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWorkloads
import Testing

@testable import HomaSim

/// Hosts that take time to copy.
@Suite struct CopyTests {
    private typealias Copies = TopologyConfiguration.HostCopies

    private func scenario(
        _ gigabits: Double?, _ copies: TopologyConfiguration.HostCopies = .packets,
        transport: TransportConfiguration = .homa(HomaTransportConfiguration(preset: .linux2026)),
        mode: MessageMode = .oneWay
    ) -> Scenario {
        var topology = TopologyConfiguration(
            shape: .singleSwitch(hosts: 4), hostRate: .gigabitsPerSecond(25), uplinkRate: .gigabitsPerSecond(100))
        topology.hostCopyRate = gigabits.map(BitRate.gigabitsPerSecond)
        topology.hostCopies = copies
        return Scenario(
            topology: topology, transport: transport,
            traffic: TrafficConfiguration(sizes: .fixed(10_000), load: 0.5, mode: mode),
            length: RunLength(messages: 200, drain: .seconds(2)), seed: 5)
    }

    private func run(_ scenario: Scenario, _ script: [Simulation.ScriptedMessage] = []) throws -> SimulationResult {
        let result = try runToEnd(scenario, script)
        #expect(result.messagesIncomplete == 0 && result.messagesFailed == 0)
        return result
    }

    private func message(_ source: UInt16, _ destination: UInt16, _ bytes: Int) -> Simulation.ScriptedMessage {
        .init(start: 0, source: source, destination: destination, bytes: bytes)
    }

    private func time(_ scenario: Scenario, _ script: [Simulation.ScriptedMessage]) throws -> Double {
        try run(scenario, script).completionMicroseconds.mean
    }

    @Test func `a complete message is copied before the application has it`() throws {
        let script = [message(1, 0, 500_000)]
        let quick = try time(scenario(nil), script)
        // 4 Mbit at 10 Gb/s.
        #expect(abs(try time(scenario(10, .messages), script) - quick - 400) < 0.001)
    }

    @Test func `one processor copies one message after the other`() throws {
        let script = [message(1, 0, 100_000), message(2, 0, 100_000)]
        let result = try run(scenario(1, .messages), script)
        // Both are there long before the first has been copied for its 800 µs.
        let quick = try run(scenario(nil), script).completionMicroseconds.maximum
        #expect(result.completionMicroseconds.maximum > 1600)
        #expect(result.completionMicroseconds.maximum < 1600 + quick)
        let apart = try run(scenario(1, .messages), [message(1, 0, 100_000), message(2, 3, 100_000)])
        #expect(apart.completionMicroseconds.maximum < 800 + quick, "each host has its own")
    }

    @Test func `packets are copied as they come, so only the last one's time is added when copying is fast`() throws {
        let script = [message(1, 0, 500_000)]
        let quick = try time(scenario(nil), script)
        // 1416 bytes at 50 Gb/s, twice as fast as the link.
        let added = try time(scenario(50), script) - quick
        #expect(added > 0 && added <= 1416 * 8 / 50_000.0 + 0.001, "\(added)")
    }

    @Test func `a processor slower than the link decides when it copies packets, too`() throws {
        let slow = try time(scenario(10), [message(1, 0, 500_000)])
        #expect(slow > 400 && slow < 410, "\(slow)")
    }

    @Test(arguments: TopologyConfiguration.HostCopies.allCases)
    func `a response begins when the request has been copied`(copies: TopologyConfiguration.HostCopies) throws {
        let script = [message(1, 0, 1000)]
        let quick = try time(scenario(nil, mode: .rpc(responseBytes: 500)), script)
        let slow = try time(scenario(0.1, copies, mode: .rpc(responseBytes: 500)), script)
        // 80 and 40 µs.
        #expect(abs(slow - quick - 120) < 0.01, "\(slow - quick)")
    }

    @Test(arguments: TopologyConfiguration.HostCopies.allCases, [0, 1, 2])
    func `every transport brings everything, in both forms`(copies: TopologyConfiguration.HostCopies, kind: Int) throws
    {
        let transports: [TransportConfiguration] = [
            .homa(HomaTransportConfiguration(preset: .default)), .tcp(TCPConfiguration()),
            .dcpim(DCPIMConfiguration()),
        ]
        for mode in [MessageMode.oneWay, .rpc(responseBytes: 3000)] {
            let one = scenario(20, copies, transport: transports[kind], mode: mode)
            let result = try run(one)
            #expect(result.messages == 200)
            var none = one
            none.topology.hostCopyRate = nil
            #expect(try run(none).slowdown.mean < result.slowdown.mean)
            #expect(result.slowdown == (try run(one)).slowdown, "the same again")
        }
    }

    @Test func `what is copied means nothing without a rate`() throws {
        var result = try run(scenario(nil, .messages))
        result.scenario.topology.hostCopies = .packets
        #expect(result == (try run(scenario(nil, .packets))))
    }

    @Test func `a buffer that is too small loses packets and no message`() throws {
        for copies in Copies.allCases {
            var one = scenario(10, copies, mode: .rpc(responseBytes: 100))
            one.topology.leafSwitch = SwitchConfiguration(buffer: .shared, bufferBytes: 10_000)
            let result = try run(one, (1...3).map { message($0, 0, 100_000) })
            #expect(result.messages == 3 && result.conservation.dropped > 0)
        }
    }

    @Test func `rates out of range, and a scheduler without hosts, are refused`() {
        func refusal(_ gigabits: Double, _ transport: TransportConfiguration) -> String? {
            do throws(ScenarioError) {
                try scenario(gigabits, transport: transport).validated()
                return nil
            } catch { return error.field }
        }
        let homa = TransportConfiguration.homa(HomaTransportConfiguration(preset: .default))
        #expect(refusal(18.5, homa) == nil)
        #expect(refusal(0.0001, homa) == "topology.host_copy_gbps")
        #expect(refusal(2001, homa) == "topology.host_copy_gbps")
        #expect(refusal(18.5, .srptOracle) == "topology.host_copy_gbps")
    }
}
