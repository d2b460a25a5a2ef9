// SPDX-License-Identifier: Apache-2.0

public import HomaScenarios

/// A published or measured figure.
public enum Figure: Equatable, Sendable {
    case number(Double)
    /// From the least to the greatest.
    case range(Double, Double)
    case text(String)
    /// Nothing was published, or nothing could be measured.
    case none

    /// As results carry it: a number, an array of two, a text or null.
    public var json: JSONValue {
        switch self {
        case .number(let value): .double(rounded(value, digits: 6))
        case .range(let low, let high): .array([.double(low), .double(high)])
        case .text(let text): .string(text)
        case .none: .null
        }
    }

    /// For people.
    public var text: String {
        switch self {
        case .number(let value): value.isFinite ? readable(value) : "–"
        case .range(let low, let high): "\(readable(low)) … \(readable(high))"
        case .text(let text): text
        case .none: "–"
        }
    }
}

/// How far our figure may be from the published one.
public enum Tolerance: Equatable, Sendable {
    /// So large a share of the published figure, up or down; of a range, of its ends.
    case share(Double)
    /// At most so many times larger or smaller; of a range, than its ends.
    case factor(Double)
    /// At least so many times the published figure.
    case atLeast(Double)
    /// At most so many times the published figure.
    case atMost(Double)
    /// Nothing was published: any figure answers.
    case open

    /// In words.
    public var text: String {
        switch self {
        case .share(let share): "± \(readable(share * 100)) %"
        case .factor(let factor): "÷ \(readable(factor)) … × \(readable(factor))"
        case .atLeast(let times): times == 1 ? "at least" : "at least \(readable(times)) ×"
        case .atMost(let times): times == 1 ? "at most" : "at most \(readable(times)) ×"
        case .open: "open question"
        }
    }

    /// What our figure may be, beside the published range; nil when everything may.
    func permitted(low: Double, high: Double) -> ClosedRange<Double>? {
        switch self {
        case .share(let share): low * (1 - share)...high * (1 + share)
        case .factor(let factor): low / factor...high * factor
        case .atLeast(let times): low * times ... .infinity
        case .atMost(let times): -.infinity...high * times
        case .open: nil
        }
    }
}

/// What became of a claim or question. Always worked out from figures, never written down.
public enum Verdict: String, Sendable, CaseIterable {
    case reproduced
    case notReproduced = "not reproduced"
    case answered
}

/// One sentence of the literature, or one open question, and what was found.
public struct Claim: Equatable, Sendable {
    /// What is claimed or asked.
    public var claim: String
    /// Who published it.
    public var source: String
    public var published: Figure
    public var ours: Figure
    public var unit: String
    public var tolerance: Tolerance
    public var verdict: Verdict
    /// How the verdict came about, and, where a figure does not come out, the reason as far as it was found.
    public var why: String

    /// Judges our figure against the published one.
    /// - Parameters:
    ///   - published: a number or a range; none makes it an open question whatever the tolerance.
    ///   - ours: not a number when it could not be measured; then the claim is not reproduced.
    ///   - note: what else is to be known of our figure, whatever the verdict.
    ///   - reason: what was found out about why the figure differs; told only when it does.
    public init(
        _ claim: String, source: String, published: Figure = .none, ours: Double, unit: String,
        tolerance: Tolerance = .open, note: String = "", reason: String = ""
    ) {
        self.claim = claim
        self.source = source
        self.published = published
        self.ours = ours.isFinite ? .number(ours) : .none
        self.unit = unit
        self.tolerance = published == .none ? .open : tolerance
        let (verdict, why) = Self.judge(published, ours, self.tolerance)
        self.verdict = verdict
        let more = verdict == .notReproduced ? [reason, note] : [note]
        self.why = ([why] + more).filter { !$0.isEmpty }.joined(separator: "; ")
    }

    /// An open question whose answer is not one number.
    public init(question: String, source: String, answer: String, unit: String = "", note: String = "") {
        claim = question
        self.source = source
        published = .none
        ours = answer.isEmpty ? .none : .text(answer)
        self.unit = unit
        tolerance = .open
        verdict = answer.isEmpty ? .notReproduced : .answered
        why = answer.isEmpty ? "no answer could be measured" : note.isEmpty ? "measured" : note
    }

    private static func judge(_ published: Figure, _ ours: Double, _ tolerance: Tolerance) -> (Verdict, String) {
        guard ours.isFinite else { return (.notReproduced, "not measured") }
        let bounds: (low: Double, high: Double)
        switch published {
        case .number(let value): bounds = (value, value)
        case .range(let low, let high): bounds = (low, high)
        case .text, .none: return (.answered, "nothing was published to compare with")
        }
        guard let permitted = tolerance.permitted(low: bounds.low, high: bounds.high) else {
            return (.answered, "nothing was published to compare with")
        }
        let nearest = min(max(ours, bounds.low), bounds.high)
        let ratio = nearest == 0 ? "" : ", \(readable(ours / nearest)) of what was published"
        let range = "permitted is \(Self.text(permitted))"
        return permitted.contains(ours)
            ? (.reproduced, "inside: \(range)\(ratio)") : (.notReproduced, "outside: \(range)\(ratio)")
    }

    private static func text(_ range: ClosedRange<Double>) -> String {
        if range.lowerBound == -.infinity { return "at most \(readable(range.upperBound))" }
        if range.upperBound == .infinity { return "at least \(readable(range.lowerBound))" }
        return "\(readable(range.lowerBound)) … \(readable(range.upperBound))"
    }

    /// One object, as `homa experiment run --json` prints it.
    public func json(experiment: String) -> JSONValue {
        .object([
            .init("experiment", .string(experiment)), .init("claim", .string(claim)), .init("source", .string(source)),
            .init("published", published.json), .init("ours", ours.json), .init("unit", .string(unit)),
            .init("tolerance", .string(tolerance.text)), .init("verdict", .string(verdict.rawValue)),
            .init("why", .string(why)),
        ])
    }
}
