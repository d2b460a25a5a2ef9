// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaSim

@Suite struct MatchingClockTests {
    @Test func `without a pause between matchings every round boundary is a stage`() {
        let clock = MatchingClock(rounds: 4, roundLength: 100, dataPhaseRatio: 1)
        #expect(clock.matchingPhase == 400 && clock.dataPhase == 400)
        #expect([0, 1, 99, 100, 399, 400].map { clock.receiverStage(after: $0) } == [100, 100, 100, 200, 400, 500])
        #expect(clock.round(startingAt: 0)! == (0, 0))
        #expect(clock.round(startingAt: 300)! == (0, 3))
        #expect(clock.round(startingAt: 400)! == (1, 0))
        #expect(clock.round(startingAt: 401) == nil)
        #expect([0, 300, 400, 800, 900].map { clock.isPhaseStart($0) } == [false, false, true, true, false])
        #expect([0, 399, 400, 799, 800].map { clock.phaseEnd(after: $0) } == [400, 400, 800, 800, 1200])
        #expect(clock.senderStage(epoch: 1, round: 2) == 650)
        #expect(clock.acceptStage(epoch: 1, round: 3) == 800)
    }

    @Test func `with longer data phases the matching is at the end of the one before`() {
        let clock = MatchingClock(rounds: 2, roundLength: 100, dataPhaseRatio: 2.5)
        #expect(clock.dataPhase == 500)
        #expect([0, 100, 200, 499, 500].map { clock.receiverStage(after: $0) } == [100, 200, 500, 500, 600])
        #expect(clock.round(startingAt: 200) == nil)
        #expect(clock.isPhaseStart(200) && clock.isPhaseStart(700) && !clock.isPhaseStart(500))
        #expect([0, 200, 600, 700].map { clock.phaseEnd(after: $0) } == [200, 700, 700, 1200])
    }
}

@Suite struct DCPIMTuningTests {
    @Test func `the published set-up gives the published numbers`() throws {
        var dcpim = DCPIMConfiguration()
        dcpim.frames = .sigcomm2022
        let topology = try #require(TopologyConfiguration.named("fabric-100g-500kb"))
        let tuning = DCPIMTuning(dcpim, topology)
        // 2 × (4 × 0.65 µs + 2 × 120 ns + 2 × 30 ns) = 5.8 µs, 72.5 KB, 49 packets of 120 ns.
        #expect(tuning.packetTime == 120_000)
        #expect(tuning.shortPackets == 49 && tuning.window == 49)
        #expect(tuning.resendAfter == 49 * 120_000)
        // 1.3 × 5.2 µs and a little for 41 bytes on four links.
        #expect(abs(Double(tuning.clock.roundLength) / 1e6 - 6.78) < 0.005)
        #expect(Int(tuning.channelPackets) == 56)
        #expect(
            [1, 7, 8, 49, 50, 343, 344, 2401, 2402, 16_807, 16_808, 1_000_000].map {
                tuning.priority(packets: $0, isShort: $0 <= 49)
            } == [6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1])
    }

    @Test func `its switches hold 500 KB for each port`() throws {
        let topology = try #require(TopologyConfiguration.named("fabric-100g-500kb"))
        #expect(topology.leafSwitch.bufferBytes == 20 * 500_000)
        #expect(topology.spineSwitch.bufferBytes == 9 * 500_000)
        #expect(topology.leafSwitch.buffer == .perPort)
    }
}
