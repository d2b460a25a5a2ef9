// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore

extension EndpointConfiguration {
    /// The default settings, brought down to a link that is slower than those they are made for.
    ///
    /// The defaults suit 10 Gb/s and more: their 60 000 unscheduled bytes occupy a link of 200 Mb/s for 2.4 ms,
    /// and what they allow on the way for 20 ms, in which messages are asked for again that are merely queued, and
    /// short ones wait wherever there are no priorities. All sizes follow from what the link carries in one round
    /// trip; from 10 Gb/s up the result is the default. The pacer is left off; its limit is set.
    /// - Parameters:
    ///   - rate: of the hosts' links.
    ///   - mtu: bytes of an IP packet.
    static func forLink(_ rate: BitRate, mtu: Int) -> Self {
        var result = Self.default
        let frame = mtu + 38
        let inFlight = Int(rate.bitsPerSecond / 8) / roundTripsPerSecond
        result.unscheduledBytes = min(max(inFlight, 2 * mtu), result.unscheduledBytes)
        result.maximumIncoming = min(max(8 * inFlight, 20 * mtu), result.maximumIncoming)
        result.grantIncrement = min(result.maximumIncoming / 10, result.grantIncrement)
        // These go at a high priority, before most short messages.
        result.oldestGrantBytes = min(max(inFlight, 2 * mtu), result.oldestGrantBytes)
        // A thread that sleeps between packets wakes up late; with less in the link's queue the link would idle.
        result.linkQueueLimit = max(.nanoseconds(Int64(rate.nanoseconds(forBytes: 2 * frame))), result.linkQueueLimit)
        // A message of the lowest priority is silent for as long as a longest message above it takes.
        let longest = Duration.nanoseconds(Int64(rate.nanoseconds(forBytes: HomaLimits.maximumMessageLength)))
        result.resendAfter = max(longest, result.resendAfter)
        result.resendIntervalLimit = max(longest * 4, result.resendIntervalLimit)
        result.timeout = max(longest * 25, result.timeout)
        return result
    }

    /// A round trip of 500 µs: of processes that sleep until a packet comes, on a machine that is busy
    /// (docs/measurements).
    private static var roundTripsPerSecond: Int { 2000 }
}
