// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The settings as the hot paths want them: packets and picoseconds.
struct DCPIMTuning {
    let frame: FrameFormat
    let clock: MatchingClock
    let channels: Int
    let shortestFirstRounds: Int
    /// Time of a full packet on a host link.
    let packetTime: UInt64
    /// Longest message that is sent unmatched.
    let shortPackets: Int
    /// Longest message that is sent unmatched, in bytes.
    let shortBytes: Int
    /// Packets asked for and not received, with all channels.
    let window: Double
    /// A receiver that has heard nothing for so long since its last token sends another in spite of the window.
    let windowTimeout: UInt64
    let resendAfter: UInt64
    /// A token may be used for so long after the data phase in which it was sent.
    let tokenGrace: UInt64
    /// A sender that has heard nothing about a message for so long repeats its notification.
    let notifyAfter: UInt64
    let usesIdleChannels: Bool
    let prioritiesBySize: Bool
    /// Packets that a channel carries in a data phase.
    let channelPackets: Double

    init(_ dcpim: DCPIMConfiguration, _ topology: TopologyConfiguration) {
        frame = dcpim.frame
        channels = dcpim.channels
        shortestFirstRounds = dcpim.shortestFirstRounds
        let idle = IdleNetwork(topology, frame: frame)
        let last = topology.hostCount - 1
        let control = 2 * idle.picoseconds(bytes: 1, from: 0, to: last)
        // One packet out and one as long back: so the published simulations reckon.
        let roundTrip = 2 * idle.picoseconds(bytes: frame.payloadBytes, from: 0, to: last)
        let round = dcpim.roundTripsPerRound.map { $0 * Double(control) }
        clock = MatchingClock(
            rounds: dcpim.rounds,
            roundLength: UInt64((round ?? max(1.3 * Double(control), 1.15 * Double(roundTrip))).rounded()),
            dataPhaseRatio: dcpim.dataPhaseRatio)
        let rate = Port.picosecondsPerKiB(bitsPerSecond: topology.hostRate.bitsPerSecond)
        packetTime = (UInt64(frame.fullWireBytes) * rate + 1023) >> 10
        let full = frame.payloadBytes
        let product = Int((roundTrip + packetTime - 1) / packetTime)
        shortPackets = dcpim.shortMessageBytes.map { $0 / full } ?? product
        shortBytes = dcpim.shortMessageBytes ?? product * full
        window = dcpim.windowBytes.map { Double($0) / Double(full) } ?? Double(product)
        let productTime = UInt64(product) * packetTime
        windowTimeout = productTime * 11 / 10
        resendAfter = dcpim.resendAfter?.picoseconds ?? productTime
        tokenGrace = control / 2 + UInt64(dcpim.channels) * packetTime
        notifyAfter = 4 * control
        usesIdleChannels = dcpim.usesIdleChannels
        prioritiesBySize = dcpim.prioritiesBySize
        channelPackets = Double(clock.dataPhase) / Double(packetTime) / Double(dcpim.channels)
    }

    static let controlPriority: UInt8 = 7
    /// The rank of tokens for channels that are used before their data phase: after all others.
    static let idleRank: UInt8 = .max

    /// 6 … 1, for data of a message of so many packets.
    func priority(packets: Int, isShort: Bool) -> UInt8 {
        guard prioritiesBySize else { return isShort ? 6 : 5 }
        var (priority, limit) = (UInt8(6), 7)
        while packets > limit, priority > 1 {
            limit *= 7
            priority -= 1
        }
        return priority
    }
}
