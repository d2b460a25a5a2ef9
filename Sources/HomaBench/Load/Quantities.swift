// SPDX-License-Identifier: Apache-2.0

package import HomaBase

/// A number with an optional decimal suffix, such as `64K`, `1.5M` or `10G`; nil for what is none or has no end.
private func scaled(_ text: some StringProtocol, base: Double = 1000) -> Double? {
    guard let last = text.last else { return nil }
    let factors: [Character: Double] = ["k": base, "m": base * base, "g": base * base * base]
    let factor = factors[Character(last.lowercased())]
    let number = factor == nil ? text[...] : text.dropLast()
    guard let value = Double(String(number)).map({ $0 * (factor ?? 1) }), value.isFinite else { return nil }
    return value
}

/// A count of bytes: `500000`, `500K` (500 000), `64Ki` (65 536), `64Mi`.
package struct ByteCount: CustomStringConvertible, Sendable {
    package var bytes: Int

    package init(_ bytes: Int) { self.bytes = bytes }

    /// Nil for what is no count of bytes, or one of more than 10¹⁵.
    package init?(argument: String) {
        let binary = argument.lowercased().hasSuffix("i")
        let text = binary ? argument.dropLast() : argument[...]
        guard let value = scaled(text, base: binary ? 1024 : 1000), value >= 0, value < 1e15 else { return nil }
        bytes = Int(value)
    }

    package var description: String { "\(bytes)" }
}

/// A link rate: `10Gbit`, `200Mbit`, `25G`.
package struct LinkRate: CustomStringConvertible, Sendable {
    package var rate: BitRate

    package init(_ rate: BitRate) { self.rate = rate }

    /// Nil for what is no rate, or one of less than 1 bit/s or more than 10¹⁵.
    package init?(argument: String) {
        let lowered = argument.lowercased()
        let text = lowered.hasSuffix("bit") ? lowered.dropLast(3) : lowered[...]
        guard let value = scaled(text), value >= 1, value < 1e15 else { return nil }
        rate = BitRate(bitsPerSecond: UInt64(value))
    }

    /// As one writes it: `10Gbit`.
    package var description: String {
        let units: [(UInt64, String)] = [(1_000_000_000, "Gbit"), (1_000_000, "Mbit"), (1000, "kbit"), (1, "bit")]
        let bits = rate.bitsPerSecond
        let (size, unit) = units.first { bits >= $0.0 && bits % $0.0 == 0 } ?? (1, "bit")
        return "\(bits / size)\(unit)"
    }
}

/// A length of time: `500ms`, `50us`, `2s`, or seconds without a unit.
package struct TimeSpan: CustomStringConvertible, Sendable {
    package var duration: Duration

    package init(_ duration: Duration) { self.duration = duration }

    /// Nil for what is no time, is negative, or longer than 10⁶ s. Less than a nanosecond is none.
    package init?(argument: String) {
        let units: [(String, Double)] = [("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("", 1)]
        guard let (suffix, factor) = units.first(where: { argument.hasSuffix($0.0) }),
            let value = Double(String(argument.dropLast(suffix.count))), value >= 0, value * factor <= 1e6
        else { return nil }
        duration = .nanoseconds(Int64(value * factor * 1e9))
    }

    package var description: String { Self.text(duration) }

    /// As one writes it: `500ms`.
    package static func text(_ duration: Duration) -> String {
        let nanoseconds = duration.wholeNanoseconds
        let units: [(UInt64, String)] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us"), (1, "ns")]
        let (size, unit) = units.first { nanoseconds >= $0.0 && nanoseconds % $0.0 == 0 } ?? (1, "ns")
        return nanoseconds == 0 ? "0s" : "\(nanoseconds / size)\(unit)"
    }
}

/// How long an idle engine looks for work before it sleeps: a time, or `forever`.
package struct SpinTime: CustomStringConvertible, Sendable {
    /// Nil: never sleeps.
    package var duration: Duration?

    package init(_ duration: Duration?) { self.duration = duration }

    package var description: String { duration.map(TimeSpan.text) ?? "forever" }
}
