// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaBench

/// Reads the value of an option, and takes what is in its range only.
///
/// No number reaches a command that it could not reckon with: whatever is divided by, rounded to nanoseconds or
/// multiplied later has limits here, and an option that breaks one is told with its value and its limits (exit status
/// 64). Tidiness tests see to it that no option takes a bare number.
struct Reader<Value: Sendable>: Sendable {
    let read: @Sendable (String) throws -> Value

    /// - Parameters:
    ///   - what: what is wanted, such as `1 … 100`.
    ///   - parse: nil for what is none.
    init(_ what: String, _ parse: @escaping @Sendable (String) -> Value?) {
        read = { text in
            guard let value = parse(text) else { throw RangeError(description: "must be \(what)") }
            return value
        }
    }
}

/// Why a value was not taken.
struct RangeError: Error, Equatable, CustomStringConvertible {
    var description: String
}

extension Reader where Value == Int {
    /// A whole number.
    static func count(_ range: ClosedRange<Int>) -> Reader {
        Reader("a whole number, \(range.lowerBound) … \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Reader where Value == Double {
    /// Any number.
    static func number(_ range: ClosedRange<Double>) -> Reader {
        Reader("a number, \(plain(range.lowerBound)) … \(plain(range.upperBound))") { text in
            Double(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    private static func plain(_ value: Double) -> String {
        value == value.rounded() && value < 1e15 ? "\(Int(value))" : "\(value)"
    }
}

extension Reader where Value == UInt64 {
    /// What decides random numbers: any whole number of 64 bits.
    static var seed: Reader { Reader("a whole number, 0 … \(UInt64.max)") { UInt64($0) } }
}

extension Reader where Value == UInt16 {
    /// A port.
    static func port(_ range: ClosedRange<UInt16>) -> Reader {
        Reader("a whole number, \(range.lowerBound) … \(range.upperBound)") { text in
            UInt16(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Reader where Value == ByteCount {
    /// A count of bytes.
    static func bytes(_ range: ClosedRange<Int>) -> Reader {
        Reader("a count of bytes such as 500K or 64Ki, \(range.lowerBound) … \(range.upperBound)") { text in
            ByteCount(argument: text).flatMap { range.contains($0.bytes) ? $0 : nil }
        }
    }
}

extension Reader where Value == LinkRate {
    /// A rate in bits per second.
    static func rate(_ range: ClosedRange<BitRate>) -> Reader {
        let limits = "\(LinkRate(range.lowerBound)) … \(LinkRate(range.upperBound))"
        return Reader("a rate such as 200Mbit or 10Gbit, \(limits)") { text in
            LinkRate(argument: text).flatMap { range.contains($0.rate) ? $0 : nil }
        }
    }
}

extension Reader where Value == TimeSpan {
    /// A time from nothing on.
    static var time: Reader { time(.zero ... .longestTime) }

    /// How long something is to last.
    static var length: Reader { time(.microseconds(1) ... .longestTime) }

    static func time(_ range: ClosedRange<Duration>) -> Reader {
        let limits = "\(TimeSpan.text(range.lowerBound)) … \(TimeSpan.text(range.upperBound))"
        return Reader("a time such as 500ms or 2s, \(limits)") { text in
            TimeSpan(argument: text).flatMap { range.contains($0.duration) ? $0 : nil }
        }
    }
}

extension Reader where Value == SpinTime {
    /// A time, or for ever.
    static var spin: Reader {
        Reader("a time such as 50us, 0s … \(TimeSpan.text(.longestTime)), or forever") { text in
            text == "forever" ? SpinTime(nil) : TimeSpan(argument: text).map { SpinTime($0.duration) }
        }
    }
}

extension Duration {
    /// The longest time that any command reckons with: more than eleven days.
    static let longestTime = Duration.seconds(1_000_000)
}

extension Option {
    /// An option with a default.
    init(
        wrappedValue: Value, name: NameSpecification = .long, help: ArgumentHelp? = nil, within reader: Reader<Value>
    ) where Value: Sendable {
        var help = help ?? ArgumentHelp()
        help.abstract += " (default: \(wrappedValue))"
        // A negative number looks like an option, and is to be refused as a number.
        self.init(
            wrappedValue: wrappedValue, name: name, parsing: .unconditional, help: help, transform: reader.read)
    }

    /// An option that may be left out.
    init<Given>(name: NameSpecification = .long, help: ArgumentHelp? = nil, within reader: Reader<Given>)
    where Value == Given? {
        self.init(name: name, parsing: .unconditional, help: help, transform: reader.read)
    }
}

extension Argument {
    /// An argument that is a number.
    init(help: ArgumentHelp? = nil, within reader: Reader<Value>) where Value: Sendable {
        self.init(help: help, transform: reader.read)
    }
}
