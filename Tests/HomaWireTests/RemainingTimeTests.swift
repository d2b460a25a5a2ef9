// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("The time that a request's client still has")
struct RemainingTimeTests {
    @Test("short times are exact to the microsecond, and no time at all is a microsecond")
    func short() {
        for (nanoseconds, raw) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (2_047_000, 2_047)] as [(UInt64, UInt16)] {
            #expect(RemainingTime(nanoseconds: nanoseconds).rawValue == raw)
        }
        #expect(RemainingTime(rawValue: 2_047).nanoseconds == 2_047_000)
    }

    @Test("long times are rounded up, by less than a thousandth", arguments: 13..<44)
    func long(bits: UInt64) throws {
        var random = SeededRandom(seed: bits)
        for _ in 0..<200 {
            let time = max(1_000_000, UInt64.random(in: 0 ... .max >> bits, using: &random))
            let read = try #require(RemainingTime(nanoseconds: time).nanoseconds)
            #expect(read >= time && Double(read) <= Double(time) * 1.001 + 1000)
        }
    }

    @Test("a mantissa of 0 is no deadline, and more than fifty days are none")
    func limits() {
        #expect(RemainingTime.unlimited.nanoseconds == nil)
        #expect(RemainingTime(rawValue: 0xF800).nanoseconds == nil)
        let longest: UInt64 = (2_047 << 31) * 1000
        #expect(RemainingTime(rawValue: .max).nanoseconds == longest)
        #expect(RemainingTime(nanoseconds: longest).rawValue == .max)
        #expect(RemainingTime(nanoseconds: longest + 1) == .unlimited)
        #expect(RemainingTime(nanoseconds: .max) == .unlimited)
        #expect(RemainingTime(nanoseconds: 1_500_000).description == "1500 µs")
    }

    @Test("it adds nothing to what a header takes in memory")
    func size() {
        #expect(MemoryLayout<DataFields>.size == 44)
        #expect(MemoryLayout<PacketHeader>.size == 121)
    }
}
