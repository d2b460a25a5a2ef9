// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Reads one object of a scenario file. What is missing takes its default; what is wrong is noted and takes it too.
struct ObjectReader {
    /// The object's own path, such as `topology.leaf`; empty at the top.
    let path: String
    let members: [JSONValue.Member]
    let problems: ProblemList

    /// Notes keys that are not among `keys`.
    init(_ value: JSONValue, path: String, keys: [String], problems: ProblemList) {
        self.path = path
        self.problems = problems
        members = value.members ?? []
        if value.members == nil { problems.add(path.isEmpty ? "scenario" : path, value, "an object") }
        for member in members where !keys.contains(member.key) {
            problems.add(
                .unknownKey(
                    field: field(member.key), value: member.value.description,
                    suggestion: Self.suggestion(for: member.key, keys: keys, path: path), known: keys))
        }
    }

    private static func suggestion(for key: String, keys: [String], path: String) -> String? {
        if let near = Suggestion.nearest(to: key, in: keys) { return near }
        let elsewhere = ScenarioKeys.sections.filter { $0.path != path }
        let exact = elsewhere.first { $0.keys.contains(key) }.map { ($0.path, key) }
        let near = elsewhere.lazy.compactMap { other in
            Suggestion.nearest(to: key, in: other.keys).map { (other.path, $0) }
        }
        guard let (section, name) = exact ?? near.first else { return nil }
        return section.isEmpty ? "\(name) at the top" : "\(section).\(name)"
    }

    /// The path of one of its keys.
    func field(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func value(_ key: String) -> JSONValue? { members.first { $0.key == key }?.value }
    func has(_ key: String) -> Bool { value(key) != nil }

    func wrong(_ key: String, _ permitted: String) { problems.add(field(key), value(key) ?? .null, permitted) }

    /// Reads with `parse` what is there; nil from it is a problem. Null stands for `null` where that is permitted.
    private func read<T>(_ key: String, _ permitted: String, default fallback: T, parse: (JSONValue) -> T?) -> T {
        guard let value = value(key) else { return fallback }
        if let parsed = parse(value) { return parsed }
        problems.add(field(key), value, permitted)
        return fallback
    }

    func text(_ key: String, default fallback: String) -> String {
        read(key, "a text", default: fallback) { $0.text }
    }

    func flag(_ key: String, default fallback: Bool) -> Bool {
        read(key, "true or false", default: fallback) { if case .bool(let value) = $0 { value } else { nil } }
    }

    func integer(_ key: String, _ range: ClosedRange<Int>, default fallback: Int) -> Int {
        read(key, Self.whole(range), default: fallback) { Self.integer($0, range) }
    }

    /// Null is nil.
    func integerOrNull(_ key: String, _ range: ClosedRange<Int>, default fallback: Int?) -> Int? {
        read(key, Self.whole(range) + ", or null", default: fallback) { value -> Int?? in
            value == .null ? .some(nil) : Self.integer(value, range).map { .some($0) }
        }
    }

    func seed(_ key: String, default fallback: UInt64) -> UInt64 {
        read(key, "a whole number, 0 … \(UInt64.max)", default: fallback) {
            if case .number(let digits) = $0 { UInt64(digits) } else { nil }
        }
    }

    func number(_ key: String, _ range: ClosedRange<Double>, default fallback: Double) -> Double {
        let permitted = "a number, \(JSONValue.double(range.lowerBound)) … \(JSONValue.double(range.upperBound))"
        return read(key, permitted, default: fallback) { $0.number.flatMap { range.contains($0) ? $0 : nil } }
    }

    func choice<T>(_ key: String, _ choices: [(String, T)], default fallback: T) -> T {
        let permitted = "one of " + choices.map { $0.0 }.joined(separator: ", ")
        guard let value = value(key) else { return fallback }
        if let text = value.text, let found = choices.first(where: { $0.0 == text }) { return found.1 }
        let near = value.text.flatMap { Suggestion.nearest(to: $0, in: choices.map { $0.0 }) }
        problems.add(field(key), value, permitted + (near.map { "; did you mean \($0)?" } ?? ""))
        return fallback
    }

    private static func whole(_ range: ClosedRange<Int>) -> String {
        "a whole number, \(range.lowerBound) … \(range.upperBound)"
    }

    private static func integer(_ value: JSONValue, _ range: ClosedRange<Int>) -> Int? {
        // 1e6 and 100.0 are whole numbers, too.
        guard case .number(let digits) = value, let number = ExactDecimal(digits)?.scaled(toPower: 0) else {
            return nil
        }
        guard let whole = Int(exactly: number) else { return nil }
        return range.contains(whole) ? whole : nil
    }
}

extension ObjectReader {
    /// A time, 0 … one day, in the unit of the key.
    func duration(_ key: String, _ unit: TimeUnit, default fallback: Duration) -> Duration {
        read(key, Self.time(unit), default: fallback) { unit.duration($0) }
    }

