// SPDX-License-Identifier: Apache-2.0

/// A number with so many decimals; one too large for that as its leading digits and a power of ten.
package func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return "–" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    guard abs(value) < 1e18 / scale else { return "\(value)" }
    let rounded = Int64((value * scale).rounded())
    guard decimals > 0 else { return "\(rounded)" }
    let digits = String(rounded.magnitude)
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    return "\(rounded < 0 ? "-" : "")\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
}

/// Nanoseconds as microseconds.
package func microseconds(_ nanoseconds: UInt64) -> String { fixed(Double(nanoseconds) / 1000, 1) }

/// Nanoseconds as microseconds, a lower bound as such.
package func microseconds(_ measured: MeasuredValue?) -> String { bounded(measured, by: 1000, 1) }

/// A figure divided by `scale` with so many decimals; of a lower bound `≥ 2100.0`.
package func bounded(_ measured: MeasuredValue?, by scale: Double, _ decimals: Int) -> String {
    guard let measured else { return "–" }
    return (measured.isLowerBound ? "≥ " : "") + fixed(measured.value / scale, decimals)
}

/// Bits per second as Gb/s.
package func gigabits(_ bitsPerSecond: Double) -> String { fixed(bitsPerSecond / 1e9, 2) }
