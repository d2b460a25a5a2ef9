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
        configuration.resendIntervalLimit = .milliseconds(5)
        configuration.timeout = .milliseconds(100)
        configuration.maximumPeers = 10_000
        return configuration
    }

    /// The simulations of the SIGCOMM 2018 paper: 10 Gb/s hosts, 9328 unscheduled bytes, at most
    /// 10 000 bytes granted ahead per message, one message per sender, no share for the oldest; packets of 1442 bytes
    /// in frames of 1538, all others 84 bytes on the wire.
    ///
    /// The paper chose overcommitment and cutoffs per workload; pass the number of scheduled
    /// levels (W1 1, W2 3, W3 4, W4 and W5 7).
    public static func sigcomm2018(scheduledLevels: Int) -> Self {
        var configuration = Self()
        configuration.segmentBytes = 1_442
        configuration.dataOverheadBytes = 96
        configuration.controlWireBytes = 84
        configuration.unscheduledBytes = 9_328
        configuration.roundsUnscheduledToPackets = false
        configuration.linkRate = .gigabitsPerSecond(10)
        configuration.senderOldestShare = 0
        configuration.overcommitment = scheduledLevels
        configuration.window = 10_000
        configuration.maximumIncoming = scheduledLevels * 10_000
        configuration.grantIncrement = 1
        configuration.grantOldestShare = 0
        configuration.activeMessagesPerPeer = 1
        configuration.countsUnscheduledIncoming = false
        let unscheduledLevels = max(1, 8 - scheduledLevels)
        var cutoffs = [UInt32](repeating: 0, count: 8)
        cutoffs[8 - unscheduledLevels] = UInt32(HomaLimits.maximumMessageLength)
        configuration.unscheduledCutoffs = cutoffs
        return configuration
    }
}
