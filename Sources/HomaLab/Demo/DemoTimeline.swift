// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench

/// The demo's load on a link, phase by phase, and what the answers to it tell.
///
/// Half load, high load, overload, and a moderate load to recover under; one run after the other carries it, so that
/// one start of processes serves all.
struct DemoTimeline {
    struct Phase: Equatable {
        /// As a fraction of the link.
        var load: Double
        /// Nanoseconds since the start of the run.
        var start: UInt64
        var end: UInt64

        func contains(_ time: UInt64) -> Bool { time >= start && time < end }
        var seconds: Double { Double(end - start) / 1e9 }
    }

    let warmUp: UInt64
    let half: Phase
    let high: Phase
    let overload: Phase
    let after: Phase

    init(warmUp: Double = 0.2, half: Double = 1.4, high: Double = 2.4, overload: Double = 2, after: Double = 2) {
        func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(seconds * 1e9) }
        self.warmUp = nanoseconds(warmUp)
        var time = self.warmUp
        func phase(_ load: Double, _ seconds: Double) -> Phase {
            defer { time += nanoseconds(seconds) }
            return Phase(load: load, start: time, end: time + nanoseconds(seconds))
        }
        self.half = phase(0.5, half)
        self.high = phase(0.8, high)
        self.overload = phase(2 * self.high.load, overload)
        self.after = phase(0.3, after)
    }

    /// In multiples of `half`'s rate, at which the warm-up runs too.
    var profile: LoadProfile {
        LoadProfile(
            [Phase(load: half.load, start: 0, end: half.end), high, overload, after].map {
                .init(factor: $0.load / half.load, nanoseconds: $0.end - $0.start)
            })
    }

    /// Windows of the recovery.
    private static let window: UInt64 = 100_000_000
    /// Recovered is what is no slower than so many times before.
    static let recoveryFactor = 3.0

    /// - Parameter hosts: how many share the goodput; all links have the same rate.
    func evaluate(_ entries: [LoadTimeline.Entry], hosts: Int, into carrier: inout DemoCarrier) {
        carrier.half = figures(half, entries, hosts: hosts)
        carrier.high = figures(high, entries, hosts: hosts)
        carrier.overload = figures(overload, entries, hosts: hosts)
        // What was asked for under overload is answered later as well: long messages have waited.
        let span = Phase(load: overload.load, start: overload.start, end: after.end)
        carrier.overload.goodput = goodput(span, entries, hosts: hosts)
        carrier.recovery = recovery(entries, before: carrier.half)
    }

    /// Latencies by when requests were due, goodput by when they were answered.
    func figures(_ phase: Phase, _ entries: [LoadTimeline.Entry], hosts: Int) -> DemoPhase {
        let due = entries.filter { phase.contains($0.intended) }
        let short = due.filter(\.isShort).map { Double($0.latency) }.sorted()
        let answered = entries.filter { phase.contains($0.finished) }
        return DemoPhase(
            load: phase.load, shortCount: short.count, shortP50: Self.percentile(50, of: short),
            shortP99: Self.percentile(99, of: short), shortMinimum: short.first,
            allP99: Self.percentile(99, of: due.map { Double($0.latency) }.sorted()),
            goodput: goodput(phase, entries, hosts: hosts),
            answeredPerSecond: Double(answered.count) / phase.seconds)
    }

    /// Payload on each host's link and direction: its requests and its responses.
    private func goodput(_ phase: Phase, _ entries: [LoadTimeline.Entry], hosts: Int) -> Double {
        let bytes = entries.reduce(0) {
            phase.contains($1.finished) ? $0 + $1.requestBytes + $1.responseBytes : $0
        }
        return Double(bytes) * 8 / phase.seconds / Double(hosts)
    }

    /// From the overload's end to the first of two windows in a row, by when requests were due, whose short messages
    /// are fast again; windows without any are passed over. Fast are those whose slowest and whose median are: a
    /// protocol whose slowest always take seconds would else be said to recover at once.
    func recovery(_ entries: [LoadTimeline.Entry], before: DemoPhase) -> DemoRecovery? {
        guard let p50 = before.shortP50, let p99 = before.shortP99 else { return nil }
        let short = entries.filter { after.contains($0.intended) && $0.isShort }
        var candidate: UInt64?
        for start in stride(from: after.start, to: after.end, by: Int(Self.window)) {
            let latencies = short.filter { $0.intended >= start && $0.intended < start + Self.window }
                .map { Double($0.latency) }.sorted()
            guard let median = Self.percentile(50, of: latencies), let slowest = Self.percentile(99, of: latencies)
            else { continue }
            if median > Self.recoveryFactor * p50 || slowest > Self.recoveryFactor * p99 {
                candidate = nil
            } else if let candidate {
                return .after(seconds: Double(candidate - after.start) / 1e9)
            } else {
                candidate = start
            }
        }
        return .notWithin(seconds: after.seconds)
    }

    /// What went wrong in a run, if anything did.
    ///
    /// TCP may leave requests in its connections for longer than anybody waits here, under overload as many as it will,
    /// below that a few: on the slowest links its longest take more than six seconds. That is its figure then, as they
    /// count as long as they have waited, and no failure. More of them, and any over Homa at any load, are one.
    func failures(_ carrier: DemoCarrier, _ load: LoadResult, unanswered: [LoadTimeline.Entry]) -> [String] {
        var failures: [String] = []
        if load.errors > 0 {
            let why = load.firstError.map { " (\($0))" } ?? ""
            failures.append("\(carrier.name): \(load.errors) of \(load.offered) requests failed\(why)")
        }
        let early = unanswered.filter { carrier.isHoma || $0.intended < high.end }
        let permitted = carrier.isHoma ? 0 : Int(load.offered) / Self.fewOf
        if early.count > permitted, load.errors == 0 {
            let seconds = fixed(Double(load.plan.drain.wholeNanoseconds) / 1e9, 0)
            failures.append(
                "\(carrier.name): \(early.count) of \(load.offered) requests had no answer \(seconds) s after the end")
        }
        if load.verificationFailures > 0 {
            failures.append("\(carrier.name): \(load.verificationFailures) responses had wrong bytes")
        }
        return failures
    }

    /// One of so many requests is few.
    private static let fewOf = 50

    /// The smallest value that so many percent of all do not exceed; nil for none.
    static func percentile(_ percent: Double, of sorted: [Double]) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let rank = Int((percent / 100 * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }
}
