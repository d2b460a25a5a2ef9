// SPDX-License-Identifier: Apache-2.0

/// One key of a scenario and the values it takes in a sweep.
public struct SweepAxis: Equatable, Sendable {
    /// The key's path, such as `traffic.load`.
    public var path: String
    /// Its values in order, at least one.
    public var values: [JSONValue]

    public init(path: String, values: [JSONValue]) {
        self.path = path
        self.values = values
    }

    /// Most values of one axis; more is a slip of the finger, not an experiment.
    public static let mostValues = 100_000

    /// Reads `PATH=VALUES`, the values separated by commas, each one of
    ///
    /// | form | values |
    /// |---|---|
    /// | `0.5..0.9/0.1` | from 0.5 to at most 0.9 in steps of 0.1, exactly as decimals |
    /// | `1..5` | the same in steps of 1 |
    /// | `1000000..16000000*2` | each value twice the one before |
    /// | `w1`, `0.8`, `null`, `[0,0]` | itself |
    public init(parsing text: String) throws(OverrideError) {
        let assignment = try Override.split(text)
        var values: [JSONValue] = []
        for part in Self.parts(of: assignment.value) {
            values += try Self.expand(part, in: text)
        }
        guard !values.isEmpty, values.count <= Self.mostValues else {
            throw OverrideError(text: text, problem: "gives \(values.count) values, not 1 … \(Self.mostValues)")
        }
        var seen: Set<String> = []
        for value in values where !seen.insert(value.description).inserted {
            throw OverrideError(text: text, problem: "gives the value \(value) twice")
        }
        self.init(path: Override.fullPath(assignment.path), values: values)
    }

    /// The pieces between commas that are not inside brackets or quotes.
    private static func parts(of text: String) -> [String] {
        var parts = [""]
        var depth = 0
        var quoted = false
        for character in text {
            if character == "\"" { quoted.toggle() }
            if !quoted {
                if "[{".contains(character) { depth += 1 }
                if "]}".contains(character) { depth -= 1 }
            }
            if character == ",", depth == 0, !quoted {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        return parts
    }

    private static func expand(_ part: String, in text: String) throws(OverrideError) -> [JSONValue] {
        guard !part.isEmpty else { throw OverrideError(text: text, problem: "has an empty value") }
        guard let dots = part.firstRange(of: ".."), !part.hasPrefix("\""), !part.hasPrefix("[") else {
            return [Override.value(part)]
        }
        let rest = part[dots.upperBound...]
        let mark = rest.firstIndex { $0 == "/" || $0 == "*" } ?? rest.endIndex
        let step = mark == rest.endIndex ? "1" : rest[rest.index(after: mark)...]
        guard let first = ExactDecimal(part[..<dots.lowerBound]), let last = ExactDecimal(rest[..<mark]),
            let step = ExactDecimal(step)
        else { throw OverrideError(text: text, problem: "'\(part)' is no range; write, for example, 0.5..0.9/0.1") }
        let isFactor = mark != rest.endIndex && rest[mark] == "*"
        guard let values = range(first, last, step, isFactor: isFactor) else {
            throw OverrideError(
                text: text,
                problem: "'\(part)' is no range of at most \(mostValues) values: it has to ascend, by steps above 0 or "
                    + "factors above 1")
        }
        return values.map { .number($0.text) }
    }

    private static func range(
        _ first: ExactDecimal, _ last: ExactDecimal, _ step: ExactDecimal, isFactor: Bool
    ) -> [ExactDecimal]? {
        let none = ExactDecimal(digits: isFactor ? 1 : 0, exponent: 0)
        guard ExactDecimal.isAtMost(step, none) == false, ExactDecimal.isAtMost(first, last) == true else { return nil }
        if isFactor, ExactDecimal.isAtMost(first, ExactDecimal(digits: 0, exponent: 0)) != false { return nil }
        var values: [ExactDecimal] = []
        var next: ExactDecimal? = first
        while let value = next, ExactDecimal.isAtMost(value, last) == true {
            guard values.count < mostValues else { return nil }
            values.append(value)
            next = isFactor ? value * step : value + step
        }
        return values
    }
}
