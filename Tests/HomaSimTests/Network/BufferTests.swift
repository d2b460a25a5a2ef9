// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@testable import HomaSim

/// One switch, packets put into it by hand at time 0: full ones of 1538 bytes on the wire, 1518 in a buffer.
@Suite struct BufferTests {
    struct Bench: ~Copyable {
        let packets = PacketStore(extraStride: 0)
        var network: Network

        init(hosts: Int, _ settings: SwitchConfiguration) { self.init(.singleSwitch(hosts: hosts), settings) }

        init(
            _ shape: TopologyConfiguration.Shape, _ settings: SwitchConfiguration,
            paths: TopologyConfiguration.PathChoice = .perPacketSpraying, seed: UInt64 = 1
        ) {
            var topology = TopologyConfiguration(
                shape: shape, hostRate: .gigabitsPerSecond(10), uplinkRate: .gigabitsPerSecond(40),
                leafSwitch: settings)
            topology.pathChoice = paths
            network = Network(
                Scenario(
                    topology: topology, transport: .srptOracle, traffic: TrafficConfiguration(sizes: .fixed(1)),
                    seed: seed),
                packets: packets)
        }

        deinit { packets.destroy() }

        /// Offers packets for a host one after the other; how many are let in before the first that is not.
        mutating func fill(
            to host: UInt16, from source: UInt16 = 0, priority: UInt8 = 0, marks: Packet.Marks = [],
            flow: UInt32 = 0, limit: Int = 100, at time: UInt64 = 0
        ) -> Int {
            for count in 0..<limit {
                let before = network.dropped
                let packet = packets.take(
                    Packet(
                        source: source, destination: host, wireBytes: 1538, message: 0, flow: flow, payloadBytes: 1442,
                        priority: priority, marks: marks, kind: .scheduled))
                network.enter(packet, from: network.ports + Int(source), at: time)
                if network.dropped > before { return count }
            }
            return limit
        }
    }

    private let packet = 1518

    @Test func `an unlimited buffer takes everything`() {
        var bench = Bench(hosts: 4, SwitchConfiguration(buffer: .unlimited, bufferBytes: 1))
        #expect(bench.fill(to: 1) == 100)
        #expect(bench.network.ports[bench.network.downlink(to: 1)].queuedBytes == 100 * packet)
    }

    @Test func `a shared pool is filled by whoever comes first`() {
        var bench = Bench(hosts: 4, SwitchConfiguration(buffer: .shared, bufferBytes: 10 * packet + 100))
        #expect(bench.fill(to: 1, limit: 7) == 7)
        #expect(bench.fill(to: 2) == 3)
        #expect(bench.fill(to: 3) == 0)
        #expect(bench.network.dropPackets[Int(NetworkDrop.bufferFull.rawValue)] == 2)
    }

    @Test func `what has been sent makes room, and nothing earlier does`() {
        var bench = Bench(hosts: 4, SwitchConfiguration(buffer: .shared, bufferBytes: 10 * packet))
        #expect(bench.fill(to: 1) == 10)
        // 1538 bytes at 10 Gb/s take 1 230 400 ps.
        #expect(bench.fill(to: 2, at: 1_230_399) == 0)
        #expect(bench.fill(to: 2, at: 1_230_400) == 1)
        #expect(bench.fill(to: 2, at: 1_230_400 * 3) == 3)
    }

    @Test func `a dynamic threshold lets a queue grow to alpha times what is free`() {
        // With alpha 1 and room for ten: 0 < 10, 1 < 9, 2 < 8, 3 < 7, 4 < 6, and 5 < 5 is false.
        var one = Bench(hosts: 4, SwitchConfiguration(buffer: .dynamicThreshold(alpha: 1), bufferBytes: 10 * packet))
        #expect(one.fill(to: 1) == 5)
        // 0 < 5, 1 < 4, 2 < 3, and 3 < 2 is false.
        #expect(one.fill(to: 2) == 3)
        #expect(one.network.dropPackets[Int(NetworkDrop.threshold.rawValue)] == 2)
        // With alpha 1/2: 0 < 5, 1 < 4.5, 2 < 4, 3 < 3.5, and 4 < 3 is false.
        var half = Bench(hosts: 4, SwitchConfiguration(buffer: .dynamicThreshold(alpha: 0.5), bufferBytes: 10 * packet))
        #expect(half.fill(to: 1) == 4)
    }

    @Test func `a dynamic threshold holds for each priority of a port by itself`() {
        var bench = Bench(hosts: 4, SwitchConfiguration(buffer: .dynamicThreshold(alpha: 1), bufferBytes: 10 * packet))
        #expect(bench.fill(to: 1, priority: 0) == 5)
        #expect(bench.fill(to: 1, priority: 7) == 3)
    }

