// SPDX-License-Identifier: Apache-2.0

import HomaEngineCheck
import Testing

@Suite("Whole engines under seeds")
struct EngineSwarmTests {
    @Test("no seed breaks a rule", arguments: 31...40 as ClosedRange<UInt64>)
    func seeds(seed: UInt64) {
        let outcome = EngineSwarm.run(seed: seed)
        #expect(outcome.broken == nil, "\(outcome.text)")
        #expect(outcome.calls > 0 && outcome.packets > 0)
    }

    @Test("a seed gives the same run each time", arguments: [3, 4] as [UInt64])
    func repeats(seed: UInt64) {
        #expect(EngineSwarm.run(seed: seed).text == EngineSwarm.run(seed: seed).text)
    }

    @Test("a run that is cut down is named with its limits")
    func limits() {
        var limits = EngineLimits()
        limits.hosts = 2
        limits.calls = 5
        let outcome = EngineSwarm.run(seed: 9, limits: limits)
        #expect(outcome.replay == "homa check swarm --engine --seeds 9 --hosts 2 --calls 5")
        #expect(outcome.broken == nil, "\(outcome.text)")
        // Those, and one from either host to the other when the network has healed.
        #expect(outcome.calls == 7)
    }

    @Test("the seeds together do what there is to do: trains, refusals, shards that pass on, sleep, bytes in place")
    func coverage() {
        var sum = EngineOutcome(seed: 0)
        var limits = EngineLimits()
        limits.calls = 30
        for seed in 1...12 as ClosedRange<UInt64> {
            let outcome = EngineSwarm.run(seed: seed, limits: limits)
            sum.joined += outcome.joined
            sum.refused += outcome.refused
            sum.passedOn += outcome.passedOn
            sum.sleeps += outcome.sleeps
            sum.bytesInPlace += outcome.bytesInPlace
        }
        #expect(sum.joined > 0 && sum.refused > 0 && sum.passedOn > 0 && sum.sleeps > 0 && sum.bytesInPlace > 0)
    }
}
