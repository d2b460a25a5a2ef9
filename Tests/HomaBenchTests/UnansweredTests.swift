// SPDX-License-Identifier: Apache-2.0

import HomaWorkloads
import Testing

@testable import HomaBench

@Suite("Requests that were never answered")
struct UnansweredTests {
    private let second: UInt64 = 1_000_000_000
    /// Four seconds, and two more to wait for what is late.
    private let plan = LoadPlan(
        sizes: .w3, pace: .openLoop(perSecond: 1000), warmUp: .zero, duration: .seconds(4), drain: .seconds(2),
        baseline: SlowdownBaseline(rttNanoseconds: 10_000, bitsPerSecond: 10_000_000_000))

    /// A request each millisecond, every one answered after 1 ms but those that `fails` says fail.
    private func result(bytes: Int = 1000, fails: (_ millisecond: UInt64) -> Bool) -> LoadResult {
        var recorder = LoadRecorder(plan: plan, protocolName: "test")
        let message = PatternMessage(key: 1, length: bytes, responseLength: bytes)
        for number in 0..<4000 as Range<UInt64> {
            let due = number * 1_000_000
            recorder.issued(intended: due, now: due)
            if fails(number) {
                recorder.failed(bytes: bytes, intended: due, now: due + 400_000_000, why: "silent")
            } else {
                recorder.completed(request: message, intended: due, now: due + 1_000_000, intact: true)
            }
        }
        return recorder.finish()
    }

    @Test("16 % failed: a demand on p90 is missed, and one on p50 is met")
    func sixteenPercent() throws {
        let result = result { (1000..<1640).contains($0) }
        #expect(result.errors == 640 && result.latency.count == 4000 && result.latency.unanswered == 640)
        #expect(try Threshold("p50<300ms").holds(for: result))
        #expect(try Threshold("p83.9<300ms").holds(for: result), "percentiles below those that failed are exact")
        #expect(try !Threshold("p90<300ms").holds(for: result))
        #expect(!result.latency.isLowerBound(atPercentile: 84) && result.latency.isLowerBound(atPercentile: 84.1))
        // The last due of those that failed still waited from 1.639 s to the end of the run, at 6 s.
        #expect(result.latency.percentile(90) >= 4 * second && result.latency.maximum >= 5 * second)
        #expect(result.latency.mean > 0.16 * 4e9)
    }

    @Test("no demand for less is met by requests that were never answered, however short the run was")
    func unboundedDemand() throws {
        let result = result { $0 >= 3900 }
        #expect(try !Threshold("p99<100s").holds(for: result) && !Threshold("max<=100s").holds(for: result))
        #expect(try !Threshold("mean<100s").holds(for: result))
        #expect(try Threshold("p99>2s").holds(for: result), "that it took longer is certain")
        let words = try Threshold("p99<100s").outcome(for: result)
        #expect(words.hasPrefix("p99 is at least ") && words.hasSuffix(", not < 100 s"), "\(words)")
    }

    @Test("failures count as the longest, for short messages and slowdowns of their size as well")
    func everyFigure() {
        for (bytes, isShort) in [(100, true), (50_000, false)] {
            let result = result(bytes: bytes) { $0 < 200 }
            #expect(result.shortLatency.count == (isShort ? 4000 : 0))
            #expect(result.shortLatency.unanswered == (isShort ? 200 : 0))
            let filled = (result.slowdown?.rows ?? []).filter { $0.count > 0 }
            #expect(filled.count == 1 && filled[0].count == 4000)
            #expect(filled[0].median?.isLowerBound == false && filled[0].tail?.isLowerBound == true)
            let ideal = plan.baseline?.idealNanoseconds(bytes: bytes) ?? 0
            #expect((filled[0].p99 ?? 0) > 5.8e9 / ideal * 0.99)
            #expect(result.slowdown?.measured(99)?.isLowerBound == true)
        }
    }

