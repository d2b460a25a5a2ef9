// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@testable import HomaBench

@Suite("A load that changes")
struct LoadProfileTests {
    private let second: UInt64 = 1_000_000_000

    private func plan(_ profile: LoadProfile?, seed: UInt64 = 1) -> LoadPlan {
        var plan = LoadPlan(
            sizes: .w4, pace: .openLoop(perSecond: 1000), warmUp: .zero, duration: .seconds(6), seed: seed)
        plan.profile = profile
        return plan
    }

    private var surge: LoadProfile {
        LoadProfile([
            .init(factor: 1, nanoseconds: 2 * second), .init(factor: 4, nanoseconds: second),
            .init(factor: 0.5, nanoseconds: second),
        ])
    }

    @Test("time is bent phase by phase, and the last phase goes on")
    func due() {
        #expect(surge.due(0) == 0 && surge.due(second) == second)
        #expect(surge.due(2 * second) == 2 * second)
        #expect(surge.due(4 * second) == 2 * second + second / 2)
        #expect(surge.due(6 * second) == 3 * second)
        #expect(surge.due(6 * second + second / 2) == 4 * second)
        #expect(surge.due(7 * second) == 5 * second)
    }

    @Test("a profile changes when requests are due and nothing else", arguments: [1, 2, 3] as [UInt64])
    func same(seed: UInt64) {
        let (bent, plain) = (plan(surge, seed: seed).schedule(), plan(nil, seed: seed).schedule())
        #expect(bent.count > 100 && plain.count > 100)
        for (one, other) in zip(bent, plain) {
            #expect(one.bytes == other.bytes && one.sequence == other.sequence && one.target == other.target)
            #expect(one.intended == surge.due(other.intended))
        }
    }

    @Test("each phase has its share of requests", arguments: [1, 2, 3] as [UInt64])
    func rates(seed: UInt64) {
        let schedule = plan(surge, seed: seed).schedule()
        func count(_ from: UInt64, _ to: UInt64) -> Double {
            Double(schedule.filter { $0.intended >= from * second && $0.intended < to * second }.count)
        }
        #expect(abs(count(0, 2) - 2000) < 250)
        #expect(abs(count(2, 3) - 4000) < 350)
        #expect(abs(count(3, 4) - 500) < 120)
    }

    @Test("answers are kept with their times for plans with a profile, also from another process, and added up")
    func timeline() {
        func result(_ plan: LoadPlan) -> LoadResult {
            var recorder = LoadRecorder(plan: plan, protocolName: "homa")
            let message = PatternMessage(key: 1, length: 100, responseLength: 300)
            recorder.completed(request: message, intended: 5, now: 25, intact: true)
            recorder.completed(request: message, intended: 6, now: 26, intact: false)
            return recorder.finish()
        }
        #expect(result(plan(nil)).timeline == nil)
        let original = result(plan(surge))
        let entry = LoadTimeline.Entry(intended: 5, latency: 20, requestBytes: 100, responseBytes: 300)
        #expect(original.timeline?.entries == [entry])
        #expect(entry.finished == 25 && entry.isShort)
        var copy = LoadResult(plan: plan(surge), tally: LoadTally(original))
        copy.merge(original)
        #expect(copy.timeline?.entries == [entry, entry])
    }
}
