// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// What the test network does to packets.
struct Faults {
    /// Probability that a packet is lost.
    var loss = 0.0
    /// Probability that a packet arrives twice.
    var duplication = 0.0
    /// Nanoseconds a packet takes at least.
    var delay: UInt64 = 5_000
    /// Up to so many nanoseconds more, drawn per packet: anything above 0 reorders.
    var jitter: UInt64 = 0
    /// Probability that a packet takes `longDelay` more: a late duplicate's best friend.
    var lateness = 0.0
    var longDelay: UInt64 = 30_000_000

    /// A mixture drawn from the seed: each kind of fault is absent in half of the runs.
    static func drawn(_ random: inout SeededRandom) -> Faults {
        var faults = Faults()
        if Bool.random(using: &random) { faults.loss = Double.random(in: 0...0.2, using: &random) }
        if Bool.random(using: &random) { faults.duplication = Double.random(in: 0...0.2, using: &random) }
        if Bool.random(using: &random) { faults.jitter = UInt64.random(in: 0...200_000, using: &random) }
        if Bool.random(using: &random) { faults.lateness = Double.random(in: 0...0.05, using: &random) }
        return faults
    }
}