    @Test("what is left unfinished counts from when it was due, also when it was never sent")
    func unfinished() {
        var recorder = LoadRecorder(plan: plan, protocolName: "test")
        recorder.unfinished(bytes: 100, intended: 0, now: 6 * second)
        recorder.abandoned(bytes: 100, intended: second, now: 7 * second)
        recorder.abandoned(bytes: 100, intended: 5 * second, now: 7 * second)
        let result = recorder.finish()
        #expect(result.unfinished == 3 && result.offered == 1)
        #expect(
            result.latency.count == 2 && result.latency.maximum == 6 * second && result.latency.minimum >= 5_990_000_000
        )
    }

    @Test("a wrong answer is none")
    func wrong() {
        var recorder = LoadRecorder(plan: plan, protocolName: "test")
        let message = PatternMessage(key: 1, length: 100, responseLength: 100)
        recorder.completed(request: message, intended: second, now: second + 5, intact: false)
        let result = recorder.finish()
        #expect(result.verificationFailures == 1 && result.latency.unanswered == 1)
    }

    @Test("records say which figures are lower bounds, and only those")
    func records() {
        let lines = result { $0 < 100 }.records().map(\.jsonLine)
        func isBound(_ measure: String) -> Bool? {
            lines.first { $0.contains("\"measure\":\"\(measure)\"") }.map { $0.contains("\"is_lower_bound\":true") }
        }
        #expect(isBound("latency_p50") == false && isBound("latency_p99") == true && isBound("latency_max") == true)
        #expect(isBound("short_latency_p99") == true && isBound("slowdown_p50") == false)
        #expect(isBound("slowdown_p99") == true && isBound("goodput") == false)
    }

    @Test("what counts survives merging and the way between processes")
    func merging() {
        let original = result { $0 % 10 == 0 }
        var copy = LoadResult(plan: plan, tally: LoadTally(original))
        #expect(copy.latency.unanswered == 400 && copy.shortLatency.unanswered == 400)
        #expect(copy.slowdown?.measured(99) == original.slowdown?.measured(99))
        #expect(copy.latency.measured(95) == original.latency.measured(95))
        copy.merge(original)
        #expect(copy.latency.count == 8000 && copy.latency.unanswered == 800)
        #expect(copy.latency.measured(95) == original.latency.measured(95))
    }

    @Test(
        "with nothing unanswered percentiles are the histogram's, and ranks agree with sorted values", arguments: 1...3)
    func ranks(seed: UInt64) {
        var random = SeededSequence(seed)
        var (plain, mixed) = (LatencyRecorder(), LatencyRecorder())
        var (answered, failed): ([UInt64], [UInt64]) = ([], [])
        for _ in 0..<997 {
            let value = random.next() % 2000
            plain.record(nanoseconds: value)
            if random.next() % 7 == 0 {
                mixed.record(atLeast: value)
                failed.append(value)
            } else {
                mixed.record(nanoseconds: value)
                answered.append(value)
            }
        }
        let all = (answered + failed).sorted()
        answered.sort()
        failed.sort()
        // The ends, where answered values end and failed ones begin, and steps that meet no round figure.
        for tenth in [0, 1, 855, 856, 857, 858, 999, 1000] + Array(stride(from: 7, to: 1000, by: 37)) {
            let percent = Double(tenth) / 10
            let place = max(1, Int((percent / 100 * 997).rounded(.up))) - 1
            #expect(plain.percentile(percent) == all[place] && !plain.isLowerBound(atPercentile: percent))
            let isOpen = place >= answered.count
            let least = isOpen ? max(answered.last ?? 0, failed[place - answered.count]) : answered[place]
            #expect(mixed.percentile(percent) == least && mixed.isLowerBound(atPercentile: percent) == isOpen)
        }
    }

    @Test("a latency beyond what is recorded is known as a lower bound")
    func beyond() {
        var latency = LatencyRecorder()
        latency.record(nanoseconds: 1)
        latency.record(nanoseconds: .max)
        #expect(latency.measured(50) == MeasuredValue(1))
        #expect(latency.measured(99) == MeasuredValue(1e12, isLowerBound: true))
    }
}

/// Numbers from a seed, for tests.
private struct SeededSequence {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
