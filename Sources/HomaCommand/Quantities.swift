// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase

/// A number with an optional decimal suffix, such as `64K`, `1.5M` or `10G`.
private func scaled(_ text: some StringProtocol, base: Double = 1000) -> Double? {
    guard let last = text.last else { return nil }
    let factors: [Character: Double] = ["k": base, "m": base * base, "g": base * base * base]
    guard let factor = factors[Character(last.lowercased())] else { return Double(String(text)) }
    return Double(String(text.dropLast())).map { $0 * factor }
}

/// A count of bytes: `500000`, `500K` (500 000), `64Ki` (65 536), `64Mi`.
struct ByteCount: ExpressibleByArgument, CustomStringConvertible, Sendable {
    var bytes: Int

    init(_ bytes: Int) { self.bytes = bytes }

    init?(argument: String) {
        let binary = argument.lowercased().hasSuffix("i")
        let text = binary ? argument.dropLast() : argument[...]
        guard let value = scaled(text, base: binary ? 1024 : 1000), value >= 0, value < 1e15 else { return nil }
        bytes = Int(value)
    }

    var description: String { "\(bytes)" }
}

/// A link rate: `10Gbit`, `200Mbit`, `25G`.
struct LinkRate: ExpressibleByArgument, CustomStringConvertible, Sendable {
    var rate: BitRate

    init(_ rate: BitRate) { self.rate = rate }

    init?(argument: String) {
        let lowered = argument.lowercased()
        let text = lowered.hasSuffix("bit") ? lowered.dropLast(3) : lowered[...]
        guard let value = scaled(text), value >= 1, value < 1e15 else { return nil }
        rate = BitRate(bitsPerSecond: UInt64(value))
    }

    var description: String { "\(rate)" }
}

/// A length of time: `500ms`, `50us`, `2s`, or seconds without a unit.
struct TimeSpan: ExpressibleByArgument, CustomStringConvertible, Sendable {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        let units: [(String, Double)] = [("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("", 1)]
        for (suffix, factor) in units where argument.hasSuffix(suffix) {
            guard let value = Double(String(argument.dropLast(suffix.count))), value >= 0, value * factor < 1e6 else {
                return nil
            }
            duration = .nanoseconds(Int64(value * factor * 1e9))
            return
        }
        return nil
    }

    var description: String { "\(duration)" }
}

/// How long an idle engine looks for work before it sleeps: a time, or `forever`.
struct SpinTime: ExpressibleByArgument, CustomStringConvertible, Sendable {
    /// Nil: never sleeps.
    var duration: Duration?

    init(_ duration: Duration?) { self.duration = duration }

    init?(argument: String) {
        if argument == "forever" {
            duration = nil
        } else {
            guard let span = TimeSpan(argument: argument) else { return nil }
            duration = span.duration
        }
    }

    var description: String { duration.map { "\($0)" } ?? "forever" }
}

/// What carries the messages.
enum ProtocolChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case homa, tcp
    /// Single datagrams to and fro: the floor of round trips.
    case udp
    /// Trains of datagrams one way: the ceiling of goodput.
    case trains = "udp-trains"
}
