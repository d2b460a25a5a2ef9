// SPDX-License-Identifier: Apache-2.0

/// Smoothed round-trip time and the retransmission timeout that follows from it (RFC 6298). All in picoseconds.
struct RoundTripEstimate: BitwiseCopyable {
    private(set) var smoothed: UInt64
    private var variation: UInt64
    /// With all doublings since the last sample.
    private(set) var timeout: UInt64

    /// The handshake has given the first sample.
    init(firstSample: UInt64, minimum: UInt64, maximum: UInt64) {
        smoothed = firstSample
        variation = firstSample / 2
        timeout = min(maximum, max(minimum, firstSample + 4 * (firstSample / 2)))
    }

    /// Gains 1/8 and 1/4; a sample ends the doubling.
    mutating func add(_ sample: UInt64, minimum: UInt64, maximum: UInt64) {
        let difference = sample > smoothed ? sample - smoothed : smoothed - sample
        variation = variation - variation / 4 + difference / 4
        smoothed = smoothed - smoothed / 8 + sample / 8
        timeout = min(maximum, max(minimum, smoothed + 4 * variation))
    }

    /// The timer has expired.
    mutating func backOff(maximum: UInt64) { timeout = min(maximum, timeout * 2) }
}