    @Test func `a dynamic threshold holds for what a queue has beyond its reserve`() {
        let settings = SwitchConfiguration(
            buffer: .dynamicThreshold(alpha: 0.5), bufferBytes: (2 * 8 + 10) * packet, reservedBytesPerQueue: packet)
        var bench = Bench(hosts: 2, settings)
        // One in the reserve; 0 < 5, 1 < 4.5, 2 < 4, 3 < 3.5, and 4 < 3 is false.
        #expect(bench.fill(to: 1) == 5)
    }

    @Test func `a static partition gives each port its part and no more`() {
        var bench = Bench(hosts: 4, SwitchConfiguration(buffer: .perPort, bufferBytes: 16 * packet))
        #expect(bench.fill(to: 1) == 4)
        #expect(bench.fill(to: 1, priority: 7) == 0)
        #expect(bench.fill(to: 2) == 4)
    }

    @Test func `ports of a group share, and groups do not`() {
        var bench = Bench(hosts: 4, SwitchConfiguration(buffer: .groups(ports: 2), bufferBytes: 8 * packet))
        #expect(bench.fill(to: 0, limit: 3) == 3)
        #expect(bench.fill(to: 1) == 1)
        #expect(bench.fill(to: 2) == 4)
        #expect(bench.fill(to: 3) == 0)
    }

    @Test func `a last group with fewer ports has a smaller part`() {
        var bench = Bench(hosts: 3, SwitchConfiguration(buffer: .groups(ports: 2), bufferBytes: 6 * packet))
        #expect(bench.fill(to: 0) == 4)
        #expect(bench.fill(to: 2) == 2)
    }

    @Test func `each queue has its reserve before it takes of the shared part`() {
        // Two ports with eight queues of one packet each, and two packets shared.
        let settings = SwitchConfiguration(
            buffer: .shared, bufferBytes: (2 * 8 + 2) * packet, reservedBytesPerQueue: packet)
        var bench = Bench(hosts: 2, settings)
        #expect(bench.fill(to: 1, priority: 3) == 3)
        #expect(bench.fill(to: 0, priority: 3) == 1)
        #expect(bench.fill(to: 0, priority: 4) == 1)
        // The first of the three leaves shared memory when it has been sent, not the reserve.
        #expect(bench.fill(to: 0, priority: 3, at: 1_230_400) == 2)
    }

    @Test func `a packet that begins in its queue's reserve takes only the rest of the shared part`() {
        // 1036 of the second packet's 1518 bytes are beyond the reserve.
        let settings = SwitchConfiguration(
            buffer: .shared, bufferBytes: 2 * 8 * 2000 + 1100, reservedBytesPerQueue: 2000)
        var bench = Bench(hosts: 2, settings)
        #expect(bench.fill(to: 1) == 2)
        #expect(bench.network.pools[0].used == 2 * packet - 2000)
        #expect(bench.fill(to: 0) == 1)
    }

    @Test func `packets occupy whole cells`() {
        var bench = Bench(hosts: 2, SwitchConfiguration(buffer: .shared, bufferBytes: 10_999, cellBytes: 1000))
        #expect(bench.fill(to: 1) == 5)
        #expect(bench.network.ports[bench.network.downlink(to: 1)].queuedBytes == 10_000)
    }

    @Test func `a packet that fills its cells exactly takes no further one`() {
        var bench = Bench(hosts: 2, SwitchConfiguration(buffer: .shared, bufferBytes: 10 * packet, cellBytes: 506))
        #expect(bench.fill(to: 1) == 10)
    }

    @Test func `selective dropping spares what was granted`() {
        var bench = Bench(hosts: 2, SwitchConfiguration(selectiveDropThresholdBytes: 2 * packet))
        #expect(bench.fill(to: 1, marks: .droppable) == 2)
        #expect(bench.fill(to: 1, limit: 5) == 5)
        #expect(bench.fill(to: 1, marks: .droppable) == 0)
        #expect(bench.network.dropPackets[Int(NetworkDrop.selective.rawValue)] == 2)
    }

    @Test func `packets are marked from the threshold on, if their sender understands it`() {
        var bench = Bench(hosts: 2, SwitchConfiguration(ecnThresholdBytes: 2 * packet))
        _ = bench.fill(to: 1, marks: .takesMarks, limit: 4)
        _ = bench.fill(to: 1, limit: 1)
        let marked = (0..<5).map { bench.packets.at(UInt32($0)).pointee.marks.contains(.congested) }
        #expect(marked == [false, false, true, true, false])
    }

    @Test func `the higher priority goes first, but not before the packet that is being sent`() {
        var bench = Bench(hosts: 2, SwitchConfiguration())
        _ = bench.fill(to: 1, priority: 0, limit: 3)
        _ = bench.fill(to: 1, priority: 5, limit: 2)
        _ = bench.fill(to: 1, priority: 6, limit: 1)
        let port = bench.network.downlink(to: 1)
        bench.network.advance(port, to: 100_000_000)
        var order: [UInt8] = []
        var packet = bench.network.ports[port].flightHead
        while packet != Packet.none {
            order.append(bench.packets.at(packet).pointee.priority)
            packet = bench.packets.at(packet).pointee.next
        }
        #expect(order == [0, 6, 5, 5, 0, 0])
    }

