// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWorkloads
import Testing

@testable import HomaSim

@Suite struct HomaHostSettingsTests {
    private func scenario(_ sizes: SizeDistribution, _ homa: HomaTransportConfiguration) -> Scenario {
        Scenario(
            topology: .named("fabric-10g")!, transport: .homa(homa), traffic: TrafficConfiguration(sizes: sizes))
    }

    @Test(arguments: [(SizeDistribution.w1, 1), (.w2, 3), (.w3, 4)])
    func `every unscheduled level carries the same bytes on the wire`(sizes: SizeDistribution, scheduled: Int) {
        let frame = FrameFormat.sigcomm2018
        let cutoffs = HomaHostSettings.workloadCutoffs(
            sizes, frame: frame, unscheduledBytes: 9328, levels: scheduled...7)
        #expect(cutoffs[..<scheduled].allSatisfy { $0 == 0 })
        var random = SeededRandom(seed: 1)
        var carried = [Double](repeating: 0, count: 8)
        for _ in 0..<200_000 {
            let bytes = sizes.sample(using: &random)
            let level = (scheduled...7).last { cutoffs[$0] >= UInt32(bytes) }!
            carried[level] += Double(frame.wireBytes(message: min(bytes, 9328)))
        }
        let share = carried.reduce(0, +) / Double(8 - scheduled)
        for level in scheduled...7 { #expect(abs(carried[level] - share) < 0.05 * share) }
    }

    @Test func `levels and overcommitment follow the workload unless the scenario sets them`() {
        let preset = HomaTransportConfiguration(preset: .sigcomm2018)
        #expect(HomaHostSettings.endpoint(for: scenario(.w2, preset), preset).overcommitment == 3)
        #expect(HomaHostSettings.endpoint(for: scenario(.w5, preset), preset).overcommitment == 7)
        let fixed = HomaTransportConfiguration(preset: .sigcomm2018, scheduledLevels: 2)
        #expect(HomaHostSettings.endpoint(for: scenario(.w5, fixed), fixed).overcommitment == 2)
        var own = preset
        own.endpoint.overcommitment = 5
        #expect(HomaHostSettings.endpoint(for: scenario(.w2, own), own).overcommitment == 5)
    }

    @Test(arguments: CutoffSource.allCases)
    func `cutoffs are learned only if the scenario says so`(source: CutoffSource) {
        let homa = HomaTransportConfiguration(preset: .default, cutoffs: source)
        let endpoint = HomaHostSettings.endpoint(for: scenario(.w3, homa), homa)
        #expect(endpoint.learnsCutoffs == (source == .learned))
        #expect(endpoint.assumesPeersAlike == (source != .learned))
    }

    @Test func `timers and acknowledgements go with the chance of loss`() {
        let preset = HomaTransportConfiguration(preset: .sigcomm2018)
        var one = scenario(.w4, preset)
        let lossless = HomaHostSettings.endpoint(for: one, preset)
        #expect(!lossless.acknowledgesMessages)
        #expect(lossless.resendAfter == .seconds(3600))
        one.topology.leafSwitch = SwitchConfiguration(buffer: .shared, bufferBytes: 1_000_000)
        let lossy = HomaHostSettings.endpoint(for: one, preset)
        #expect(lossy.acknowledgesMessages)
        #expect(lossy.resendAfter == preset.endpoint.resendAfter)
        #expect(lossy.finishedMemory > 0)
    }
}
