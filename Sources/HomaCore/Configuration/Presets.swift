// SPDX-License-Identifier: Apache-2.0

import HomaBase

extension EndpointConfiguration {
    /// What this project recommends.
    public static var `default`: Self { Self() }

    /// The kernel implementation's defaults (HomaModule 9edb958, July 2026): unscheduled bytes and
    /// timers of a 25 Gb/s network with 1 ms ticks.
    public static var linux2026: Self {
        var configuration = Self()
        configuration.unscheduledBytes = 40_000
        configuration.roundsUnscheduledToPackets = false
        configuration.linkRate = .gigabitsPerSecond(25)
        configuration.maximumIncoming = 400_000
        configuration.grantIncrement = 1
        configuration.countsUnscheduledIncoming = false
        configuration.learnsCutoffs = false
        configuration.adaptsTimers = false
        configuration.adaptsWindows = false
        configuration.probesPerPeer = 0
        configuration.resendIntervalLimit = .milliseconds(5)
        configuration.timeout = .milliseconds(100)
        configuration.responseRetention = .zero
        configuration.maximumPeers = 10_000
        configuration.maximumCallsPerPeer = 1 << 20
        configuration.callsUnderWayPerPeer = 65_535
        configuration.bytesUnderWayPerPeer = 1 << 30
        return configuration
    }

    /// ``linux2026`` for switches with little buffer: about a third of what it makes a switch hold, for a mean
    /// slowdown at most a tenth higher and about a hundredth less throughput.
    ///
    /// For 25 Gb/s and round trips of 15 µs; both figures grow in proportion to bandwidth times round-trip time. Found
    /// by `homa experiment run less-buffer` (W4 at 80 % load; docs/findings.md).
    public static var smallBuffers: Self {
        var configuration = linux2026
        configuration.unscheduledBytes = 27_000
        configuration.maximumIncoming = 150_000
        return configuration
    }

    /// The simulations of the SIGCOMM 2018 paper: 10 Gb/s hosts, 9328 unscheduled bytes, at most
    /// 10 000 bytes granted ahead per message and in steps of one packet, one message per sender, no share for the
    /// oldest; packets of 1442 bytes in frames of 1538, all others 84 bytes on the wire.
    ///
    /// - Parameters:
    ///   - scheduledLevels: lowest levels, for granted data, 1 … 8, and messages granted to at once. The paper chose
    ///     them per workload: W1 1, W2 3, W3 4, W4 and W5 7.
    ///   - sizes: the workload, as ``UnscheduledCutoffs/balanced(sizes:unscheduledBytes:levels:)`` takes it; the other
    ///     levels then share the unscheduled bytes evenly, as in the paper. Empty: all are sent at the highest level
    ///     but `scheduledLevels`.
    public static func sigcomm2018(
        scheduledLevels: Int, sizes: [(bytes: Int, cumulative: Double)] = []
    ) -> Self {
        var configuration = Self()
        configuration.responseRetention = .zero
        configuration.segmentBytes = 1_442
        configuration.dataOverheadBytes = 96
        configuration.controlWireBytes = 84
        configuration.unscheduledBytes = 9_328
        configuration.roundsUnscheduledToPackets = false
        configuration.linkRate = .gigabitsPerSecond(10)
        configuration.fifoSendFraction = 0
        configuration.acknowledgesMessages = false
        configuration.assumesPeersAlike = true
        configuration.overcommitment = scheduledLevels
        configuration.window = 10_000
        // The paper limits messages, not their sum.
        configuration.maximumIncoming = 1 << 30
        configuration.grantIncrement = 1
        configuration.largestGrant = 1_442
        configuration.fifoGrantFraction = 0
        configuration.activeMessagesPerHost = 1
        configuration.countsUnscheduledIncoming = false
        configuration.learnsCutoffs = false
        configuration.adaptsTimers = false
        configuration.adaptsWindows = false
        configuration.probesPerPeer = 0
        configuration.maximumCallsPerPeer = 1 << 20
        configuration.callsUnderWayPerPeer = 65_535
        configuration.bytesUnderWayPerPeer = 1 << 30
        configuration.unscheduledCutoffs = UnscheduledCutoffs.balanced(
            sizes: sizes, unscheduledBytes: configuration.unscheduledBytes, levels: min(7, scheduledLevels)...7)
        return configuration
    }
}
