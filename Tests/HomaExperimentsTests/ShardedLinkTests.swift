// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import Testing

@testable import HomaExperiments

@Suite struct ShardedLinkTests {
    private func mean(_ workload: String, _ shards: Int, load: Double, seed: UInt64 = 1) -> Double {
        let model = ShardedLink(workload: workload, load: load, shards: shards, messages: 5_000, seed: seed)
        return model.run()["slowdown_mean"]?.number ?? .nan
    }

    @Test func `a message that is alone is never slowed down, on any number of shards`() {
        for shards in [1, 16] {
            let slowdown = mean("100", shards, load: 0.0001)
            #expect(abs(slowdown - 1) < 1e-3)
        }
    }

    /// Equal messages, one after the other: in an M/D/1 queue the mean wait is load / (2 (1 - load)) services.
    @Test func `one shard with equal messages is a queue of known length`() {
        let model = ShardedLink(workload: "31250", load: 0.5, messages: 100_000)
        let slowdown = model.run()["slowdown_mean"]?.number ?? .nan
        let service = 10_000.0
        #expect(abs(slowdown - (1 + service * 0.5 / (service + 2500))) < 0.01)
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `the more shards, the slower on average, since shortest first is best`(seed: UInt64) {
        let means = [1, 4, 16].map { mean("w4", $0, load: 0.8, seed: seed) }
        #expect(means[0] < means[1] && means[1] < means[2], "\(means)")
    }
}
