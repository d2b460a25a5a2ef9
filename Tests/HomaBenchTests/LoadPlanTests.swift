// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
import HomaWorkloads
import Testing

@Suite("Load plan")
struct LoadPlanTests {
    func plan(rate: Double = 100_000, seed: UInt64 = 4) -> LoadPlan {
        LoadPlan(
            sizes: .w4, pace: .openLoop(perSecond: rate), warmUp: .milliseconds(100), duration: .milliseconds(900),
            seed: seed)
    }

    @Test("same plan, same requests; another seed, others")
    func determinism() {
        let schedule = plan().schedule()
        #expect(schedule == plan().schedule())
        #expect(schedule != plan(seed: 5).schedule())
        var sequence = plan().makeSequence()
        #expect(schedule.allSatisfy { $0 == sequence.next() })
        #expect(sequence.next().intended >= 1_000_000_000)
    }

    @Test("the schedule is in order, at the rate asked for, and truncated")
    func shape() {
        let schedule = plan().schedule()
        #expect(abs(schedule.count - 100_000) < 1200)
        #expect(zip(schedule, schedule.dropFirst()).allSatisfy { $0.intended <= $1.intended })
        #expect(schedule.enumerated().allSatisfy { $0.offset == Int($0.element.sequence) })
        #expect(schedule.allSatisfy { $0.bytes <= HomaLimits.maximumMessageLength })
    }

    @Test("the rate does not change the sizes")
    func sizes() {
        let slow = plan(rate: 1000).schedule().map(\.bytes)
        #expect(slow.count > 900 && plan().schedule().map(\.bytes).starts(with: slow))
    }

    @Test("a load is a share of the link in payload")
    func load() {
        let rate = LoadPlan.perSecond(load: 0.5, of: .gigabitsPerSecond(10), sizes: .fixed(62_500))
        #expect(rate == 10_000)
    }

    @Test("what is asked of the server follows the plan")
    func messages() {
        var plan = plan()
        let request = ScheduledRequest(sequence: 5, intended: 0, bytes: 1000)
        #expect(plan.message(for: request).response.length == 1000)
        plan.response = .fixed(bytes: 20)
        #expect(plan.message(for: request).response.length == 20)
        #expect(plan.message(for: request).key == MessagePattern.key(seed: plan.seed, sequence: 5))
    }
}

@Suite("Load recorder")
struct LoadRecorderTests {
    let plan = LoadPlan(
        sizes: .fixed(1000), pace: .openLoop(perSecond: 1000), warmUp: .seconds(1), duration: .seconds(1),
        baseline: SlowdownBaseline(rttNanoseconds: 1000, bitsPerSecond: 8_000_000_000))
    let request = PatternMessage(key: 1, length: 1000, responseLength: 1000)

    @Test("latency counts from the intended time, rates by the response's time, and the warm-up not at all")
    func window() {
        var recorder = LoadRecorder(plan: plan, protocolName: "test")
        let milliseconds: [(UInt64, UInt64)] = [(500, 999), (900, 1100), (1500, 1600), (1990, 2500), (2001, 2002)]
        for (intended, now) in milliseconds {
            recorder.issued(intended: intended * 1_000_000, now: intended * 1_000_000 + 5)
            recorder.completed(
                request: request, intended: intended * 1_000_000, now: now * 1_000_000, intact: true)
        }
        let result = recorder.finish()
        #expect(result.offered == 2 && result.completed == 2 && result.latency.count == 2)
        #expect(result.latency.maximum == 510_000_000 && result.shortLatency.count == 2)
        #expect(result.achievedRate == 2 && result.goodput == 16_000)
        #expect(result.maximumLagNanoseconds == 5)
        #expect(abs((result.slowdown?.percentile(100) ?? 0) - 255_000) < 1000)
    }

    @Test("everything that goes wrong is an error to a threshold")
    func failures() throws {
        var recorder = LoadRecorder(plan: plan, protocolName: "test")
        for _ in 0..<2 { recorder.failed(bytes: 1000, intended: 500_000_000, now: 600_000_000) }
        recorder.unfinished(bytes: 1000, intended: 500_000_000, now: 3_000_000_000)
        recorder.abandoned(bytes: 1000, intended: 1_500_000_000, now: 3_000_000_000)
        recorder.completed(request: request, intended: 1_500_000_000, now: 1_600_000_000, intact: false)
        recorder.capHit()
        var result = recorder.finish()
        #expect(result.failures == 5 && result.verificationFailures == 1 && result.completed == 0)
        #expect(try Threshold("errors<5").evaluate(result) == .missed(5))
        let late = try Threshold("p99<1ms").evaluate(result)
        guard case .missed(let value) = late else { return #expect(late == .missed(1.5e9)) }
        #expect(abs(value - 1.5e9) < 1.5e6, "what was due in the window and did not come counts, and nothing else does")
        #expect(result.latency.count == 2)
        let copy = result
        result.merge(copy)
        #expect(result.failures == 10 && result.capHits == 2 && result.offered == 2)
    }

    @Test("a result makes records with its plan")
    func records() {
        let lines = LoadRecorder(plan: plan, protocolName: "tcp").finish().records().map(\.jsonLine)
        #expect(lines.contains { $0.contains("\"measure\":\"goodput\"") && $0.contains("\"unit\":\"bit/s\"") })
        #expect(lines.allSatisfy { $0.contains("\"protocol\":\"tcp\"") && $0.contains("\"seed\":\"1\"") })
    }
}

@Suite("A load on several servers")
struct LoadTargetTests {
    @Test("requests are spread evenly and at random, and keep their sizes and times")
    func spread() {
        let one = LoadPlan(sizes: .w3, pace: .openLoop(perSecond: 10_000), duration: .seconds(2), seed: 7)
        var several = one
        several.targets = 4
        var counts = [Int](repeating: 0, count: 4)
        for (lone, spread) in zip(one.schedule(), several.schedule()) {
            #expect(lone.target == 0 && lone.bytes == spread.bytes && lone.intended == spread.intended)
            counts[spread.target] += 1
        }
        let mean = Double(counts.reduce(0, +)) / 4
        #expect(counts.allSatisfy { abs(Double($0) - mean) < 0.06 * mean }, "\(counts)")
    }
}
