// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// A host's state beside its lists.
struct DCPIMHost: BitwiseCopyable {
    /// Packets without data, for the network card.
    var firstControl = Packet.none
    var lastControl = Packet.none
    var random: SeededRandom

    // MARK: As a receiver

    /// `UInt64.max`: it wants nothing.
    var receiverStageAt = UInt64.max
    /// When the next token is due.
    var tokenAt = UInt64.max
    /// No tokens before that, because short messages take the link.
    var heldUntil: UInt64 = 0
    /// The round whose grants it collects.
    var openEpoch: UInt32 = 0
    var openRound: UInt8 = 0
    var isOpen = false
    var used = 0
    var nextUsed = 0
    /// Channels of the next data phase that are used already.
    var idleUsed = 0

    // MARK: As a sender

    var senderStageAt = UInt64.max
    /// The matching that the counts below are about.
    var senderEpoch: UInt32 = 0
    var sentUsed = 0
    var sentNextUsed = 0
    var sentIdleUsed = 0

    /// Lets the sender's counts be about a matching.
    mutating func roll(to epoch: UInt32) {
        guard epoch > senderEpoch else { return }
        sentUsed = epoch == senderEpoch + 1 ? sentNextUsed : 0
        sentNextUsed = 0
        sentIdleUsed = 0
        senderEpoch = epoch
    }
}
