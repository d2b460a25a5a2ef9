// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
import Testing

@testable import HomaCommand

@Suite("Numbers on a command line")
struct ReaderTests {
    private static let numbers = [
        "", " ", "-", "e", "0", "-0", "1", "-1", "0.5", "1e-300", "-1e-300", "1e300", "-1e300", "1e999", "nan", "-nan",
        "inf", "-inf", "infinity", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
        "18446744073709551615", "18446744073709551616", "9007199254740993", "1e15", "1e-9", "4.9e-324", "0x7fffffff",
        "0x1p1023", "١", "1_000", "1,5", "\u{0}",
    ]
    private static let units = ["", "s", "ms", "us", "ns", "k", "K", "M", "G", "Gi", "Ki", "i", "bit", "Gbit", "%"]

    /// The value as a number, nil when it was refused with a sentence that names the limits.
    private func taken<Value>(_ reader: Reader<Value>, _ text: String, _ number: (Value) -> Double) -> Double? {
        do {
            return number(try reader.read(text))
        } catch {
            #expect("\(error)".hasPrefix("must be ") && "\(error)".contains("…"), "\(error)")
            return nil
        }
    }

    @Test("every number with every unit is in range or refused, and never stops the program", arguments: units)
    func everything(unit: String) {
        for number in Self.numbers {
            let text = number + unit
            if let value = taken(.count(-5...100), text, { Double($0) }) { #expect((-5...100).contains(value)) }
            if let value = taken(.count(.min ... .max), text, { Double($0) }) { #expect(value.isFinite) }
            if let value = taken(.number(0.001...1e8), text, { $0 }) { #expect((0.001...1e8).contains(value)) }
            if let value = taken(.bytes(1...1_000_000), text, { Double($0.bytes) }) {
                #expect((1...1e6).contains(value))
            }
            if let value = taken(.time, text, { $0.duration / .seconds(1) }) { #expect((0...1e6).contains(value)) }
            if let value = taken(.length, text, { $0.duration / .seconds(1) }) { #expect((1e-6...1e6).contains(value)) }
            if let value = taken(.spin, text, { ($0.duration ?? .zero) / .seconds(1) }) {
                #expect((0...1e6).contains(value))
            }
            if let value = taken(.loss, text, { Double($0.tenThousandths) }) { #expect((0...1e4).contains(value)) }
            let rates = BitRate.megabitsPerSecond(1) ... .gigabitsPerSecond(10)
            if let value = taken(.rate(rates), text, { Double($0.rate.bitsPerSecond) }) {
                #expect((1e6...1e10).contains(value))
            }
            if let value = taken(.port(1...32_767), text, { Double($0) }) { #expect((1...32_767).contains(value)) }
            if let value = taken(.seed, text, { Double($0) }) { #expect(value >= 0) }
        }
    }

    @Test("limits belong to the range, and what is beyond does not")
    func limits() {
        #expect((try? Reader<Int>.count(1...1000).read("1000")) == 1000)
        #expect((try? Reader<Int>.count(1...1000).read("1001")) == nil)
        #expect((try? Reader<TimeSpan>.length.read("1us"))?.duration == .microseconds(1))
        #expect((try? Reader<TimeSpan>.length.read("999ns")) == nil)
        #expect((try? Reader<TimeSpan>.length.read("1000000s"))?.duration == .seconds(1_000_000))
        #expect((try? Reader<TimeSpan>.length.read("1000001s")) == nil)
        #expect((try? Reader<ByteCount>.bytes(1...65_536).read("64Ki"))?.bytes == 65_536)
        #expect((try? Reader<UInt64>.seed.read("18446744073709551615")) == .max)
    }

    @Test(
        "times are told as they are written",
        arguments: ["0s", "1ns", "999ns", "1us", "1500us", "2ms", "90s", "1000000s"])
    func times(text: String) { #expect(TimeSpan(argument: text)?.description == text) }

    @Test(
        "any number can be told with any number of decimals",
        arguments: [
            (0, 2, "0.00"), (-0.004, 2, "0.00"), (-0.006, 2, "-0.01"), (1.005, 0, "1"), (99.999, 2, "100.00"),
            (-1234.5678, 1, "-1234.6"), (1e17, 0, "100000000000000000"), (1e18, 0, "1e+18"), (-1e300, 3, "-1e+300"),
            (.nan, 1, "–"), (.infinity, 0, "–"), (0.05, 1, "0.1"), (7, 3, "7.000"),
            (123_456_789.5, 2, "123456789.50"),
        ] as [(Double, Int, String)])
    func decimals(value: Double, decimals: Int, expected: String) { #expect(fixed(value, decimals) == expected) }
}
