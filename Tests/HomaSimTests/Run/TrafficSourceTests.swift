// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@testable import HomaSim

@Suite struct TrafficSourceTests {
    private func scenario(_ change: (inout TrafficConfiguration) -> Void = { _ in }) -> Scenario {
        var traffic = TrafficConfiguration(sizes: .fixed(1442), load: 0.5)
        change(&traffic)
        let topology = TopologyConfiguration(
            shape: .singleSwitch(hosts: 8), hostRate: .gigabitsPerSecond(10), uplinkRate: .gigabitsPerSecond(40))
        return Scenario(topology: topology, transport: .srptOracle, traffic: traffic)
    }

    private func load(_ scenario: Scenario, unscheduled: Int = 9328) -> OfferedLoad {
        OfferedLoad(scenario, frame: .sigcomm2018, unscheduledBytes: unscheduled)
    }

    @Test func `half load of full packets leaves one packet time between them`() throws {
        #expect(abs(try #require(load(scenario()).meanGapPicoseconds) - 2 * 1_230_400) < 1)
    }

    @Test func `grants for packets that need them are part of the load`() throws {
        // 1538 bytes of data and 84 of grant.
        let gap = try #require(load(scenario(), unscheduled: 0).meanGapPicoseconds)
        #expect(abs(gap - 2 * (1538 + 84) * 800) < 1)
    }

    @Test func `an incast's load is that of the receiver`() throws {
        let gap = try #require(load(scenario { $0.pattern = .incast(senders: 4) }).meanGapPicoseconds)
        #expect(abs(gap - 8 * 1_230_400) < 4)
    }

    @Test func `an RPC's response is part of the load`() throws {
        let gap = try #require(load(scenario { $0.mode = .rpc(responseBytes: nil) }).meanGapPicoseconds)
        #expect(abs(gap - 4 * 1_230_400) < 2)
    }

    @Test func `published workloads carry the published share of data`() throws {
        let one = scenario { $0.sizes = .w4 }
        let gap = try #require(load(one).meanGapPicoseconds)
        let dataRate = SizeDistribution.w4.mean * 8 / (gap * 1e-12)
        #expect(abs(dataRate - 0.5 * 0.898 * 10e9) < 1e6)
    }

    @Test func `destinations are all others, alike`() {
        let one = scenario()
        var source = TrafficSource(one, load: load(one))
        var counts = [Int](repeating: 0, count: 8)
        for _ in 0..<70_000 { counts[Int(source.destination(from: 3))] += 1 }
        #expect(counts[3] == 0)
        for host in 0..<8 where host != 3 { #expect(abs(counts[host] - 10_000) < 500) }
    }

    @Test func `a permutation gives every host one sender that is not itself`() {
        let one = scenario { $0.pattern = .permutation }
        var source = TrafficSource(one, load: load(one))
        let partners = (0..<8).map { Int(source.destination(from: $0)) }
        #expect(partners.sorted() == Array(0..<8))
        #expect(partners.enumerated().allSatisfy { $0.offset != $0.element })
    }

    @Test func `what one host wants does not depend on how many others there are`() {
        let few = scenario { $0.sizes = .w3 }
        var many = few
        many.topology.shape = .singleSwitch(hosts: 100)
        var first = TrafficSource(few, load: load(few))
        var second = TrafficSource(many, load: load(many))
        for _ in 0..<100 {
            #expect(first.size(from: 2) == second.size(from: 2))
            #expect(first.gap(of: 2) == second.gap(of: 2))
        }
    }
}
