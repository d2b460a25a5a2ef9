// SPDX-License-Identifier: Apache-2.0

/// A decimal number, exactly: `digits` · 10^`exponent`.
///
/// Times, rates and the steps of a sweep are written as decimals. In binary 0.1 + 0.2 is 0.30000000000000004, which
/// would be another scenario than the one that says 0.3.
struct ExactDecimal: Equatable, Sendable {
    var digits: Int128
    var exponent: Int

    init(digits: Int128, exponent: Int) {
        self.digits = digits
        self.exponent = exponent
    }

    /// Reads a number in the form JSON has. Nil when it is none, or has more than 30 digits or an exponent beyond ±40.
    init?(_ text: some StringProtocol) {
        let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "e" || $0 == "E" }
        let mantissa = parts[0].split(separator: Character("."), maxSplits: 1, omittingEmptySubsequences: false)
        let whole = mantissa[0].drop { $0 == "-" }
        let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
        guard mantissa[0].count - whole.count <= 1, !whole.isEmpty, mantissa.count == 1 || !fraction.isEmpty else {
            return nil
        }
        let all = String(whole) + fraction
        guard all.count <= 30, all.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int128(all) else {
            return nil
        }
        guard let power = parts.count > 1 ? Int(parts[1]) : 0, (-40...40).contains(power) else { return nil }
        digits = mantissa[0].hasPrefix("-") ? -value : value
        exponent = power - fraction.count
    }

    /// The number as a multiple of 10^`power`; nil when it is not a whole one or too large.
    func scaled(toPower power: Int) -> Int128? {
        var result = digits
        var steps = exponent - power
        while steps > 0 {
            let (product, overflow) = result.multipliedReportingOverflow(by: 10)
            guard !overflow else { return nil }
            result = product
            steps -= 1
        }
        while steps < 0 {
            guard result % 10 == 0 else { return nil }
            result /= 10
            steps += 1
        }
        return result
    }

    /// The shortest plain form: no exponent, no needless zeros.
    var text: String {
        var value = digits
        var power = exponent
        while value != 0, power < 0, value % 10 == 0 {
            value /= 10
            power += 1
        }
        guard value != 0 else { return "0" }
        let sign = value < 0 ? "-" : ""
        let plain = String(value.magnitude)
        guard power < 0 else { return sign + plain + String(repeating: "0", count: power) }
        let padded = String(repeating: "0", count: max(0, 1 - power - plain.count)) + plain
        return sign + padded.dropLast(-power) + "." + padded.suffix(-power)
    }

    static func + (left: Self, right: Self) -> Self? {
        let power = min(left.exponent, right.exponent)
        guard let first = left.scaled(toPower: power), let second = right.scaled(toPower: power) else { return nil }
        let (sum, overflow) = first.addingReportingOverflow(second)
        return overflow ? nil : Self(digits: sum, exponent: power)
    }

    static func * (left: Self, right: Self) -> Self? {
        let (product, overflow) = left.digits.multipliedReportingOverflow(by: right.digits)
        return overflow ? nil : Self(digits: product, exponent: left.exponent + right.exponent)
    }

    /// Nil when the two cannot be brought to a common power.
    static func isAtMost(_ left: Self, _ right: Self) -> Bool? {
        let power = min(left.exponent, right.exponent)
        guard let first = left.scaled(toPower: power), let second = right.scaled(toPower: power) else { return nil }
        return first <= second
    }
}
