// SPDX-License-Identifier: Apache-2.0

import HomaSim

extension TCPConfiguration {
    /// From an object whose `kind` is `tcp` or `dctcp`.
    init(_ reader: ObjectReader, kind: String) {
        let isDCTCP = kind == "dctcp"
        let choices = TCPCongestionControl.allCases.filter { !isDCTCP || $0 == .dctcp }.map { ($0.rawValue, $0) }
        self.init(
            congestionControl: reader.choice("congestion_control", choices, default: isDCTCP ? .dctcp : .cubic))
        connectionsPerPair = reader.integer("connections_per_pair", 1...256, default: connectionsPerPair)
        initialWindowSegments = reader.integer("initial_window_segments", 1...1000, default: initialWindowSegments)
        minimumRTO = reader.duration("minimum_rto_us", .microseconds, default: minimumRTO)
        maximumRTO = reader.duration("maximum_rto_us", .microseconds, default: max(maximumRTO, minimumRTO))
        delayedAck = reader.durationOrNull("delayed_ack_us", .microseconds, default: delayedAck)
        segmentsPerAck = reader.integer("segments_per_ack", 1...64, default: segmentsPerAck)
        acknowledgesMessageEnds = reader.flag("acknowledges_message_ends", default: acknowledgesMessageEnds)
        receiveWindowBytes = reader.integer("receive_window_bytes", 2920...1 << 30, default: receiveWindowBytes)
        restartsAfterIdle = reader.flag("restarts_after_idle", default: restartsAfterIdle)
        hyStart = reader.flag("hystart", default: hyStart)
        tailLossProbe = reader.durationOrNull("tail_loss_probe_us", .microseconds, default: tailLossProbe)
        dctcpGain = reader.number("dctcp_gain", 1e-9...1, default: dctcpGain)
        hostQueueBytes = reader.integer("host_queue_bytes", 0...16 << 20, default: hostQueueBytes)
        segmentsPerTurn = reader.integer("segments_per_turn", 1...64, default: segmentsPerTurn)
        keepsPaths = reader.flag("keeps_paths", default: keepsPaths)
    }

    /// With `kind` first; the keys are ``ScenarioKeys/tcp``.
    func json(kind: String) -> JSONValue {
        .object([
            .init("kind", .string(kind)), .init("congestion_control", .string(congestionControl.rawValue)),
            .init("connections_per_pair", .integer(connectionsPerPair)),
            .init("initial_window_segments", .integer(initialWindowSegments)),
            .init("minimum_rto_us", JSONValue(minimumRTO, .microseconds)),
            .init("maximum_rto_us", JSONValue(maximumRTO, .microseconds)),
            .init("delayed_ack_us", JSONValue(delayedAck, .microseconds)),
            .init("segments_per_ack", .integer(segmentsPerAck)),
            .init("acknowledges_message_ends", .bool(acknowledgesMessageEnds)),
            .init("receive_window_bytes", .integer(receiveWindowBytes)),
            .init("restarts_after_idle", .bool(restartsAfterIdle)), .init("hystart", .bool(hyStart)),
            .init("tail_loss_probe_us", JSONValue(tailLossProbe, .microseconds)),
            .init("dctcp_gain", .double(dctcpGain)), .init("host_queue_bytes", .integer(hostQueueBytes)),
            .init("segments_per_turn", .integer(segmentsPerTurn)), .init("keeps_paths", .bool(keepsPaths)),
        ])
    }
}

extension TCPHostStatistics {
    var json: JSONValue {
        .object(
            (JSONValue(counters: self).members ?? []) + [
                .init("mean_window_segments", .double(meanWindowSegments)),
                .init("minimum_rto_us", JSONValue(minimumRTO, .microseconds)),
            ])
    }
}