    @Test func `a switch's maximum is exact though ports are looked at late`() {
        var bench = Bench(hosts: 4, SwitchConfiguration())
        _ = bench.fill(to: 1, limit: 2)
        // Both have left when the next three come.
        _ = bench.fill(to: 2, limit: 3, at: 3_000_000)
        #expect(bench.network.switches[0].maximumBytes == 3 * packet)
        #expect(bench.network.switches[0].downlinkBytes == 3 * packet)
    }

    /// Method: packets from a leaf's host to its other host and to those of another leaf, at random times; the sums of
    /// the ports are what the switch must say.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `a leaf's bytes are those of its ports, up and down, and so are the most it had`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var bench = Bench(.leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 4), SwitchConfiguration())
        let leaf = bench.network.switches
        func sum(_ ports: Range<Int>) -> Int { ports.reduce(0) { $0 + bench.network.ports[$1].queuedBytes } }
        var (mostUp, mostDown, most) = (0, 0, 0)
        var now: UInt64 = 0
        for _ in 0..<400 {
            now += UInt64.random(in: 0...2_000_000, using: &random)
            let host = UInt16.random(in: 1...3, using: &random)
            #expect(bench.fill(to: host, limit: 1, at: now) == 1)
            bench.network.advanceAll(of: leaf, to: now)
            let (up, down) = (sum(leaf.pointee.uplinks), sum(leaf.pointee.downlinks))
            #expect(leaf.pointee.uplinkBytes == up && leaf.pointee.downlinkBytes == down)
            (mostUp, mostDown, most) = (max(mostUp, up), max(mostDown, down), max(most, up + down))
            #expect(leaf.pointee.maximumUplinkBytes == mostUp && leaf.pointee.maximumDownlinkBytes == mostDown)
            #expect(leaf.pointee.maximumBytes == most)
        }
        #expect(mostUp >= packet && mostDown >= 2 * packet)
        bench.network.advanceAll(of: leaf, to: now + 1_000_000_000)
        #expect(leaf.pointee.uplinkBytes == 0 && leaf.pointee.downlinkBytes == 0)
    }

    @Test func `with ECMP a flow has one spine, and flows between the same hosts have others`() {
        var bench = Bench(
            .leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 4), SwitchConfiguration(), paths: .perFlowECMP)
        let uplinks = bench.network.switches[0].uplinks
        var flows = [Int](repeating: 0, count: uplinks.count)
        for flow in 0..<400 as Range<UInt32> {
            let before = uplinks.map { bench.network.ports[$0].queuedBytes }
            _ = bench.fill(to: 2, flow: flow, limit: 3)
            let more = uplinks.indices.filter { bench.network.ports[$0].queuedBytes > before[$0 - uplinks.lowerBound] }
            #expect(more.count == 1)
            flows[(more.first ?? uplinks.lowerBound) - uplinks.lowerBound] += 1
        }
        // 100 expected, standard deviation 8.7.
        #expect(flows.allSatisfy { (60...140).contains($0) }, "\(flows)")
    }

    @Test func `with ECMP the same flow has other spines between other hosts, at either end`() {
        var bench = Bench(
            .leafSpine(leaves: 2, hostsPerLeaf: 100, spines: 4), SwitchConfiguration(), paths: .perFlowECMP)
        let uplinks = bench.network.switches[0].uplinks
        func bytes() -> [Int] { uplinks.map { bench.network.ports[$0].queuedBytes } }
        for number in 0..<100 as Range<UInt16> { _ = bench.fill(to: 100, from: number, limit: 1) }
        let senders = bytes()
        for number in 0..<100 as Range<UInt16> { _ = bench.fill(to: 100 + number, from: 0, limit: 1) }
        let receivers = zip(bytes(), senders).map { $0 - $1 }
        // 25 expected, standard deviation 4.3.
        for bytes in [senders, receivers] { #expect(bytes.allSatisfy { (8...42).contains($0 / packet) }, "\(bytes)") }
    }

    @Test func `with ECMP the same flows have other spines under another seed`() {
        func spines(seed: UInt64) -> [Int] {
            var bench = Bench(
                .leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 4), SwitchConfiguration(), paths: .perFlowECMP,
                seed: seed)
            let uplinks = bench.network.switches[0].uplinks
            return (0..<64 as Range<UInt32>).map { flow in
                let before = uplinks.map { bench.network.ports[$0].queuedBytes }
                _ = bench.fill(to: 2, flow: flow, limit: 1)
                let after = uplinks.map { bench.network.ports[$0].queuedBytes }
                return before.indices.first { after[$0] > before[$0] } ?? -1
            }
        }
        #expect(spines(seed: 1) == spines(seed: 1))
        // 16 of 64 expected, standard deviation 3.5.
        let same = zip(spines(seed: 1), spines(seed: 2)).count { $0 == $1 }
        #expect(same < 32, "\(same)")
    }
}
