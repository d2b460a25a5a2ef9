// SPDX-License-Identifier: Apache-2.0

public import HomaBase

extension EndpointConfiguration {
    /// The default settings, brought down to a link that is slower than those they are made for.
    ///
    /// The defaults suit 10 Gb/s and more: their 60 000 unscheduled bytes occupy a link of 200 Mb/s for 2.4 ms,
    /// and what they allow on the way for 20 ms, in which messages are asked for again that are merely queued, and
    /// short ones wait wherever there are no priorities. All sizes follow from what the link carries in one round
    /// trip; from 10 Gb/s up the result is the default. The pacer is left off; its limit is set. Below 10 Gb/s the
    /// sizes are fixed (``adaptsWindows`` is off), so they suit hosts whose round trips vary much, as do those that
    /// sleep.
    /// - Parameters:
    ///   - rate: of the hosts' links.
    ///   - mtu: bytes of an IP packet.
    ///   - roundTrip: what to allow for. The default is that of processes that sleep until a packet comes, on a
    ///     machine that is busy (docs/measurements).
    public static func forLink(_ rate: BitRate, mtu: Int, roundTrip: Duration = .microseconds(500)) -> Self {
        var result = Self.default
        let frame = mtu + 38
        let inFlight = Int(Double(rate.bitsPerSecond) / 8e9 * Double(roundTrip.wholeNanoseconds))
        if rate < .gigabitsPerSecond(10) { result.adaptsWindows = false }
        result.unscheduledBytes = min(max(inFlight, 2 * mtu), result.unscheduledBytes)
        result.maximumIncoming = min(max(8 * inFlight, 20 * mtu), result.maximumIncoming)
        result.grantIncrement = min(result.maximumIncoming / 10, result.grantIncrement)
        // These go at a high priority, before most short messages.
        result.fifoGrantIncrement = min(max(inFlight, 2 * mtu), result.fifoGrantIncrement)
        // A thread that sleeps between packets wakes up late; with less in the link's queue the link would idle.
        result.linkQueueLimit = max(.nanoseconds(Int64(rate.nanoseconds(forBytes: 2 * frame))), result.linkQueueLimit)
        // A message of the lowest priority is silent for as long as a longest message above it takes.
        let longest = Duration.nanoseconds(Int64(rate.nanoseconds(forBytes: HomaLimits.maximumMessageLength)))
        result.resendAfter = max(longest, result.resendAfter)
        result.resendIntervalLimit = max(longest * 4, result.resendIntervalLimit)
        result.timeout = max(longest * 25, result.timeout)
        result.progressTimeout = max(result.timeout * 4, result.progressTimeout)
        result.responseRetention = max(result.timeout * 4, result.responseRetention)
        return result
    }
}
