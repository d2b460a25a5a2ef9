// SPDX-License-Identifier: Apache-2.0

/// A receiver and one of its senders: the messages that the receiver wants, and the channels matched. The receiver's.
struct DCPIMPair: BitwiseCopyable {
    static let none = UInt32.max

    var receiver: UInt16
    var sender: UInt16
    /// Messages to send tokens for, fewest packets remaining first.
    var first = DCPIMMessage.none
    var isActive = false
    /// Channels in the present data phase.
    var channels = 0
    /// Channels matched for the next data phase.
    var nextChannels = 0
    /// Of these, channels that are used already.
    var idleChannels = 0
    /// Of the tokens of this phase; the pair with the shortest message has the lowest.
    var rank: UInt8 = 0
    /// Packets remaining of the shortest message when channels were matched.
    var nextRemaining: UInt32 = 0
    /// When the last token was sent.
    var lastTokenAt: UInt64 = 0
    /// When to send the next; `UInt64.max`: when something happens.
    var due = UInt64.max

    /// Channels that tokens may be sent for at this moment.
    @inline(__always)
    var width: Int { channels + idleChannels }
}
