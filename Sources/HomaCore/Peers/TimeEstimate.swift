// SPDX-License-Identifier: Apache-2.0

/// How long something usually takes: a smoothed time and its mean deviation, with the gains of TCP's round-trip timer
/// (RFC 6298: 1/8 and 1/4). In nanoseconds.
struct TimeEstimate: BitwiseCopyable {
    /// 0 until there is a sample.
    private(set) var smoothed: UInt64 = 0
    private(set) var deviation: UInt64 = 0

    /// It took so long this time.
    mutating func note(_ nanoseconds: UInt64) {
        let time = max(1, nanoseconds)
        guard smoothed > 0 else {
            smoothed = time
            deviation = time / 2
            return
        }
        let error = time > smoothed ? time - smoothed : smoothed - time
        deviation = deviation - deviation / 4 + error / 4
        smoothed = smoothed - smoothed / 8 + time / 8
    }

    /// It takes longer than that this time.
    mutating func noteMore(than nanoseconds: UInt64) {
        if nanoseconds > smoothed { note(nanoseconds) }
    }

    /// Hardly ever does it take longer than this. 0 when nothing is known.
    var bound: UInt64 { smoothed + 4 * deviation }
}
