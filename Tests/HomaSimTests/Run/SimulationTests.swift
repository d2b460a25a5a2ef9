// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWorkloads
import Testing

@testable import HomaSim

@Suite struct SimulationTests {
    private func scenario(
        _ shape: TopologyConfiguration.Shape = .singleSwitch(hosts: 8), bytes: Int = 1442,
        _ change: (inout Scenario) -> Void = { _ in }
    ) -> Scenario {
        let topology = TopologyConfiguration(
            shape: shape, hostRate: .gigabitsPerSecond(10), uplinkRate: .gigabitsPerSecond(40))
        var scenario = Scenario(
            topology: topology, transport: .homa(HomaTransportConfiguration(preset: .sigcomm2018)),
            traffic: TrafficConfiguration(sizes: .fixed(bytes), load: 0.5), length: RunLength(messages: 300), seed: 11)
        scenario.measurement.ideal = .transport
        change(&scenario)
        return scenario
    }

    private func run(_ scenario: Scenario, _ script: [Simulation.ScriptedMessage] = []) throws -> SimulationResult {
        var simulation = try Simulation(scenario, script: script)
        var slices = 0
        while !simulation.run(until: 100_000), slices < 200 { slices += 1 }
        let result = simulation.finish()
        #expect(result.failure == nil)
        #expect(result.conservation.holds)
        return result
    }

    @Test func `between two slices no host is in the protocol core, and the oracle has none`() throws {
        var homa = try Simulation(scenario())
        let found = homa.isInProtocolCore
        let flag = try #require(found)
        while !homa.run(until: 1000) { #expect(flag.pointee == false) }
        var oracle = try Simulation(scenario { $0.transport = .srptOracle })
        let none = oracle.isInProtocolCore
        #expect(none == nil)
    }

    private func message(_ source: UInt16, _ destination: UInt16, _ bytes: Int, at start: UInt64 = 0)
        -> Simulation.ScriptedMessage
    {
        .init(start: start, source: source, destination: destination, bytes: bytes)
    }

    private func incast(_ senders: Int, _ bytes: Int) -> [Simulation.ScriptedMessage] {
        (1...senders).map { message(UInt16($0), 0, bytes) }
    }

    // MARK: Times

    @Test func `one byte takes 2.42 µs across racks of fabric-10g, by simulation`() throws {
        let one = scenario { $0.topology = .named("fabric-10g")! }
        let result = try run(one, [message(0, 143, 1)])
        #expect(result.messages == 1)
        #expect(abs(result.completionMicroseconds.maximum - 2.42) < 0.03 * 2.42)
    }

    @Test func `a full packet and a control packet back take 7.74 µs across racks, by simulation`() throws {
        let one = scenario {
            $0.topology = .named("fabric-10g")!
            $0.traffic.mode = .rpc(responseBytes: 1)
        }
        // The answer is 13 bytes longer than a control packet.
        let result = try run(one, [message(0, 143, 1442)])
        #expect(abs(result.completionMicroseconds.maximum - 7.74) < 0.01 * 7.74)
    }

    @Test(
        arguments: [1, 100, 1442, 1443, 5000, 9328],
        [TopologyConfiguration.Switching.storeAndForward, .cutThrough])
    func `a message that nothing hinders takes exactly the best time`(
        bytes: Int, switching: TopologyConfiguration.Switching
    ) throws {
        let one = scenario { $0.topology.switching = switching }
        #expect(try run(one, [message(1, 2, bytes)]).slowdown.maximum == 1)
        let fabric = scenario(.leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 1)) { $0.topology.switching = switching }
        #expect(try run(fabric, [message(0, 3, bytes)]).slowdown.maximum == 1)
    }

    @Test func `reckoned with bare frames a message carries its transport's headers`() throws {
        let one = scenario { $0.measurement.ideal = .udp }
        // 1538 bytes on both links where 1442 + 66 would do, beside 1.75 µs of delays.
        let expected = (2 * 1.2304 + 1.75) / (2 * 1.2064 + 1.75)
        #expect(abs(try run(one, [message(1, 2, 1442)]).slowdown.maximum - expected) < 1e-6)
    }

