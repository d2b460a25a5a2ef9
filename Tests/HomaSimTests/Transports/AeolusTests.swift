// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWorkloads
import Testing

@testable import HomaSim

@Suite struct AeolusTests {
    private func scenario(
        aeolus: Bool = true, hosts: Int = 8, perPort: Int = 200_000, _ change: (inout Scenario) -> Void = { _ in }
    ) -> Scenario {
        let topology = TopologyConfiguration(
            shape: .singleSwitch(hosts: hosts), hostRate: .gigabitsPerSecond(10), uplinkRate: .gigabitsPerSecond(40),
            leafSwitch: SwitchConfiguration(buffer: .perPort, bufferBytes: perPort * hosts))
        var homa = HomaTransportConfiguration(preset: .sigcomm2018)
        homa.isAeolus = aeolus
        homa.endpoint.maximumMessageBytes = 50_000_000
        var scenario = Scenario(
            topology: topology, transport: .homa(homa),
            traffic: TrafficConfiguration(sizes: .fixed(1442), load: 0.5),
            measurement: MeasurementConfiguration(ideal: .transport),
            length: RunLength(messages: 300, drain: .seconds(2)), seed: 11)
        change(&scenario)
        return scenario
    }

    private func run(_ scenario: Scenario, _ script: [Simulation.ScriptedMessage] = []) throws -> SimulationResult {
        let result = try runToEnd(scenario, script)
        #expect(result.messagesIncomplete == 0)
        return result
    }

    private func message(_ source: UInt16, _ destination: UInt16, _ bytes: Int, at start: UInt64 = 0)
        -> Simulation.ScriptedMessage
    {
        .init(start: start, source: source, destination: destination, bytes: bytes)
    }

    private func packets(_ kind: String, _ result: SimulationResult) -> UInt64 {
        result.packetsByKind.first { $0.kind == kind }?.packets ?? 0
    }

    private func drops(_ reason: String, _ result: SimulationResult) -> UInt64 {
        result.drops.first { $0.reason == reason }?.packets ?? 0
    }

    @Test func `one flow fills the link`() throws {
        let result = try run(scenario(), [message(1, 0, 20_000_000)])
        #expect(result.slowdown.maximum < 1.001)
        #expect(result.drops.isEmpty)
    }

    @Test func `two flows share a link, and lose none of it`() throws {
        let result = try run(scenario(), [message(1, 0, 5_000_000), message(2, 0, 5_000_000)])
        #expect(result.messages == 2)
        // Equal messages to one host: both are through when both have been sent at the link's rate.
        #expect(result.slowdown.maximum < 2.01)
        #expect(result.slowdown.maximum > 1.9)
    }

    @Test(arguments: [9_000, 60_000]) func `an incast loses unscheduled packets only, and no time`(bytes: Int) throws {
        let script = (1...40).map { message(UInt16($0), 0, bytes) }
        let result = try run(scenario(hosts: 41), script)
        let homa = try #require(result.homa)
        #expect(drops("selective", result) > 200)
        #expect(result.drops.count == 1)
        #expect(homa.probesSent == 40)
        #expect(packets("probe", result) == 40)
        // Each lost packet is asked for once, and sent again once.
        #expect(homa.packetsRetransmitted == drops("selective", result))
        #expect(homa.resendRequestsSent == homa.packetsRetransmitted)
        #expect(homa.bytesFoundLost == homa.bytesRetransmitted)
        #expect(packets("resent", result) == homa.packetsRetransmitted)
        // Far before the first timer (5 ms) when that is possible at all, and hardly later than without any loss.
        let wire = Double(40 * FrameFormat.sigcomm2018.wireBytes(message: bytes)) * 8 / 10e3
        #expect(result.completionMicroseconds.maximum < wire * 1.1 + 20)
    }

    @Test func `the queue stays near the threshold where Homa's takes the whole burst`() throws {
        let script = (1...40).map { message(UInt16($0), 0, 9_000) }
        let with = try run(scenario(hosts: 41), script)
        let without = try run(scenario(aeolus: false, hosts: 41, perPort: 1_000_000), script)
        // Four packets, one on top, and what one message at a time is granted; and 40 probes.
        #expect(with.hostDownlinkQueueMaximumBytes < 5 * 1518 + 8 * 10_000 + 40 * 64)
        #expect(without.hostDownlinkQueueMaximumBytes > 300_000)
    }

    @Test func `without Aeolus the same incast waits for timers`() throws {
        let script = (1...40).map { message(UInt16($0), 0, 9_000) }
        let without = try run(scenario(aeolus: false, hosts: 41), script)
        #expect(drops("buffer_full", without) > 50)
        #expect(drops("selective", without) == 0)
        #expect(without.homa?.probesSent == 0)
        #expect(without.completionMicroseconds.maximum > 5_000)
    }

