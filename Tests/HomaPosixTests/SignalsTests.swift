// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaPosix
import Testing

/// One test, for a process has its signals once.
@Suite("Stop signals")
struct SignalsTests {
    @Test("a wait ends at its limit, or with the first request, which raises the flag", .timeLimit(.minutes(1)))
    func requests() async {
        let start = MonotonicClock.nanoseconds()
        await StopSignals.wait(atMost: .milliseconds(20))
        #expect(MonotonicClock.nanoseconds() - start >= 20_000_000)
        #expect(!StopSignals.flag.isRaised)

        async let first: Void = StopSignals.wait(atMost: .seconds(3600))
        async let second: Void = StopSignals.wait(atMost: nil)
        #expect(kill(getpid(), SIGTERM) == 0)
        _ = await (first, second)
        #expect(StopSignals.flag.isRaised)
        await StopSignals.wait(atMost: nil)
    }
}
