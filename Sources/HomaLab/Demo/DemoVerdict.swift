// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench

/// What the measurements come to, in one sentence that they support, and the exit status that goes with it.
package struct DemoVerdict {
    let sentence: String
    /// What did not work, a sentence each. With any of these there is no comparison.
    package let failures: [String]

    package var isGood: Bool { failures.isEmpty }

    /// Factors between which two protocols count as equal: what a repetition of the demo changes.
    private static let equal = 0.67...1.5
    /// Under overload a link goes on carrying at least this share of its rate; less is a collapse. What was answered
    /// between the overload's start and the end of the measurement stands for it, so it misses what came later.
    private static let leastCarried = 0.35
    /// The idle goodput of one protocol is at least this share of the other's.
    private static let leastGoodput = 0.1

    init(_ measurements: DemoMeasurements) {
        let link = measurements.link
        let comparison = link.flatMap(Self.comparison)
        var failures = measurements.idle.failures + Self.idleCollapse(measurements.idle)
        if let link { failures += link.carriers.flatMap(\.failures) + Self.linkCollapse(link) }
        if failures.isEmpty, comparison == nil { failures = ["loaded link: no short message was answered"] }
        self.failures = failures
        if let failure = failures.first {
            let more = failures.count > 1 ? " (and \(failures.count - 1) more, above)" : ""
            sentence =
                "This run compares nothing, because something failed: \(failure)\(more)\(Self.busy(measurements))."
        } else {
            sentence = "\(comparison ?? "")\(Self.busy(measurements))."
        }
    }

    // MARK: Collapses

    private static func idleCollapse(_ idle: DemoIdle) -> [String] {
        guard let homa = idle.goodput[.homa], let tcp = idle.goodput[.tcp] else {
            return idle.failures.isEmpty ? ["idle network: no goodput was measured"] : []
        }
        for (name, mine, other) in [("Homa", homa, tcp), ("TCP", tcp, homa)] where mine < leastGoodput * other {
            return ["idle network: \(name) collapsed to \(gigabits(mine)) Gb/s of the other's \(gigabits(other))"]
        }
        return []
    }

    private static func linkCollapse(_ link: DemoLink) -> [String] {
        let rate = Double(link.rate.bitsPerSecond)
        let collapsed = link.carriers.filter { $0.failures.isEmpty && $0.overload.goodput < leastCarried * rate }
        // One of two ways to use TCP may collapse: the other is the rival then.
        let rivals = collapsed.filter { !$0.isHoma }
        return collapsed.filter { $0.isHoma || rivals.count == link.carriers.count - 1 }.map {
            "\($0.name): collapsed under overload to \(fixed($0.overload.goodput / 1e6, 0)) Mb/s of "
                + "\(fixed(rate / 1e6, 0))"
        }
    }

    // MARK: The sentence

    private static func comparison(_ link: DemoLink) -> String? {
        guard let tcp = link.rival(\.high), let mine = link.homa.high.shortP99, let theirs = tcp.high.shortP99,
            mine > 0, theirs > 0
        else { return nil }
        let ratio = theirs / mine
        let place = (link.place.isSimulated ? "In the simulator, on" : "On") + " a link of \(megabits(link.rate))"
        let times = "\(milliseconds(mine)) over Homa and \(milliseconds(theirs)) over \(tcp.name)"
        let judgement: String
        switch ratio {
        case equal: judgement = "no better than TCP"
        case ..<equal.lowerBound: judgement = "worse than TCP, \(factor(1 / ratio)) times as slow"
        default: judgement = "\(factor(ratio)) times as fast as TCP"
        }
        let start =
            "\(place) at 80 % load Homa was \(judgement): 99 of 100 short messages took at most \(times)"
        return start + overload(link, isBetter: ratio > equal.upperBound)
    }

    private static func overload(_ link: DemoLink, isBetter: Bool) -> String {
        guard let tcp = link.rival(\.overload), let mine = link.homa.overload.shortP99,
            let theirs = tcp.overload.shortP99, mine > 0, theirs > 0
        else { return "" }
        let wasBetter = theirs / mine > equal.upperBound
        let text =
            (isBetter == wasBetter ? "; and" : "; but") + " at twice that load \(milliseconds(mine)) and "
            + milliseconds(theirs)
        guard let own = link.homa.recovery, let other = tcp.recovery else { return text }
        switch (own, other) {
        case (.after, _) where own == other: return text + ", both back to normal \(own.phrase)"
        case (.after, _): return text + ", back to normal \(own.phrase) and \(other.phrase)"
        case (.notWithin, _): return text + ", and Homa was not back to normal within \(own.limit)"
        }
    }

    private static func busy(_ measurements: DemoMeasurements) -> String {
        let disturbance = measurements.disturbance
        // What is simulated does not depend on the machine.
        guard disturbance.isBusy, measurements.link?.place.isSimulated != true else { return "" }
        return ", while other programs took \(percent(min(1, disturbance.others + disturbance.stolen))) of this machine"
    }

    // MARK: Words for figures

    /// Two digits, or all of a whole number.
    static func factor(_ value: Double) -> String { fixed(value, value < 10 ? 1 : 0) }

    static func milliseconds(_ nanoseconds: Double) -> String {
        let value = nanoseconds / 1e6
        return "\(fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0)) ms"
    }

    static func percent(_ share: Double) -> String { "\(fixed(share * 100, 0)) %" }

    private static func megabits(_ rate: BitRate) -> String { "\(fixed(Double(rate.bitsPerSecond) / 1e6, 0)) Mb/s" }
}

extension DemoRecovery {
    /// For a sentence.
    var phrase: String {
        switch self {
        case .after(let seconds): seconds < 0.05 ? "at once" : "after \(text)"
        case .notWithin: "after \(text)"
        }
    }

    /// As long as was waited for it.
    var limit: String {
        switch self {
        case .after(let seconds), .notWithin(let seconds): "\(fixed(seconds, 1)) s"
        }
    }
}
