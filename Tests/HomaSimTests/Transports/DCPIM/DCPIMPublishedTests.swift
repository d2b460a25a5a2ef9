// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@testable import HomaSim

/// Against figures of *dcPIM: Near-Optimal Proactive Datacenter Transport* (SIGCOMM 2022), reckoned as there. What
/// needs long runs is in docs/simulator.md.
@Suite struct DCPIMPublishedTests {
    private func published(messages: Int, seed: UInt64) -> Scenario {
        var dcpim = DCPIMConfiguration()
        dcpim.frames = .sigcomm2022
        return Scenario(
            topology: .named("fabric-100g-500kb")!, transport: .dcpim(dcpim),
            traffic: TrafficConfiguration(sizes: .imc10, load: 0.6, mode: .rpc(responseBytes: 1)),
            length: RunLength(messages: messages, warmUp: .microseconds(200)), seed: seed)
    }

    @Test func `the topology has the published bandwidth-delay product and rounds`() {
        let tuning = DCPIMTuning(
            {
                var dcpim = DCPIMConfiguration()
                dcpim.frames = .sigcomm2022
                return dcpim
            }(), .named("fabric-100g-500kb")!)
        // 72.5 KB; 1.3 round trips of a control packet over eight links of 0.65 µs.
        #expect(abs(Double(tuning.shortBytes) - 72_500) < 1460)
        #expect(abs(Double(tuning.clock.roundLength) * 1e-6 - 1.3 * 5.2) < 0.05)
    }

    @Test func `short messages have the published mean slowdown of 1.03 at 60 % load`() throws {
        var simulation = try Simulation(published(messages: 800, seed: 3))
        while !simulation.run(until: 1_000_000) {}
        let result = simulation.finish()
        #expect(result.failure == nil && result.messagesIncomplete == 0)
        let short = result.sizeBins.filter { $0.maximumBytes <= 72_500 }
        #expect(short.count >= 4)
        for bin in short { #expect(abs(bin.slowdown.mean - 1.03) < 0.02) }
        // The mean of all, 1.52, takes milliseconds of load to come about; it is on its way.
        #expect(result.slowdown.mean > 1.2 && result.slowdown.mean < 1.6)
        #expect(result.drops.isEmpty)
    }
}
