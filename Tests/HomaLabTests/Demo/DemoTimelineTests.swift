// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
import HomaWorkloads
import Testing

@testable import HomaLab

@Suite("The demo's loaded link, phase by phase")
struct DemoTimelineTests {
    private let timeline = DemoTimeline()

    private func entry(_ intended: UInt64, _ milliseconds: Double, bytes: Int = 100) -> LoadTimeline.Entry {
        .init(
            intended: intended, latency: UInt64(milliseconds * 1e6), requestBytes: bytes, responseBytes: bytes)
    }

    /// One short message every 10 ms of the phase.
    private func steady(_ phase: DemoTimeline.Phase, _ milliseconds: (Double) -> Double) -> [LoadTimeline.Entry] {
        stride(from: phase.start, to: phase.end, by: 10_000_000).map {
            entry($0, milliseconds(Double($0 - phase.start) / 1e9))
        }
    }

    @Test("phases follow each other without a gap, and the overload is twice the load before and lasts two seconds")
    func phases() {
        #expect(timeline.half.end == timeline.high.start && timeline.high.end == timeline.overload.start)
        #expect(timeline.overload.end == timeline.after.start && timeline.overload.seconds == 2)
        #expect([timeline.half, timeline.high, timeline.overload].map(\.load) == [0.5, 0.8, 1.6])
        let profile = timeline.profile.phases
        #expect(profile.reduce(0) { $0 + $1.nanoseconds } == timeline.after.end)
        #expect(profile.map { $0.factor * 0.5 } == [0.5, 0.8, 1.6, timeline.after.load])
    }

    @Test("latencies count by when requests were due, goodput by when they were answered")
    func figures() {
        let late = entry(timeline.half.end - 1, 50, bytes: 1000)
        let entries = [entry(timeline.half.start, 1), late, entry(timeline.high.start, 7, bytes: 100_000)]
        let half = timeline.figures(timeline.half, entries, hosts: 2)
        #expect(half.shortCount == 2 && half.shortP99 == 50e6 && half.shortP50 == 1e6 && half.shortMinimum == 1e6)
        #expect(abs(half.goodput - 200 * 8 / timeline.half.seconds / 2) < 1e-6)
        let high = timeline.figures(timeline.high, entries, hosts: 2)
        #expect(high.shortCount == 0 && high.shortP99 == nil && high.allP99 == 7e6)
        #expect(abs(high.goodput - (202_000) * 8 / timeline.high.seconds / 2) < 1e-6)
    }

    @Test("percentiles are values that occurred, the smallest that so many do not exceed")
    func percentiles() {
        let values = (1...200).map(Double.init)
        #expect(DemoTimeline.percentile(50, of: values) == 100 && DemoTimeline.percentile(99, of: values) == 198)
        #expect(DemoTimeline.percentile(99, of: [3]) == 3 && DemoTimeline.percentile(99, of: []) == nil)
        #expect(DemoTimeline.percentile(100, of: values) == 200 && DemoTimeline.percentile(0, of: values) == 1)
    }

    /// The level before, in milliseconds.
    private func before(p50: Double = 1, p99: Double) -> DemoPhase {
        var phase = DemoPhase(load: 0.5)
        (phase.shortP50, phase.shortP99) = (p50 * 1e6, p99 * 1e6)
        return phase
    }

    private var never: DemoRecovery { .notWithin(seconds: timeline.after.seconds) }

    @Test("short messages that stay fast have recovered at once")
    func atOnce() {
        let entries = steady(timeline.after) { _ in 2 }
        #expect(timeline.recovery(entries, before: before(p99: 1)) == .after(seconds: 0))
        #expect(timeline.recovery(entries, before: DemoPhase(load: 0.5)) == nil)
    }

    @Test("recovered is the first of two fast windows in a row, at three times the level before")
    func recovered() {
        let entries = steady(timeline.after) { $0 < 0.7 ? 500 : 2.9 }
        #expect(timeline.recovery(entries, before: before(p99: 1)) == .after(seconds: 0.7))
        #expect(timeline.recovery(entries, before: before(p99: 0.9)) == never)
        let flicker = steady(timeline.after) { $0 >= 0.2 && $0 < 0.3 ? 1 : $0 < 1 ? 500 : 1 }
        #expect(timeline.recovery(flicker, before: before(p99: 1)) == .after(seconds: 1))
    }

    @Test("where the slowest always take seconds, the median tells whether they are as fast as before")
    func median() {
        let entries = steady(timeline.after) { $0 < 1.2 ? 1500 : 25 }
        #expect(timeline.recovery(entries, before: before(p50: 20, p99: 1100)) == .after(seconds: 1.2))
        #expect(timeline.recovery(entries, before: before(p50: 8, p99: 1100)) == never)
    }

    @Test("one slow message in a window keeps it from being fast, and windows without messages are passed over")
    func windows() {
        var entries = steady(timeline.after) { _ in 1 }
        entries.append(entry(timeline.after.start + 450_000_000, 900))
        entries.removeAll { $0.intended < timeline.after.start + 400_000_000 }
        #expect(timeline.recovery(entries, before: before(p99: 1)) == .after(seconds: 0.5))
        #expect(timeline.recovery([], before: before(p99: 1)) == never)
    }

    private func load(_ change: (inout LoadRecorder) -> Void) -> LoadResult {
        var plan = LoadPlan(sizes: .fixed(100), pace: .openLoop(perSecond: 1), warmUp: .zero, duration: .seconds(1))
        plan.profile = timeline.profile
        var recorder = LoadRecorder(plan: plan, protocolName: "homa")
        recorder.issued(intended: 0, now: 0)
        change(&recorder)
        return recorder.finish()
    }

    @Test("TCP may leave requests unanswered under overload, below that one in fifty, and Homa never")
    func unanswered() {
        let homa = DemoCarrier(name: "Homa", key: "homa")
        let tcp = DemoCarrier(name: "TCP", key: "tcp")
        let under = [entry(timeline.overload.start, 9000)]
        let before = [entry(timeline.high.end - 1, 9000)]
        let load = load { recorder in (0..<99).forEach { _ in recorder.issued(intended: 0, now: 0) } }
        #expect(load.offered == 100)
        #expect(timeline.failures(tcp, load, unanswered: under + under + under).isEmpty)
        #expect(timeline.failures(tcp, load, unanswered: before + before).isEmpty)
        #expect(timeline.failures(tcp, load, unanswered: before + before + before).count == 1)
        #expect(timeline.failures(homa, load, unanswered: under).count == 1)
        #expect(timeline.failures(homa, load, unanswered: []).isEmpty)
    }

    @Test("requests that failed are a failure of either, with the reason of the first")
    func errors() {
        let result = load { $0.failed(why: "timeout") }
        for key in ["homa", "tcp"] {
            let failures = timeline.failures(DemoCarrier(name: "N", key: key), result, unanswered: [])
            #expect(failures == ["N: 1 of 1 requests failed (timeout)"])
        }
    }
}
