// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

@Suite struct IdleNetworkTests {
    private let fabric = IdleNetwork(.named("fabric-10g")!, frame: .sigcomm2018)

    private func isClose(_ value: UInt64, _ microseconds: Double, within share: Double) -> Bool {
        abs(Double(value) / 1e6 - microseconds) <= microseconds * share
    }

    @Test func `a full packet out and a control packet back take 7.74 µs across racks`() {
        // Out: 1538 bytes at 10, 40, 40 and 10 Gb/s, three switches, 1.5 µs of hosts. Back: 84 bytes likewise.
        let there = fabric.picoseconds(bytes: 1442, from: 0, to: 143)
        #expect(there == 1_230_400 + 307_600 + 307_600 + 1_230_400 + 750_000 + 1_500_000)
        let back = fabric.picoseconds(bytes: 1, from: 143, to: 0)
        #expect(isClose(there + back, 7.74, within: 0.01) == true)
    }

    @Test func `one byte takes 2.42 µs across racks`() {
        #expect(isClose(fabric.picoseconds(bytes: 1, from: 0, to: 143), 2.42, within: 0.03))
    }

    @Test func `within a rack two links and one switch remain`() {
        #expect(fabric.picoseconds(bytes: 1442, from: 0, to: 1) == 2 * 1_230_400 + 250_000 + 1_500_000)
    }

    @Test func `packets of a message are pipelined`() {
        // The second full packet follows the first one packet time later.
        let one = fabric.picoseconds(bytes: 1442, from: 0, to: 143)
        #expect(fabric.picoseconds(bytes: 2884, from: 0, to: 143) == one + 1_230_400)
        #expect(fabric.picoseconds(bytes: 10 * 1442, from: 0, to: 143) == one + 9 * 1_230_400)
    }

    @Test func `a short last packet on the same path waits behind the one before`() {
        var topology = TopologyConfiguration.named("fabric-10g")!
        topology.pathChoice = .perFlowECMP
        let ecmp = IdleNetwork(topology, frame: .sigcomm2018)
        // 97 bytes at 10 Gb/s follow the full packet on the last link at once.
        let one = ecmp.picoseconds(bytes: 1442, from: 0, to: 143)
        #expect(ecmp.picoseconds(bytes: 1443, from: 0, to: 143) == one + 97 * 800)
        // On a path of its own it cannot complete the message any sooner.
        #expect(fabric.picoseconds(bytes: 1443, from: 0, to: 143) <= one + 97 * 800)
    }
}
