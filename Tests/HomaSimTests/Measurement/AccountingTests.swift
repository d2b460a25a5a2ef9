// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@testable import HomaSim

/// Figures of switches and links, of packets put in by hand: 1538 bytes on the wire, which take 1 230 400 ps at 10 Gb/s
/// and 307 600 ps at 40 Gb/s; 1518 in a buffer.
@Suite struct AccountingTests {
    private let packet = 1518
    private let time: UInt64 = 1_230_400
    private let scenario = Scenario(
        topology: TopologyConfiguration(
            shape: .singleSwitch(hosts: 4), hostRate: .gigabitsPerSecond(10), uplinkRate: .gigabitsPerSecond(40)),
        transport: .srptOracle, traffic: TrafficConfiguration(sizes: .fixed(1)), seed: 1)

    private func bench() -> BufferTests.Bench { BufferTests.Bench(hosts: 4, SwitchConfiguration()) }

    private func result(_ bench: inout BufferTests.Bench, at now: UInt64) -> SimulationResult {
        var result = SimulationResult(scenario: scenario)
        bench.network.fill(&result, at: now, perPort: true)
        return result
    }

    // MARK: Queues

    @Test func `a port and a priority of it have the mean and the most of what waited there, for as long as it did`()
        throws
    {
        var bench = bench()
        bench.network.beginMeasurement(at: 0)
        // Nothing for a while, then three packets of one priority and, at another port, one of another.
        #expect(bench.fill(to: 1, priority: 3, limit: 3, at: 1_000_000) == 3)
        #expect(bench.fill(to: 2, priority: 5, limit: 1, at: 1_000_000) == 1)
        let end = 1_000_000 + 4 * time
        let tier = try #require(result(&bench, at: end).tier("host_downlink"))
        let share = Double(time) / Double(end) / 4
        #expect(abs(tier.queue.meanBytes - Double((3 + 2 + 1 + 1) * packet) * share) < 0.01)
        #expect(abs(tier.priorities[3].queue.meanBytes - Double((3 + 2 + 1) * packet) * share) < 0.01)
        #expect(abs(tier.priorities[5].queue.meanBytes - Double(packet) * share) < 0.01)
        #expect(tier.priorities[4].queue.meanBytes == 0)
        #expect(tier.queue.maximumBytes == 3 * packet)
        #expect((0..<8).map { tier.priorities[$0].queue.maximumBytes } == [0, 0, 0, 3, 0, 1, 0, 0].map { $0 * packet })
        #expect((0..<8).map { tier.priorities[$0].packets } == [0, 0, 0, 3, 0, 1, 0, 0])
        #expect(tier.priorities[3].wireBytes == 3 * 1538)
    }

    @Test func `what was before the measurement counts as far as it is still there`() throws {
        var bench = bench()
        #expect(bench.fill(to: 1, priority: 3, limit: 5) == 5)
        bench.network.beginMeasurement(at: 3 * time)
        let tier = try #require(result(&bench, at: 4 * time).tier("host_downlink"))
        #expect(abs(tier.queue.meanBytes - Double(2 * packet) / 4) < 0.01)
        #expect(abs(tier.priorities[3].queue.meanBytes - Double(2 * packet) / 4) < 0.01)
        #expect(tier.queue.maximumBytes == 2 * packet && tier.priorities[3].queue.maximumBytes == 2 * packet)
    }

    @Test func `percentiles are those of the measured time, at any port, and not of changes`() throws {
        var bench = BufferTests.Bench(hosts: 2, SwitchConfiguration())
        #expect(bench.fill(to: 1, limit: 50) == 50)
        let begin = 50 * time
        bench.network.beginMeasurement(at: begin)
        #expect(bench.fill(to: 1, limit: 3, at: begin) == 3)
        // Of twenty times at the two ports there is nothing in seventeen.
        let tier = try #require(result(&bench, at: begin + 10 * time).tier("host_downlink"))
        for queue in [tier.queue, tier.priorities[0].queue] {
            #expect(queue.medianBytes == 0)
            #expect(abs(queue.p90Bytes - 2 * packet) <= packet + 50 && queue.p90Bytes > 0)
            #expect(abs(queue.p99Bytes - 3 * packet) <= 100)
        }
        bench.network.beginMeasurement(at: begin + 10 * time)
        #expect(bench.fill(to: 1, limit: 1, at: begin + 10 * time) == 1)
        let later = try #require(result(&bench, at: begin + 110 * time).tier("host_downlink"))
        for queue in [later.queue, later.priorities[0].queue] {
            #expect(queue.maximumBytes == packet && queue.p90Bytes == 0 && queue.p99Bytes == 0)
        }
    }

