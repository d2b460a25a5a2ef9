// SPDX-License-Identifier: Apache-2.0

/// One figure with everything needed to judge it, as one flat JSON object on one line.
///
/// The keys `measure`, `value` and `unit` come first; then `rival`, `rival_value` (same unit) and `ratio` when
/// a rival was measured beside it (no `ratio` when the value is one); then the context in the order it was given, which
/// begins with `is_lower_bound` when requests that were never answered leave no more than that to say. A
/// context key that holds a quantity ends in its unit (`mtu_bytes`, `duration_s`, `load_fraction`).
public struct ResultRecord: Sendable, Equatable {
    /// A value of a context field.
    public enum Field: Sendable, Equatable {
        case text(String)
        case integer(Int64)
        case number(Double)
        case flag(Bool)
        case numbers([Double])
        /// `null`.
        case none

        var json: String {
            switch self {
            case .text(let text): JSONText.quoted(text)
            case .integer(let value): String(value)
            case .number(let value): JSONText.number(value)
            case .flag(let value): value ? "true" : "false"
            case .numbers(let values): "[" + values.map(JSONText.number).joined(separator: ",") + "]"
            case .none: "null"
            }
        }
    }

    /// What was measured, such as `latency_p99`.
    public var measure: String
    /// The figure, in `unit`.
    public var value: Double
    /// The unit of `value` and of the rival's value: `ns`, `bit/s`, `rpc/s`, `ratio`, …
    public var unit: String
    /// What it was measured against in the same run, such as `tcp`; nil when nothing was.
    public private(set) var rival: (name: String, value: Double)?
    private var valueIsComparison = false
    private var tellsOfMissingRival = false
    /// The circumstances, in the order they are printed.
    public private(set) var context: [(key: String, value: Field)] = []

    private static let reserved: Set<String> = ["measure", "value", "unit", "rival", "rival_value", "ratio"]

    public init(measure: String, value: Double, unit: String) {
        self.measure = measure
        self.value = value
        self.unit = unit
    }

    /// A figure with what is known of it: a lower bound says so, as the context `is_lower_bound`.
    public init(measure: String, _ measured: MeasuredValue, unit: String) {
        self.init(measure: measure, value: measured.value, unit: unit)
        if measured.isLowerBound { context.append(("is_lower_bound", .flag(true))) }
    }

    /// Adds the rival's figure, in the same unit.
    public func against(_ name: String, _ value: Double) -> ResultRecord {
        var copy = self
        copy.rival = (name, value)
        return copy
    }

    /// Adds the figure of a rival to a value that is itself a comparison with it; no ratio is printed.
    public func named(rival name: String, value: Double) -> ResultRecord {
        var copy = self
        copy.rival = (name, value)
        copy.valueIsComparison = true
        return copy
    }

    /// Says that nothing was measured beside it: both keys of the rival are null.
    public func withoutRival() -> ResultRecord {
        var copy = self
        copy.tellsOfMissingRival = true
        return copy
    }

    /// Adds a context field, or replaces the one with the same key in its place.
    public func with(_ key: String, _ value: Field) -> ResultRecord {
        precondition(!Self.reserved.contains(key), "the record's own keys cannot be context")
        var copy = self
        if let index = copy.context.firstIndex(where: { $0.key == key }) {
            copy.context[index].value = value
        } else {
            copy.context.append((key, value))
        }
        return copy
    }

    public func with(_ key: String, _ text: String) -> ResultRecord { with(key, .text(text)) }
    public func with(_ key: String, _ value: Int) -> ResultRecord { with(key, .integer(Int64(value))) }
    public func with(_ key: String, _ value: Double) -> ResultRecord { with(key, .number(value)) }

    /// The record as one line of JSON, without a line break.
    public var jsonLine: String {
        var pairs = [
            ("measure", JSONText.quoted(measure)), ("value", JSONText.number(value)), ("unit", JSONText.quoted(unit)),
        ]
        if let rival {
            pairs.append(("rival", JSONText.quoted(rival.name)))
            pairs.append(("rival_value", JSONText.number(rival.value)))
            if !valueIsComparison { pairs.append(("ratio", JSONText.number(value / rival.value))) }
        } else if tellsOfMissingRival {
            pairs += [("rival", "null"), ("rival_value", "null")]
        }
        pairs += context.map { ($0.key, $0.value.json) }
        return "{" + pairs.map { "\(JSONText.quoted($0.0)):\($0.1)" }.joined(separator: ",") + "}"
    }

    public static func == (lhs: ResultRecord, rhs: ResultRecord) -> Bool { lhs.jsonLine == rhs.jsonLine }
}
