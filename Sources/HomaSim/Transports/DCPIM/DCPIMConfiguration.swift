// SPDX-License-Identifier: Apache-2.0

/// dcPIM hosts, after *dcPIM: Near-Optimal Proactive Datacenter Transport* (Cai, Arashloo and Agarwal, SIGCOMM 2022).
///
/// Defaults are those of the published simulations (configuration `load_100Gbps` of the paper's repository,
/// Terabit-Ethernet/dcPIM). What they give in bandwidth-delay products is worked out from the topology.
public struct DCPIMConfiguration: Equatable, Sendable {
    /// How large packets are.
    public enum Frames: String, Equatable, Sendable, CaseIterable {
        /// 1460 bytes of data in 1538 on the wire, and 84 for anything else: what Ethernet really takes.
        case ethernet
        /// 1460 bytes of data in 1500, and 40 for anything else, as in the published simulations. Load then counts
        /// data packets only, as it does there.
        case sigcomm2022
    }

    /// Rounds of request, grant and accept in which the channels of the next data phase are matched (r). 1 … 16.
    public var rounds: Int
    /// Equal parts of a host's link that are matched independently (k). 1 … 64.
    public var channels: Int
    /// Length of a round in round trips of a control packet on an idle network (β). 1 … 100. Nil: the published 1.3,
    /// or more where links are slow: at least 1.15 round trips of a full packet, because a control packet may have to
    /// wait for one on every link, and what comes too late for its round is lost to it.
    public var roundTripsPerRound: Double?
    /// Length of a data phase in matching phases (α). While data are sent the next phase is matched, so 1 wastes
    /// nothing. 1 … 100.
    public var dataPhaseRatio: Double
    /// In so many first rounds, requests and grants about the shortest remaining message are preferred; in later ones
    /// they are drawn at random. 0 … 16.
    public var shortestFirstRounds: Int
    /// Messages of at most so many bytes are sent at once, unmatched. Nil: a bandwidth-delay product, in whole packets.
    /// 0: none. At most 1 GiB.
    public var shortMessageBytes: Int?
    /// Bytes that a receiver with all channels matched to one sender has asked for and not received. Nil: a
    /// bandwidth-delay product, in whole packets. 1 packet … 1 GiB.
    public var windowBytes: Int?
    /// How long after the last sign of a message a receiver that has asked for all of it waits before it asks
    /// again for what is missing. Nil: a bandwidth-delay product at link rate.
    public var resendAfter: Duration?
    /// Channels matched for the next data phase that both hosts do not use in the present one are used at once.
    public var usesIdleChannels: Bool
    /// Data packets of longer messages have lower priorities in the network: up to 7 packets, 49, 343, 2401,
    /// 16 807, and beyond. Off: one priority for short messages, and one for long ones.
    public var prioritiesBySize: Bool
    public var frames: Frames

    public init() {
        rounds = 4
        channels = 4
        roundTripsPerRound = nil
        dataPhaseRatio = 1
        shortestFirstRounds = 1
        shortMessageBytes = nil
        windowBytes = nil
        resendAfter = nil
        usesIdleChannels = true
        prioritiesBySize = true
        frames = .ethernet
    }

    /// Sizes of packets.
    public var frame: FrameFormat {
        switch frames {
        case .ethernet: FrameFormat(payloadBytes: 1460, dataOverheadBytes: 78)
        case .sigcomm2022: FrameFormat(payloadBytes: 1460, dataOverheadBytes: 40, minimumWireBytes: 40)
        }
    }
}