    @Test func `dropped bytes are those on the wire, and a port counts those of the measured time`() {
        var bench = BufferTests.Bench(hosts: 2, SwitchConfiguration(buffer: .shared, bufferBytes: 2 * packet))
        #expect(bench.fill(to: 1) == 2)
        #expect(bench.network.dropBytes[Int(NetworkDrop.bufferFull.rawValue)] == 1538)
        #expect(result(&bench, at: 1).ports.map(\.drops).reduce(0, +) == 1)
        bench.network.beginMeasurement(at: 1)
        #expect(result(&bench, at: 2).ports.map(\.drops).reduce(0, +) == 0)
    }

    // MARK: Links

    @Test func `of a packet that is being sent only the part within the measured time makes a link busy`() throws {
        var bench = bench()
        #expect(bench.fill(to: 1, limit: 1) == 1)
        bench.network.beginMeasurement(at: time / 4)
        let middle = try #require(result(&bench, at: time / 2).tier("host_downlink"))
        #expect(abs(middle.maximumUtilisation - 1) < 1e-9 && abs(middle.utilisation - 0.25) < 1e-9)
        let end = try #require(result(&bench, at: time / 4 + 3 * time).tier("host_downlink"))
        #expect(abs(end.maximumUtilisation - 0.25) < 1e-9)
    }

    @Test func `a downlink is wasted while it is idle and a message wants it, and not otherwise`() {
        var bench = bench()
        bench.network.beginMeasurement(at: 0)
        bench.network.changeWanting(1, by: 1, at: 1_000)
        bench.network.changeWanting(1, by: 1, at: 2_000)
        bench.network.changeWanting(1, by: -1, at: 3_000)
        bench.network.changeWanting(1, by: -1, at: 5_000)
        #expect(bench.network.wasted == 4_000)
        bench.network.changeWanting(1, by: 1, at: 10_000)
        #expect(bench.fill(to: 1, limit: 1, at: 11_000) == 1)
        #expect(bench.network.wasted == 5_000, "until the packet begins")
        // It is idle again when that has been sent, and still wanted at the end.
        let end = 11_000 + time + 7_000
        let wasted = result(&bench, at: end).wastedBandwidth
        #expect(abs(wasted * Double(end) * 4 - 12_000) < 0.01)
    }

    @Test func `what was wasted before the measurement does not count`() {
        var bench = bench()
        bench.network.changeWanting(1, by: 1, at: 1_000)
        bench.network.beginMeasurement(at: 10_000)
        let wasted = result(&bench, at: 15_000).wastedBandwidth
        #expect(abs(wasted - 0.25) < 1e-9, "one of four all the time")
    }

    // MARK: Switches

    @Test func `a switch is sampled as a whole, downwards and upwards`() throws {
        var topology = TopologyConfiguration(
            shape: .leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 1), hostRate: .gigabitsPerSecond(10),
            uplinkRate: .gigabitsPerSecond(40), leafSwitch: SwitchConfiguration(buffer: .shared, bufferBytes: 100_000))
        topology.pathChoice = .perFlowECMP
        var bench = BufferTests.Bench(topology.shape, topology.leafSwitch)
        var sampler = SwitchSampler(switches: 3)
        #expect(bench.fill(to: 1, limit: 5) == 5 && bench.fill(to: 2, limit: 2) == 2)
        sampler.sample(&bench.network, at: 0)
        sampler.record(&bench.network, at: 0)
        // One upwards and one downwards have been sent, and the other upwards.
        sampler.sample(&bench.network, at: time)
        bench.network.beginMeasurement(at: time)
        // Downwards all have left when two more go upwards.
        #expect(bench.fill(to: 2, limit: 2, at: 10 * time) == 2)
        var result = SimulationResult(scenario: scenario)
        sampler.fill(&result, &bench.network, topology)
        let leaf = try #require(result.switches.first)
        #expect(leaf.downlinks.meanBytes == 4.5 * Double(packet) && leaf.uplinks.meanBytes == Double(packet))
        #expect(leaf.total.meanBytes == 5.5 * Double(packet))
        #expect(leaf.downlinks.maximumBytes == 4 * packet && leaf.uplinks.maximumBytes == 2 * packet)
        #expect(leaf.total.maximumBytes == 4 * packet, "not both at once")
        #expect(leaf.downlinks.bitsPerSecond == 2e10 && leaf.uplinks.bitsPerSecond == 4e10)
        #expect(leaf.total.bitsPerSecond == 6e10)
        #expect(leaf.bufferBytes == 100_000 && result.switches.last?.bufferBytes == nil)
        let sample = try #require(result.series.first)
        #expect(sample.bytes == [7 * packet, 0, 0] && sample.longestHostDownlinkBytes == 5 * packet)
    }
}
