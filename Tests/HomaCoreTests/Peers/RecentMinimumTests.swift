// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Recent minimum")
struct RecentMinimumTests {
    private static func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test("is the least of what was noted")
    func least() {
        var minimum = RecentMinimum()
        #expect(minimum.value == .max)
        for value in [70, 50, 60] as [UInt64] { minimum.note(value, at: Self.at(1)) }
        #expect(minimum.value == 50)
    }

    @Test("forgets what is older than twenty seconds, and nothing younger than ten")
    func forgetting() {
        var minimum = RecentMinimum()
        minimum.note(50, at: Self.at(1))
        for second in 2...9 { minimum.note(80, at: Self.at(UInt64(second))) }
        minimum.note(80, at: Self.at(12))
        #expect(minimum.value == 50, "eleven seconds old, and the half before counts")
        for second in 13...21 { minimum.note(80, at: Self.at(UInt64(second))) }
        #expect(minimum.value == 50)
        minimum.note(80, at: Self.at(23))
        #expect(minimum.value == 80)
    }

    @Test("keeps the last value for as long as there is no other")
    func silence() {
        var minimum = RecentMinimum()
        minimum.note(50, at: Self.at(1))
        #expect(minimum.value == 50)
        minimum.note(90, at: Self.at(100))
        #expect(minimum.value == 90, "what was noted long before says nothing about the present")
    }
}
