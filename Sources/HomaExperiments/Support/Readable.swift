// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A number rounded to so many significant digits.
func rounded(_ value: Double, digits: Int) -> Double {
    guard value.isFinite, value != 0 else { return value }
    let scale = pow(10.0, Double(digits - 1) - log10(abs(value)).rounded(.down))
    return (value * scale).rounded() / scale
}

/// A number as one reads it: three significant digits or all digits of its whole part, no exponent for everyday sizes.
func readable(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    let short = abs(value) >= 1000 ? value.rounded() : rounded(value, digits: 3)
    guard abs(short) >= 1e-4 || short == 0 else { return "\(short)" }
    guard short == short.rounded(), abs(short) < 1e15 else { return "\(short)" }
    return grouped(Int64(short))
}

/// Digits in groups of three, with thin spaces, from five digits on.
private func grouped(_ value: Int64) -> String {
    let digits = String(value.magnitude)
    guard digits.count > 4 else { return "\(value)" }
    var out = ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { out += "\u{202F}" }
        out.append(digit)
    }
    return (value < 0 ? "-" : "") + out
}