    /// Null is nil.
    func durationOrNull(_ key: String, _ unit: TimeUnit, default fallback: Duration?) -> Duration? {
        read(key, Self.time(unit) + ", or null", default: fallback) { value -> Duration?? in
            value == .null ? .some(nil) : unit.duration(value).map { .some($0) }
        }
    }

    /// A rate in Gb/s, exact to the bit per second.
    func rate(_ key: String, default fallback: BitRate) -> BitRate {
        read(key, Self.gigabits, default: fallback) { Self.rate($0) }
    }

    /// Null is nil.
    func rateOrNull(_ key: String, default fallback: BitRate?) -> BitRate? {
        read(key, Self.gigabits + ", or null", default: fallback) { value -> BitRate?? in
            value == .null ? .some(nil) : Self.rate(value).map { .some($0) }
        }
    }

    private static func time(_ unit: TimeUnit) -> String {
        "a time in \(unit.name), 0 … \(JSONValue(86_400, unit)) (a day), at most as fine as an attosecond"
    }

    private static let gigabits = "a rate in Gb/s, 0.001 … 2000, at most as fine as a bit per second"

    private static func rate(_ value: JSONValue) -> BitRate? {
        guard case .number(let digits) = value, let bits = ExactDecimal(digits)?.shifted(by: 9).scaled(toPower: 0),
            (1_000_000...2_000_000_000_000).contains(bits)
        else { return nil }
        return BitRate(bitsPerSecond: UInt64(bits))
    }
}

/// The unit in which a key has its time.
enum TimeUnit: Int {
    case nanoseconds = -9
    case microseconds = -6
    case milliseconds = -3

    var name: String {
        switch self {
        case .nanoseconds: "ns"
        case .microseconds: "µs"
        case .milliseconds: "ms"
        }
    }

    /// Nil when it is no number, below zero, above a day, or finer than an attosecond.
    func duration(_ value: JSONValue) -> Duration? {
        guard case .number(let digits) = value,
            let attoseconds = ExactDecimal(digits)?.shifted(by: rawValue + 18).scaled(toPower: 0)
        else { return nil }
        let duration = Duration(attoseconds: attoseconds)
        return (Duration.zero ... .seconds(86_400)).contains(duration) ? duration : nil
    }
}

extension ExactDecimal {
    /// The number times 10^`power`.
    func shifted(by power: Int) -> Self { Self(digits: digits, exponent: exponent + power) }
}

extension JSONValue {
    /// A time as a number in some unit, exactly.
    init(_ duration: Duration, _ unit: TimeUnit) {
        self = .number(ExactDecimal(digits: duration.attoseconds, exponent: -18 - unit.rawValue).text)
    }

    init(_ seconds: Int, _ unit: TimeUnit) { self.init(.seconds(seconds), unit) }

    /// A rate as a number in Gb/s, exactly.
    init(gigabits rate: BitRate) {
        self = .number(ExactDecimal(digits: Int128(rate.bitsPerSecond), exponent: -9).text)
    }

    /// Null for nil.
    init(_ value: Int?) { self = value.map { .integer($0) } ?? .null }
    init(_ duration: Duration?, _ unit: TimeUnit) { self = duration.map { JSONValue($0, unit) } ?? .null }
}
