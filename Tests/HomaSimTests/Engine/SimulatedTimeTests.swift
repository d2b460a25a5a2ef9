// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaSim
import Testing

@Suite struct SimulatedTimeTests {
    @Test func `the protocol core sees whole nanoseconds, never early`() {
        #expect(SimulatedTime(picoseconds: 1_999).instant == Instant(nanoseconds: 1))
        #expect(SimulatedTime(picoseconds: 2_000).instant == Instant(nanoseconds: 2))
    }
}
