// SPDX-License-Identifier: Apache-2.0

/// What a dcPIM packet carries beside what the network knows of it.
struct DCPIMPacket: BitwiseCopyable {
    enum Kind: UInt8 {
        /// Sender to receiver: there is a message of so many packets.
        case notification
        /// Receiver to sender: the message is known, or complete.
        case acknowledgement
        case data
        /// Receiver to sender: send this packet.
        case token
        /// Receiver to sender: wants channels.
        case request
        /// Sender to receiver: may have channels.
        case grant
        /// Receiver to sender: takes channels.
        case accept
        /// Sender to receiver: has not got that many channels after all.
        case giveBack
    }

    var kind: Kind
    /// Of the matching.
    var round: UInt8 = 0
    var channels: UInt8 = 0
    /// Of these, channels that may be used before their data phase.
    var idleChannels: UInt8 = 0
    /// Of the channel that a token was sent for; low ones first.
    var rank: UInt8 = 0
    var isComplete = false
    var epoch: UInt32 = 0
    /// The message's record, and its generation.
    var record: UInt32 = 0
    var generation: UInt32 = 0
    /// Number of the data packet in its message.
    var number: UInt32 = 0
    /// Number of the token among those of its message; a data packet repeats it.
    var order: UInt32 = 0
    /// Packets that the receiver does not have.
    var remaining: UInt32 = 0
    /// Of a token: its expiry. Of a request or grant: when the message began.
    var time: UInt64 = 0

    /// The order of a data packet that was sent without a token.
    static let untokened = UInt32.max
}
