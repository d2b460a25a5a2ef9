// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The settings as the hot paths want them: bytes and picoseconds.
struct TCPTuning {
    let control: TCPCongestionControl
    /// Payload of a full segment.
    let segment: Int
    let initialWindow: Double
    let minimumRTO: UInt64
    let maximumRTO: UInt64
    let delayedAck: UInt64
    let segmentsPerAck: Int
    let acknowledgesMessageEnds: Bool
    let receiveWindow: UInt64
    let restartsAfterIdle: Bool
    let hyStart: Bool
    /// `UInt64.max`: no probes.
    let probeFloor: UInt64
    let gain: Double
    let hostQueueBytes: Int
    let segmentsPerTurn: Int
    let marks: Packet.Marks
    /// Round trip of a handshake on an idle network.
    let handshake: UInt64

    init(_ tcp: TCPConfiguration, _ topology: TopologyConfiguration) {
        control = tcp.congestionControl
        segment = FrameFormat.tcp.payloadBytes
        initialWindow = Double(tcp.initialWindowSegments * FrameFormat.tcp.payloadBytes)
        minimumRTO = tcp.minimumRTO.picoseconds
        maximumRTO = max(tcp.maximumRTO, tcp.minimumRTO).picoseconds
        delayedAck = tcp.effectiveDelayedAck.picoseconds
        segmentsPerAck = tcp.segmentsPerAck
        acknowledgesMessageEnds = tcp.acknowledgesMessageEnds
        receiveWindow = UInt64(tcp.receiveWindowBytes)
        restartsAfterIdle = tcp.restartsAfterIdle
        hyStart = tcp.hyStart
        probeFloor = tcp.tailLossProbe?.picoseconds ?? .max
        gain = tcp.dctcpGain
        hostQueueBytes = tcp.hostQueueBytes
        segmentsPerTurn = tcp.segmentsPerTurn
        marks = tcp.congestionControl == .dctcp ? [.takesMarks] : []
        let idle = IdleNetwork(topology, frame: .tcp)
        handshake = 2 * idle.picoseconds(bytes: 1, from: 0, to: topology.hostCount - 1)
    }
}
