// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@testable import HomaSim

@Suite struct TCPSimulationTests {
    private func scenario(
        _ control: TCPCongestionControl, hosts: Int = 8, buffer: Int? = nil,
        _ change: (inout Scenario) -> Void = { _ in }
    ) -> Scenario {
        var settings = SwitchConfiguration()
        if let buffer { settings = SwitchConfiguration(buffer: .shared, bufferBytes: buffer) }
        let topology = TopologyConfiguration(
            shape: .singleSwitch(hosts: hosts), hostRate: .gigabitsPerSecond(10), uplinkRate: .gigabitsPerSecond(40),
            leafSwitch: settings)
        var scenario = Scenario(
            topology: topology, transport: .tcp(TCPConfiguration(congestionControl: control)),
            traffic: TrafficConfiguration(sizes: .fixed(1460), load: 0.5),
            length: RunLength(messages: 300, drain: .seconds(10)), seed: 11)
        change(&scenario)
        return scenario
    }

    private func tcp(_ scenario: inout Scenario, _ change: (inout TCPConfiguration) -> Void) {
        guard case .tcp(var settings) = scenario.transport else { return }
        change(&settings)
        scenario.transport = .tcp(settings)
    }

    private func message(_ source: UInt16, _ destination: UInt16, _ bytes: Int, at start: UInt64 = 0)
        -> Simulation.ScriptedMessage
    {
        .init(start: start, source: source, destination: destination, bytes: bytes)
    }

    /// Bytes that each receiver has in order, by connection.
    private func received(_ simulation: inout Simulation) -> [UInt64] { simulation.transport.tcp!.receivedBytes() }

    // MARK: One and two flows

    @Test(arguments: TCPCongestionControl.allCases)
    func `one flow fills the link`(control: TCPCongestionControl) throws {
        var simulation = try Simulation(
            scenario(control, buffer: 1_000_000), script: [message(1, 0, 200_000_000)])
        while simulation.now < .milliseconds(20) { _ = simulation.run(until: 100) }
        let (before, since) = (received(&simulation)[0], simulation.now)
        while simulation.now < .milliseconds(60) { _ = simulation.run(until: 100) }
        let bits = Double(received(&simulation)[0] - before) * 8
        let rate = bits / (Double(simulation.now - since) * 1e-12)
        #expect(rate > 0.99 * 10e9 * 1460 / 1538)
        #expect(rate <= 10e9 * 1460 / 1538 * 1.001)
    }

