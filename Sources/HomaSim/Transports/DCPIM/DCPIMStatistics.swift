// SPDX-License-Identifier: Apache-2.0

/// Counters of all dcPIM hosts together, and what the settings came to.
public struct DCPIMHostStatistics: Equatable, Sendable {
    /// Messages sent at once.
    public var shortMessages: UInt64 = 0
    /// Messages sent by channels.
    public var longMessages: UInt64 = 0
    /// Short messages of which something was missing, so that tokens were sent for it.
    public var shortMessagesRecovered: UInt64 = 0
    public var notifications: UInt64 = 0
    public var requests: UInt64 = 0
    public var grants: UInt64 = 0
    public var accepts: UInt64 = 0
    /// Channels that were matched.
    public var channelsMatched: UInt64 = 0
    /// Of these, channels that were used before their data phase.
    public var channelsUsedAtOnce: UInt64 = 0
    /// Channels accepted that their sender could not give.
    public var channelsGivenBack: UInt64 = 0
    /// Requests and grants that came too late for their round.
    public var offersTooLate: UInt64 = 0
    public var tokens: UInt64 = 0
    /// Tokens whose sender had no time for them.
    public var tokensExpired: UInt64 = 0
    /// Times that a receiver went on though the window was full.
    public var windowTimeouts: UInt64 = 0
    public var packetsRetransmitted: UInt64 = 0
    /// Data packets that arrived though they had arrived before.
    public var duplicatesReceived: UInt64 = 0
    /// Length of a matching round.
    public var round: Duration = .zero
    /// Length of a data phase.
    public var dataPhase: Duration = .zero
    /// Longest message sent at once, in bytes.
    public var shortMessageBytes = 0
    /// The window of all channels, in packets.
    public var windowPackets = 0.0

    public init() {}
}
