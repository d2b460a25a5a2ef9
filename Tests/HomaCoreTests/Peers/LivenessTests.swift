// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("Who is dead")
struct LivenessTests {
    static func time(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("a host is dead after the timeout and a dozen probes, one after the other, and not by either alone")
    func dozen() {
        var liveness = Liveness(at: .zero)
        #expect(!liveness.isDead(at: Self.time(1000), timeout: 400_000_000), "nobody has asked it")
        for probe in 1...11 as ClosedRange<UInt64> {
            liveness.probed(at: Self.time(probe * 5), apart: 5_000_000)
            // Those that go together are lost together.
            liveness.probed(at: Self.time(probe * 5), apart: 5_000_000)
        }
        #expect(!liveness.isDead(at: Self.time(1000), timeout: 400_000_000))
        liveness.probed(at: Self.time(60), apart: 5_000_000)
        #expect(!liveness.isDead(at: Self.time(399), timeout: 400_000_000))
        #expect(liveness.isDead(at: Self.time(400), timeout: 400_000_000))
        liveness.heard(at: Self.time(401))
        #expect(!liveness.isDead(at: Self.time(2000), timeout: 400_000_000))
    }

    @Test("time in which this process did not run is no silence, however many RPCs report it")
    func absence() {
        var liveness = Liveness(at: .zero)
        for probe in 1...12 as ClosedRange<UInt64> { liveness.probed(at: Self.time(probe * 5), apart: 5_000_000) }
        for _ in 0..<3 { liveness.forgive(300_000_000, at: Self.time(500)) }
        #expect(!liveness.isDead(at: Self.time(699), timeout: 400_000_000))
        #expect(liveness.isDead(at: Self.time(700), timeout: 400_000_000))
    }

    @Test("a host of which nothing came for a second is unheard again, as one that never spoke")
    func unheard() {
        var liveness = Liveness(at: .zero)
        #expect(liveness.isUnheard(at: .zero))
        liveness.heard(at: Self.time(10))
        #expect(!liveness.isUnheard(at: Self.time(1009)))
        #expect(liveness.isUnheard(at: Self.time(1010)))
    }

    @Test("a host is unanswered until it has spoken, and again from each question to the next thing that it says")
    func unanswered() {
        var liveness = Liveness(at: .zero)
        #expect(liveness.isUnanswered)
        liveness.heard(at: Self.time(10))
        #expect(!liveness.isUnanswered)
        liveness.probed(at: Self.time(20), apart: 5_000_000)
        #expect(liveness.isUnanswered)
        liveness.heard(at: Self.time(30))
        #expect(!liveness.isUnanswered)
    }
}