    @Test func `spraying never beats the best time`() throws {
        let one = scenario(.leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 2))
        for bytes in [1443, 2884 + 20, 9328] {
            let slowdown = try run(one, [message(0, 3, bytes)]).slowdown.maximum
            #expect(slowdown >= 1 && slowdown < 1.02)
        }
    }

    @Test func `cut-through saves almost a packet time at the switch`() throws {
        let slow = try run(scenario(), [message(1, 2, 1442)]).completionMicroseconds.maximum
        let fast = try run(scenario { $0.topology.switching = .cutThrough }, [message(1, 2, 1442)])
        // All but 84 of 1538 bytes at 10 Gb/s.
        #expect(abs(slow - fast.completionMicroseconds.maximum - 1.1632) < 0.0001)
    }

    // MARK: Queues

    @Test func `packets that arrive together queue up behind the first`() throws {
        let result = try run(scenario(), incast(5, 1442))
        #expect(result.hostDownlinkQueueMaximumBytes == 5 * 1518)
        #expect(result.switchBufferMaximumBytes == 5 * 1518)
        // 8 ports of 10 Gb/s.
        #expect(abs(result.switchBufferMaximumMicroseconds - 5 * 1518 * 8 / 80_000.0) < 1e-9)
    }

    @Test func `an incast of two packets each leaves one round less what was sent meanwhile`() throws {
        // Three come at once, one is sent while the next three come: 3 − 1 + 3.
        #expect(try run(scenario(), incast(3, 2884)).hostDownlinkQueueMaximumBytes == 5 * 1518)
    }

    @Test func `the mean queue is that of the time measured`() throws {
        // Two packets, one waiting for the time of the other: (2 + 1) × 1518 bytes × 1.2304 µs over the time measured.
        let result = try run(scenario(), incast(2, 1442))
        let downlinks = try #require(result.tier("host_downlink"))
        let time = Double(result.measuredTime.picoseconds) / 1e6
        #expect(abs(downlinks.queue.meanBytes - 3 * 1518 * 1.2304 / time / 8) < 0.01)
    }

    @Test func `an idle downlink is wasted while a message to it has not been sent`() throws {
        // Until its first packet begins on the downlink, and no longer: the packet is all there is.
        let result = try run(scenario(), [message(1, 2, 1442)])
        #expect(result.wastedBandwidth < 0.01)
        let long = try run(scenario(), [message(1, 2, 1442 * 6)])
        // Idle for the first packet's way to the switch's port; the last has been sent before that link falls idle.
        let path = 1.0 + 1.2304 + 0.25
        let time = Double(long.measuredTime.picoseconds) / 1e6
        #expect(abs(long.wastedBandwidth * 8 * time - path) < 0.01)
    }

    // MARK: Whole runs

    @Test func `the same seed gives the same result, another seed another`() throws {
        let one = scenario(.leafSpine(leaves: 2, hostsPerLeaf: 4, spines: 2), bytes: 5000)
        let first = try run(one)
        #expect(first == (try run(one)))
        var other = one
        other.seed = 12
        #expect(first.slowdown != (try run(other)).slowdown)
    }

    @Test func `downlinks carry the load that was asked for`() throws {
        let one = scenario(bytes: 1442) {
            $0.length = RunLength(messages: 4000)
            $0.traffic.load = 0.6
        }
        let downlinks = try #require(try run(one).tier("host_downlink"))
        #expect(abs(downlinks.utilisation - 0.6) < 0.05)
        #expect(downlinks.priorities.reduce(0) { $0 + $1.packets } > 3500)
    }

    @Test func `a run that must be measured for a time is`() throws {
        let one = scenario { $0.length = RunLength(duration: .microseconds(200), warmUp: .microseconds(50)) }
        let result = try run(one)
        #expect(result.measuredTime == .microseconds(200))
        #expect(result.messages > 0)
    }

    @Test func `a closed loop keeps its messages under way`() throws {
        let one = scenario {
            $0.traffic.arrivals = .closed(outstanding: 1)
            $0.traffic.pattern = .outcast(receivers: 3)
        }
        let result = try run(one)
        // One message at a time and nothing in its way.
        #expect(result.messages == 300)
        #expect(result.slowdown.mean < 1.05)
    }

    @Test(arguments: [TrafficPattern.incast(senders: 4), .outcast(receivers: 3), .permutation, .allToAll])
    func `every pattern completes`(pattern: TrafficPattern) throws {
        let result = try run(scenario(bytes: 3000) { $0.traffic.pattern = pattern })
        #expect(result.messages == 300)
        #expect(result.messagesIncomplete == 0)
    }

    @Test(arguments: HomaPreset.allCases)
    func `calls are answered with every preset`(preset: HomaPreset) throws {
        let one = scenario(bytes: 20_000) {
            $0.transport = .homa(HomaTransportConfiguration(preset: preset))
            $0.traffic.mode = .rpc(responseBytes: 300)
            $0.length = RunLength(messages: 100)
        }
        let result = try run(one)
        #expect(result.messages == 100)
        #expect(result.messagesFailed == 0)
        #expect(result.slowdown.median >= 1)
    }

    @Test func `tiny buffers lose packets and no message`() throws {
        let one = scenario(bytes: 8000) {
            $0.topology.leafSwitch = SwitchConfiguration(buffer: .shared, bufferBytes: 5 * 1518)
        }
        let result = try run(one, incast(7, 8000) + [message(3, 5, 100_000, at: 1_000_000)])
        #expect(result.messages == 8)
        #expect(result.messagesIncomplete == 0)
        #expect(result.drops.map(\.reason) == ["buffer_full"])
        #expect(result.conservation.dropped > 0)
        #expect(result.switchBufferMaximumBytes <= 5 * 1518)
        #expect(result.homa.map { $0.packetsRetransmitted > 0 } == true)
    }

    @Test func `a series records what the switches hold`() throws {
        let one = scenario { $0.measurement.occupancySeriesInterval = .microseconds(10) }
        let result = try run(one)
        #expect(result.series.count > 3)
        #expect(result.series.allSatisfy { $0.bytes.count == 1 })
        #expect(result.series.map(\.longestHostDownlinkBytes).max() ?? 0 <= result.hostDownlinkQueueMaximumBytes)
    }

    @Test func `progress is reported and a run may be finished early`() throws {
        var simulation = try Simulation(scenario { $0.length = RunLength(messages: 5000) })
        #expect(simulation.run(until: 4000) == false)
        let progress = simulation.progress
        #expect(progress.events == 4000)
        #expect(progress.fraction < 1)
        let result = simulation.finish()
        #expect(result.conservation.holds)
        #expect(result.failure == nil)
    }

    @Test func `a packet that vanishes without a drop is missed in the books`() throws {
        var simulation = try Simulation(scenario(), script: [message(1, 2, 20_000, at: 0)])
        var lost = Packet.none
        while lost == Packet.none, !simulation.run(until: 1) { lost = takeFromLink(&simulation) }
        #expect(lost != Packet.none)
        while !simulation.run(until: 1000) {}
        let result = simulation.finish()
        #expect(result.conservation.holds == false)
        let failure = try #require(result.failure)
        #expect(failure.contains("packets do not add up"))
        #expect(failure.contains("seed 11"))
    }

    /// Takes the second packet on some link away, as only a fault of the simulator could.
    private func takeFromLink(_ simulation: inout Simulation) -> UInt32 {
        for index in 0..<simulation.network.portCount {
            let port = simulation.network.ports + index
            guard port.pointee.flightHead != port.pointee.flightTail else { continue }
            let first = simulation.packets.at(port.pointee.flightHead)
            let second = first.pointee.next
            first.pointee.next = simulation.packets.at(second).pointee.next
            if first.pointee.next == Packet.none { port.pointee.flightTail = port.pointee.flightHead }
            return second
        }
        return Packet.none
    }

    @Test func `a run that falls silent with messages unfinished says so and how to replay it`() throws {
        var simulation = try Simulation(scenario(), script: [message(1, 2, 20_000, at: 0)])
        _ = simulation.run(until: 3)
        while simulation.network.events.count > 0 { _ = simulation.network.events.pop() }
        let isOver = simulation.run(until: 1)
        #expect(isOver)
        let result = simulation.finish()
        #expect(result.conservation.holds)
        let failure = try #require(result.failure)
        #expect(failure.contains("nothing left to happen"))
        #expect(failure.contains("1 messages are incomplete"))
        #expect(failure.contains("seed 11"))
    }

    @Test func `load goes on during the drain only if wanted`() throws {
        func packets(loadsDrain: Bool) throws -> UInt64 {
            let result = try run(
                scenario(bytes: 200_000) { $0.length = RunLength(messages: 50, loadsDrain: loadsDrain) })
            #expect(result.messages == 50)
            return result.conservation.sent
        }
        let (quiet, loaded) = try (packets(loadsDrain: false), packets(loadsDrain: true))
        #expect(quiet < loaded)
    }

    // MARK: Paths

    @Test func `a flow keeps its path with ECMP, and packets are spread with spraying`() throws {
        func uplinksUsed(_ choice: TopologyConfiguration.PathChoice) throws -> Int {
            let one = scenario(.leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 4)) {
                $0.topology.pathChoice = choice
                $0.measurement.perPort = true
            }
            let result = try run(one, [message(0, 3, 60_000)])
            return result.ports.filter { $0.name.hasPrefix("leaf 0 → spine") && $0.utilisation > 0 }.count
        }
        #expect(try uplinksUsed(.perFlowECMP) == 1)
        #expect(try uplinksUsed(.perPacketSpraying) == 4)
    }
}
