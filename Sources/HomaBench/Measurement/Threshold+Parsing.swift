// SPDX-License-Identifier: Apache-2.0

/// Why a threshold could not be read.
public enum ThresholdError: Error, Equatable, CustomStringConvertible {
    case missingRelation(String)
    case unknownQuantity(String)
    case percentileOutOfRange(String)
    case badLimit(String, expected: String)

    public var description: String {
        switch self {
        case .missingRelation(let text):
            "threshold '\(text)' has no <, <=, > or >=; write, for example, 'p99<50us'"
        case .unknownQuantity(let name):
            "unknown quantity '\(name)' in a threshold; known are p50, p99, p99.9 and so on, mean, max, rate, goodput, "
                + "errors"
        case .percentileOutOfRange(let name):
            "'\(name)' is no percentile; use p0 to p100"
        case .badLimit(let text, let expected):
            "'\(text)' is no limit for this threshold; expected \(expected)"
        }
    }
}

extension Threshold {
    /// Reads a demand: a quantity, a relation, a limit with its unit.
    ///
    /// | quantity | limit |
    /// |---|---|
    /// | `p50`, `p99.9`, `mean`, `max` | a time: `ns`, `us`, `ms`, `s` |
    /// | `rate` | RPCs per second, optionally with `k` or `M` and `rps` or `/s` |
    /// | `goodput` | `bit`, `kbit`, `Mbit`, `Gbit`, optionally with `/s` |
    /// | `errors` | a count of requests that failed, were left unfinished or brought back wrong bytes |
    ///
    /// Powers are of 1000. White space around the parts does not matter, nor do upper and lower case.
    public init(_ text: String) throws(ThresholdError) {
        guard let start = text.firstIndex(where: { $0 == "<" || $0 == ">" }) else { throw .missingRelation(text) }
        let orEqual = text[text.index(after: start)...].first == "="
        let end = text.index(start, offsetBy: orEqual ? 2 : 1)
        guard let relation = Relation(rawValue: String(text[start..<end])) else { throw .missingRelation(text) }
        let quantity = try Self.parseQuantity(Self.trimmed(text[..<start]))
        let limitText = Self.trimmed(text[end...])
        let units = Self.units(of: quantity)
        guard let (limit, written) = Self.parseLimit(limitText, units: units.factors) else {
            throw .badLimit(limitText, expected: units.expected)
        }
        self.init(quantity: quantity, relation: relation, limit: limit, description: text, written: written)
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop(while: \.isWhitespace)
        return String(String(start.reversed().drop(while: \.isWhitespace).reversed()))
    }

    private static func parseQuantity(_ text: String) throws(ThresholdError) -> Quantity {
        switch text.lowercased() {
        case "mean": return .mean
        case "max": return .maximum
        case "rate": return .rate
        case "goodput": return .goodput
        case "errors": return .errors
        case let name where name.hasPrefix("p") && plainNumber(name.dropFirst()) != nil:
            let percent = plainNumber(name.dropFirst()) ?? -1
            guard percent <= 100 else { throw .percentileOutOfRange(text) }
            return .percentile(percent)
        default: throw .unknownQuantity(text)
        }
    }

    /// Digits with at most one point: no sign, no exponent, no infinity.
    private static func plainNumber(_ text: some StringProtocol) -> Double? {
        guard text.allSatisfy({ ("0"..."9").contains($0) || $0 == "." }) else { return nil }
        return Double(String(text))
    }

    private static func parseLimit(_ text: String, units: [String: Double]) -> (Double, Written)? {
        let number = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        let unit = trimmed(text[number.endIndex...])
        guard let value = plainNumber(number), let factor = units[unit.lowercased()] else { return nil }
        // Digits without end are no limit that anything can be held against.
        guard (value * factor).isFinite else { return nil }
        return (value * factor, Written(number: String(number), unit: unit, factor: factor))
    }

    private static func units(of quantity: Quantity) -> (factors: [String: Double], expected: String) {
        switch quantity {
        case .percentile, .mean, .maximum:
            let factors = ["ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9]
            return (factors, "a time with its unit, such as 50us or 1.5ms")
        case .rate:
            var factors: [String: Double] = [:]
            for (prefix, factor) in [("", 1.0), ("k", 1e3), ("m", 1e6)] {
                for suffix in ["", "rps", "/s"] { factors[prefix + suffix] = factor }
            }
            return (factors, "RPCs per second, such as 100000 or 100k")
        case .goodput:
            var factors: [String: Double] = [:]
            for (prefix, factor) in [("", 1.0), ("k", 1e3), ("m", 1e6), ("g", 1e9)] {
                for suffix in ["bit", "bit/s"] { factors[prefix + suffix] = factor }
            }
            return (factors, "bits per second with their unit, such as 1.5Gbit")
        case .errors:
            return (["": 1], "a count, such as 1")
        }
    }
}
