// SPDX-License-Identifier: Apache-2.0

extension Threshold {
    /// What came out, in the unit that was asked for, such as `p99 = 612 ms, not < 600 ms`.
    public func outcome(for subject: some ThresholdSubject) -> String {
        let name = String(description.prefix { $0 != "<" && $0 != ">" }.filter { !$0.isWhitespace })
        let demand = "\(relation.rawValue) \(withUnit(written.number))"
        guard let measured = subject.measured(quantity) else { return "\(name) was not measured, wanted is \(demand)" }
        let figure = withUnit(told(measured.value))
        let words =
            measured.isLowerBound
            ? "\(name) is at least \(figure), as requests were never answered" : "\(name) = \(figure)"
        return "\(words), \(holds(for: subject) ? "" : "not ")\(demand)"
    }

    private func withUnit(_ number: String) -> String {
        written.unit.isEmpty ? number : "\(number) \(written.unit)"
    }

    /// A value in the limit's unit: with three digits, and more where it takes more to tell it from the limit.
    private func told(_ value: Double) -> String {
        var digits = 3
        func text(_ value: Double) -> String { Self.rounded(value / written.factor, digits: digits) }
        while digits < 17, value != limit, text(value) == text(limit) { digits += 1 }
        return text(value)
    }

    /// A number with so many significant digits, or all before the point if they are more.
    static func rounded(_ value: Double, digits: Int) -> String {
        guard value.isFinite, value != 0, abs(value) < 1e15, abs(value) > 1e-9 else {
            return value == 0 ? "0" : "\(value)"
        }
        var scale = 1.0
        var magnitude = abs(value)
        var whole = 1
        while magnitude >= 10 { (magnitude, whole) = (magnitude / 10, whole + 1) }
        while magnitude < 1 { (magnitude, whole) = (magnitude * 10, whole - 1) }
        for _ in 0..<max(0, digits - whole) { scale *= 10 }
        let result = (value * scale).rounded() / scale
        return result == result.rounded() ? "\(Int64(result))" : "\(result)"
    }
}
