// SPDX-License-Identifier: Apache-2.0

import HomaBase

extension Scenario {
    func checkTCP(_ tcp: TCPConfiguration) throws(ScenarioError) {
        try check("transport.connections_per_pair", tcp.connectionsPerPair, 1...256)
        let hosts = topology.hostCount
        let connections = hosts * hosts * tcp.connectionsPerPair * 2
        guard connections <= 1 << 28 else {
            throw ScenarioError(
                field: "transport.connections_per_pair", value: "\(tcp.connectionsPerPair)",
                permitted: "at most \((1 << 27) / (hosts * hosts)) with \(hosts) hosts")
        }
        try check("transport.initial_window_segments", tcp.initialWindowSegments, 1...1000)
        try check("transport.minimum_rto_us", tcp.minimumRTO, .microseconds(1) ... .seconds(60))
        try check("transport.maximum_rto_us", tcp.maximumRTO, tcp.minimumRTO ... .seconds(3600))
        let longest = tcp.minimumRTO - .nanoseconds(1)
        try check("transport.delayed_ack_us", tcp.effectiveDelayedAck, .zero...longest)
        try check("transport.segments_per_ack", tcp.segmentsPerAck, 1...64)
        try check(
            "transport.receive_window_bytes", tcp.receiveWindowBytes, 2 * FrameFormat.tcp.payloadBytes...1 << 30)
        try check("transport.tail_loss_probe_us", tcp.tailLossProbe ?? .zero, .zero ... .seconds(60))
        guard tcp.dctcpGain > 0, tcp.dctcpGain <= 1 else {
            throw ScenarioError(
                field: "transport.dctcp_gain", value: "\(tcp.dctcpGain)", permitted: "above 0 and at most 1")
        }
        try check("transport.host_queue_bytes", tcp.hostQueueBytes, 0...16 << 20)
        try check("transport.segments_per_turn", tcp.segmentsPerTurn, 1...64)
    }
}