    @Test(arguments: TCPCongestionControl.allCases)
    func `two flows share a link fairly`(control: TCPCongestionControl) throws {
        // A link between two leaves that is slower than the hosts'. With equal ones the sender that is first can
        // keep a full buffer full for ever without a loss of its own, as its packets come just when others leave.
        // Where losses make the windows, a small buffer makes them often enough to see it soon.
        let one = scenario(control, buffer: 64 * 1518) {
            $0.topology.shape = .leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 1)
            $0.topology.uplinkRate = .gigabitsPerSecond(8)
            $0.topology.leafSwitch.ecnThresholdBytes = 30 * 1518
        }
        var simulation = try Simulation(
            one, script: [message(0, 2, 200_000_000), message(1, 3, 200_000_000, at: .milliseconds(2))])
        while simulation.now < .milliseconds(20) { _ = simulation.run(until: 100) }
        let before = received(&simulation).map { Double($0) }
        while simulation.now < .milliseconds(80) { _ = simulation.run(until: 100) }
        let shares = zip(received(&simulation), before).map { Double($0) - $1 }
        let sum = shares[0] + shares[1]
        let jain = sum * sum / (2 * (shares[0] * shares[0] + shares[1] * shares[1]))
        #expect(jain > 0.95)
        #expect(sum * 8 / 0.06 > 0.97 * 8e9 * 1460 / 1538)
        let figures = simulation.transport.tcpStatistics()
        let statistics = try #require(figures)
        #expect(statistics.timeouts == 0)
    }

    @Test func `a short message that nothing hinders takes exactly the best time`() throws {
        for bytes in [1, 1460, 1461, 14_600] {
            #expect(try runToEnd(scenario(.cubic), [message(1, 2, bytes)]).slowdown.maximum == 1)
        }
    }

    // MARK: DCTCP's queue

    @Test(arguments: [2, 8]) func `DCTCP keeps the queue near the threshold, and the link busy`(flows: Int) throws {
        var simulation = try Simulation(
            scenario(.dctcp, hosts: 9), script: (1...flows).map { message(UInt16($0), 0, 100_000_000) })
        while simulation.now < .milliseconds(10) { _ = simulation.run(until: 100) }
        let downlink = simulation.network.downlink(to: 0)
        let before = received(&simulation).reduce(0, +)
        var (most, least, sum, count) = (0, Int.max, 0, 0)
        while simulation.now < .milliseconds(30) {
            _ = simulation.run(until: 20)
            let queue = simulation.network.ports[downlink].queuedBytes
            most = max(most, queue)
            least = min(least, queue)
            sum += queue
            count += 1
        }
        // The paper's bound (3.4): a segment more per flow, which both marks and windows are a round trip late to stop.
        let threshold = 65 * 1518
        #expect(most <= threshold + (2 * flows + 4) * 1518)
        #expect(most >= threshold)
        #expect(least > threshold / 4)
        #expect(abs(sum / count - threshold) < threshold / 4)
        let rate = Double(received(&simulation).reduce(0, +) - before) * 8 / 0.02
        #expect(rate > 0.99 * 10e9 * 1460 / 1538)
    }

    // MARK: Incast

    @Test(arguments: TCPCongestionControl.allCases)
    func `an incast of forty into a tiny buffer loses packets and no message`(control: TCPCongestionControl) throws {
        let one = scenario(control, hosts: 41, buffer: 40 * 1518) { one in
            tcp(&one) { $0.minimumRTO = .milliseconds(10) }
        }
        let result = try runToEnd(one, (1...40).map { message(UInt16($0), 0, 30_000) })
        #expect(result.messages == 40)
        #expect(result.messagesIncomplete == 0)
        #expect(result.conservation.dropped > 100)
        #expect(result.switchBufferMaximumBytes <= 40 * 1518)
        let statistics = try #require(result.tcp)
        #expect(statistics.segmentsRetransmitted > 100)
        #expect(statistics.timeouts + statistics.fastRecoveries > 10)
    }

    // MARK: Streams

    @Test func `a short message waits for the long one before it, but not on a connection of its own`() throws {
        for pool in [1, 2] {
            let one = scenario(.cubic) { one in tcp(&one) { $0.connectionsPerPair = pool } }
            let result = try runToEnd(one, [message(1, 2, 1_000_000), message(1, 2, 100, at: 1_000_000)])
            let fastest = result.completionMicroseconds.median
            // A megabyte takes 843 µs at 10 Gb/s.
            if pool == 1 { #expect(fastest > 840) } else { #expect(fastest < 10) }
            #expect(result.tcp?.connections == UInt64(pool))
        }
    }

    @Test func `connections of a host take turns`() throws {
        // Two long messages from one host: both take the time of both.
        let result = try runToEnd(scenario(.newReno), [message(1, 2, 1_000_000), message(1, 3, 1_000_000)])
        #expect(result.completionMicroseconds.median > 1650)
        #expect(result.completionMicroseconds.maximum < 1750)
    }

    @Test func `responses do not wait for requests`() throws {
        let one = scenario(.cubic) { $0.traffic.mode = .rpc(responseBytes: 100) }
        // Host 2 sends a long request to host 1 while it answers a short one of host 1.
        let result = try runToEnd(one, [message(2, 1, 1_000_000), message(1, 2, 100, at: 1_000_000)])
        #expect(result.messages == 2)
        #expect(result.completionMicroseconds.median < 20)
    }

    // MARK: Whole runs

    @Test func `the same seed gives the same result, another seed another`() throws {
        let one = scenario(.dctcp, buffer: 100 * 1518) {
            $0.traffic = TrafficConfiguration(sizes: .w4, sizesTruncatedTo: 100_000, load: 0.6)
            $0.length = RunLength(messages: 400, warmUp: .zero, drain: .seconds(10))
        }
        let first = try runToEnd(one)
        #expect(first == (try runToEnd(one)))
        var other = one
        other.seed = 12
        #expect(first.slowdown != (try runToEnd(other)).slowdown)
    }

    @Test(arguments: TCPCongestionControl.allCases)
    func `downlinks carry the load that was asked for`(control: TCPCongestionControl) throws {
        let one = scenario(control) {
            $0.traffic = TrafficConfiguration(sizes: .fixed(10_000), load: 0.6)
            $0.length = RunLength(messages: 4000)
        }
        let result = try runToEnd(one)
        #expect(abs(try #require(result.tier("host_downlink")).utilisation - 0.6) < 0.05)
        #expect(result.messages == 4000)
        #expect(result.slowdown.median >= 1)
    }

    @Test func `packets of a connection keep their path where others are sprayed, unless told otherwise`() throws {
        for keeps in [true, false] {
            var one = scenario(.newReno) {
                $0.topology = .named("fabric-10g")!
                $0.measurement.perPort = true
            }
            tcp(&one) { $0.keepsPaths = keeps }
            let result = try runToEnd(one, [message(0, 143, 2_000_000)])
            let uplinks = result.ports.filter { $0.name.hasPrefix("leaf 0 → spine") && $0.utilisation > 0 }.count
            #expect(uplinks == (keeps ? 1 : 4))
            #expect(result.scenario.topology.pathChoice == (keeps ? .perFlowECMP : .perPacketSpraying))
        }
    }

    // MARK: Settings

    @Test func `settings that cannot work are named`() {
        func field(_ change: (inout TCPConfiguration) -> Void) -> String? {
            var one = scenario(.cubic)
            tcp(&one, change)
            do {
                try one.validated()
                return nil
            } catch { return error.field }
        }
        #expect(field { _ in } == nil)
        #expect(field { $0.connectionsPerPair = 0 } == "transport.connections_per_pair")
        #expect(field { $0.initialWindowSegments = 0 } == "transport.initial_window_segments")
        #expect(field { $0.minimumRTO = .zero } == "transport.minimum_rto_us")
        #expect(field { $0.maximumRTO = .milliseconds(1) } == "transport.maximum_rto_us")
        #expect(field { $0.delayedAck = .milliseconds(200) } == "transport.delayed_ack_us")
        #expect(field { $0.minimumRTO = .milliseconds(1) } == nil)
        #expect(field { $0.segmentsPerAck = 0 } == "transport.segments_per_ack")
        #expect(field { $0.receiveWindowBytes = 1460 } == "transport.receive_window_bytes")
        #expect(field { $0.dctcpGain = 0 } == "transport.dctcp_gain")
        #expect(field { $0.hostQueueBytes = -1 } == "transport.host_queue_bytes")
        #expect(field { $0.segmentsPerTurn = 65 } == "transport.segments_per_turn")
    }
}

extension TCPTransport {
    fileprivate mutating func receivedBytes() -> [UInt64] {
        var bytes: [UInt64] = []
        for connection in 0..<connectionCount { bytes.append(receivers[connection].next) }
        return bytes
    }
}
