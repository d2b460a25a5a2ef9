// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Windows from round trips")
struct WindowLimitsTests {
    private static func tuning(_ rate: BitRate?, adapts: Bool = true) -> Tuning {
        var configuration = EndpointConfiguration()
        configuration.linkRate = rate
        configuration.adaptsWindows = adapts
        return Tuning(configuration)
    }

    private static let configured = WindowLimits(incoming: 500_000, increment: 50_000, oldest: 50_000)

    @Test("what is configured holds while nothing is known, and for ever when adapting is off or the window is fixed")
    func configured() {
        #expect(Self.tuning(.gigabitsPerSecond(1)).limits(roundTrip: nil) == Self.configured)
        #expect(Self.tuning(.gigabitsPerSecond(1)).unscheduledBytes(roundTrip: nil) == 60_000)
        let off = Self.tuning(.gigabitsPerSecond(1), adapts: false)
        #expect(off.limits(roundTrip: 1_000_000) == Self.configured)
        #expect(off.unscheduledBytes(roundTrip: 1000) == 60_000)
        var fixed = EndpointConfiguration()
        fixed.window = 100_000
        #expect(Tuning(fixed).limits(roundTrip: 1_000_000) == Self.configured)
    }

    @Test("a link of unknown rate, or of 10 Gb/s and more, has what is configured", arguments: [nil, 10, 100])
    func fast(_ gigabits: Double?) {
        let tuning = Self.tuning(gigabits.map(BitRate.gigabitsPerSecond))
        #expect(tuning.limits(roundTrip: 10_000) == Self.configured)
        #expect(tuning.unscheduledBytes(roundTrip: 10_000) == 60_000)
        if gigabits == nil { #expect(tuning.limits(roundTrip: 1) == Self.configured, "nearness takes nothing away") }
    }

    @Test("at 1 Gb/s and 20 µs, 60 µs' worth goes unscheduled, eight times that may be on the way")
    func slow() {
        let tuning = Self.tuning(.gigabitsPerSecond(1))
        #expect(tuning.unscheduledBytes(roundTrip: 20_000) == 7_500)
        #expect(tuning.limits(roundTrip: 20_000) == WindowLimits(incoming: 60_000, increment: 6_000, oldest: 7_500))
    }

    @Test("nothing falls below what keeps a few packets under way")
    func floor() {
        let tuning = Self.tuning(.megabitsPerSecond(10))
        let packet = Int(tuning.defaultSegment)
        #expect(tuning.unscheduledBytes(roundTrip: 20_000) == 2 * tuning.defaultSegment)
        #expect(tuning.limits(roundTrip: 20_000).incoming == 20 * packet)
    }

    @Test("far peers get windows for their distance, up to four times what is configured, but no more unscheduled")
    func far() {
        let tuning = Self.tuning(nil)
        #expect(tuning.limits(roundTrip: 100_000) == Self.configured)
        #expect(tuning.limits(roundTrip: 400_000).incoming == 1_250_000)
        #expect(tuning.limits(roundTrip: 1_000_000).incoming == 2_000_000)
        #expect(tuning.limits(roundTrip: .max - 100_000).incoming == 2_000_000)
        #expect(tuning.unscheduledBytes(roundTrip: 1_000_000) == 60_000)
    }

    @Test("a step of a grant fits the smallest window", arguments: [1, 8, 64], [1_000, 50_000, 5_000_000] as [UInt64])
    func steps(overcommitment: Int, roundTrip: UInt64) {
        var configuration = EndpointConfiguration()
        configuration.overcommitment = overcommitment
        configuration.grantIncrement = 5_000
        configuration.linkRate = .megabitsPerSecond(300)
        let tuning = Tuning(configuration)
        let limits = tuning.limits(roundTrip: roundTrip)
        #expect(limits.increment >= 1)
        #expect(Int(limits.increment) <= tuning.window(active: overcommitment, incoming: limits.incoming))
    }
}