    @Test func `with nothing dropped it behaves as Homa`() throws {
        func one(_ aeolus: Bool) throws -> SimulationResult {
            try run(
                scenario(aeolus: aeolus, perPort: 10_000_000) {
                    $0.topology.leafSwitch.selectiveDropThresholdBytes = 1 << 40
                    $0.traffic = TrafficConfiguration(sizes: .w4, sizesTruncatedTo: 200_000, load: 0.5)
                    $0.length = RunLength(messages: 2000, drain: .seconds(2))
                })
        }
        let (with, without) = (try one(true), try one(false))
        #expect(with.homa?.bytesFoundLost == 0)
        #expect(with.homa?.packetsRetransmitted == 0)
        #expect(with.homa?.packetsRefused == 0)
        // One for each message, apart from the last ones when the run ends.
        func ratio(_ one: UInt64, _ other: UInt64) -> Double { Double(one) / Double(other) }
        #expect(abs(ratio(packets("probe", with), packets("acknowledgement", with)) - 1) < 0.01)
        #expect(packets("probe", without) == 0)
        #expect(abs(ratio(packets("unscheduled", with), packets("unscheduled", without)) - 1) < 0.01)
        #expect(abs(ratio(packets("grant", with), packets("grant", without)) - 1) < 0.01)
        #expect(abs(with.slowdown.mean / without.slowdown.mean - 1) < 0.02)
        #expect(abs(with.slowdown.p99 / without.slowdown.p99 - 1) < 0.05)
    }

    @Test func `lost responses are found out as well`() throws {
        // Ten hosts ask one host each, and the answers meet in its port.
        let one = scenario(hosts: 11) { $0.traffic.mode = .rpc(responseBytes: 9_000) }
        let result = try run(one, (1...10).map { message(0, UInt16($0), 100) })
        #expect(drops("selective", result) > 20)
        #expect(result.homa?.packetsRetransmitted == drops("selective", result))
        #expect(result.completionMicroseconds.maximum < 200)
    }

    @Test(arguments: [BufferPolicy.perPort, .shared, .dynamicThreshold(alpha: 1)])
    func `it runs under load with any buffer, and the same seed gives the same result`(policy: BufferPolicy) throws {
        let one = scenario {
            $0.topology.leafSwitch.buffer = policy
            $0.traffic = TrafficConfiguration(sizes: .w3, sizesTruncatedTo: 100_000, load: 0.7)
            $0.length = RunLength(messages: 1500, drain: .seconds(2))
        }
        let first = try run(one)
        #expect(first == (try run(one)))
        #expect(drops("selective", first) > 0)
        #expect(drops("buffer_full", first) + drops("threshold", first) == 0)
        // One path: no probe overtakes anything, so what was found lost was lost. Some is on its way when the run ends.
        let resent = Double(try #require(first.homa).packetsRetransmitted)
        #expect(resent <= Double(drops("selective", first)))
        #expect(resent > 0.95 * Double(drops("selective", first)))
    }

    @Test func `probes that overtake packets on other paths do no harm`() throws {
        let one = scenario {
            $0.topology = .named("fabric-10g")!
            $0.topology.shape = .leafSpine(leaves: 4, hostsPerLeaf: 8, spines: 4)
            $0.topology.uplinkRate = .gigabitsPerSecond(20)
            $0.traffic = TrafficConfiguration(sizes: .w3, sizesTruncatedTo: 100_000, load: 0.7)
            $0.length = RunLength(messages: 1500, drain: .seconds(2))
        }
        let result = try run(one)
        let homa = try #require(result.homa)
        #expect(homa.packetsRetransmitted >= drops("selective", result))
        #expect(homa.callsFailed == 0)
    }

    @Test func `thresholds follow from the kind unless they are set`() throws {
        let usual = try run(scenario(), [message(1, 0, 100)]).scenario.topology
        #expect(usual.leafSwitch.selectiveDropThresholdBytes == 4 * 1518)
        #expect(usual.spineSwitch.selectiveDropThresholdBytes == 4 * 1518)
        let own = scenario { $0.topology.leafSwitch.selectiveDropThresholdBytes = 12_000 }
        #expect(try run(own, [message(1, 0, 100)]).scenario.topology.leafSwitch.selectiveDropThresholdBytes == 12_000)
        let plain = try run(scenario(aeolus: false), [message(1, 0, 100)]).scenario.topology
        #expect(plain.leafSwitch.selectiveDropThresholdBytes == nil)
    }
}
