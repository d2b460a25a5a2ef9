// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore

/// One setting of an endpoint as a scenario file has it.
///
/// A table instead of code for each: a test compares it with the settings there are, so that none is forgotten.
struct EndpointField: Sendable {
    typealias Path<Value> = WritableKeyPath<EndpointConfiguration, Value> & Sendable

    /// How the setting is written.
    enum Form: Sendable {
        case integer(any Path<Int>)
        case integerOrNull(any Path<Int?>)
        case share(any Path<Double>)
        case flag(any Path<Bool>)
        case time(any Path<Duration>, TimeUnit)
        case rateOrNull(any Path<BitRate?>)
        case sixteenBits(any Path<UInt16>)
        case levelOrNull(any Path<UInt8?>)
        case cutoffs(any Path<[UInt32]>)
    }

    /// The key in the file.
    let key: String
    /// The property of ``EndpointConfiguration``, as its errors name it.
    let setting: String
    let form: Form

    init(_ key: String, _ setting: String, _ form: Form) {
        self.key = key
        self.setting = setting
        self.form = form
    }

    static let all: [EndpointField] = packets + messages + granting + priorities + timers + limits

    private static let packets: [EndpointField] = [
        .init("maximum_message_bytes", "maximumMessageBytes", .integer(\.maximumMessageBytes)),
        .init("maximum_packet_bytes", "maximumPacketBytes", .integer(\.maximumPacketBytes)),
        .init("packet_bytes_cap", "packetBytesCap", .integer(\.packetBytesCap)),
        .init("segment_bytes", "segmentBytes", .integerOrNull(\.segmentBytes)),
        .init("frame_overhead_bytes", "frameOverheadBytes", .integer(\.frameOverheadBytes)),
        .init("data_overhead_bytes", "dataOverheadBytes", .integerOrNull(\.dataOverheadBytes)),
        .init("control_wire_bytes", "controlWireBytes", .integerOrNull(\.controlWireBytes)),
        .init("minimum_wire_bytes", "minimumWireBytes", .integer(\.minimumWireBytes)),
        .init("unscheduled_bytes", "unscheduledBytes", .integer(\.unscheduledBytes)),
        .init("adapts_unscheduled", "adaptsUnscheduled", .flag(\.adaptsUnscheduled)),
        .init("rounds_unscheduled_to_packets", "roundsUnscheduledToPackets", .flag(\.roundsUnscheduledToPackets)),
        .init("fifo_send_fraction", "fifoSendFraction", .share(\.fifoSendFraction)),
        .init("link_gbps", "linkRate", .rateOrNull(\.linkRate)),
        .init("link_queue_limit_us", "linkQueueLimit", .time(\.linkQueueLimit, .microseconds)),
        .init("pacer_bypass_bytes", "pacerBypassBytes", .integer(\.pacerBypassBytes)),
    ]

    private static let messages: [EndpointField] = [
        .init("acknowledges_messages", "acknowledgesMessages", .flag(\.acknowledgesMessages)),
        .init(
            "unacknowledged_retention_us", "unacknowledgedRetention", .time(\.unacknowledgedRetention, .microseconds)),
        .init("assumes_peers_alike", "assumesPeersAlike", .flag(\.assumesPeersAlike)),
        .init("probes_unscheduled", "probesUnscheduled", .flag(\.probesUnscheduled)),
    ]

    private static let granting: [EndpointField] = [
        .init("overcommitment", "overcommitment", .integer(\.overcommitment)),
        .init("maximum_incoming_bytes", "maximumIncoming", .integer(\.maximumIncoming)),
        .init("window_bytes", "window", .integerOrNull(\.window)),
        .init("adapts_windows", "adaptsWindows", .flag(\.adaptsWindows)),
        .init("grant_increment_bytes", "grantIncrement", .integer(\.grantIncrement)),
        .init("largest_grant_bytes", "largestGrant", .integerOrNull(\.largestGrant)),
        .init("fifo_grant_fraction", "fifoGrantFraction", .share(\.fifoGrantFraction)),
        .init("fifo_grant_increment", "fifoGrantIncrement", .integer(\.fifoGrantIncrement)),
        .init("active_messages_per_host", "activeMessagesPerHost", .integerOrNull(\.activeMessagesPerHost)),
        .init("counts_unscheduled_incoming", "countsUnscheduledIncoming", .flag(\.countsUnscheduledIncoming)),
    ]

    private static let priorities: [EndpointField] = [
        .init("priority_levels", "priorityLevels", .integer(\.priorityLevels)),
        .init("unscheduled_cutoffs_bytes", "unscheduledCutoffs", .cutoffs(\.unscheduledCutoffs)),
        .init("learns_cutoffs", "learnsCutoffs", .flag(\.learnsCutoffs)),
        .init("cutoff_interval_us", "cutoffInterval", .time(\.cutoffInterval, .microseconds)),
        .init("cutoff_sample", "cutoffSample", .integer(\.cutoffSample)),
        .init("boosted_tail_bytes", "boostedTailBytes", .integer(\.boostedTailBytes)),
        .init("cutoff_version", "cutoffVersion", .sixteenBits(\.cutoffVersion)),
        .init("control_priority", "controlPriority", .levelOrNull(\.controlPriority)),
    ]

    private static let timers: [EndpointField] = [
        .init("resend_after_us", "resendAfter", .time(\.resendAfter, .microseconds)),
        .init("resend_interval_limit_us", "resendIntervalLimit", .time(\.resendIntervalLimit, .microseconds)),
        .init("adapts_timers", "adaptsTimers", .flag(\.adaptsTimers)),
        .init("probes_per_peer", "probesPerPeer", .integer(\.probesPerPeer)),
        .init("timeout_us", "timeout", .time(\.timeout, .microseconds)),
        .init("progress_timeout_us", "progressTimeout", .time(\.progressTimeout, .microseconds)),
        .init("response_retention_us", "responseRetention", .time(\.responseRetention, .microseconds)),
        .init("retained_response_bytes", "retainedResponseBytes", .integer(\.retainedResponseBytes)),
        .init("acknowledgement_delay_us", "acknowledgementDelay", .time(\.acknowledgementDelay, .microseconds)),
        .init(
            "incomplete_request_timeout_us", "incompleteRequestTimeout",
            .time(\.incompleteRequestTimeout, .microseconds)),
        .init("peer_idle_limit_us", "peerIdleLimit", .time(\.peerIdleLimit, .microseconds)),
        .init("memory_probation_us", "memoryProbation", .time(\.memoryProbation, .microseconds)),
        .init("peer_restart_silence_us", "peerRestartSilence", .time(\.peerRestartSilence, .microseconds)),
    ]

    private static let limits: [EndpointField] = [
        .init("amplification_limit", "amplificationLimit", .integer(\.amplificationLimit)),
        .init("maximum_rpcs", "maximumRPCs", .integer(\.maximumRPCs)),
        .init("maximum_calls_per_peer", "maximumCallsPerPeer", .integer(\.maximumCallsPerPeer)),
        .init("calls_under_way_per_peer", "callsUnderWayPerPeer", .integer(\.callsUnderWayPerPeer)),
        .init("bytes_under_way_per_peer", "bytesUnderWayPerPeer", .integer(\.bytesUnderWayPerPeer)),
        .init("maximum_server_rpcs_per_host", "maximumServerRPCsPerHost", .integer(\.maximumServerRPCsPerHost)),
        .init("broken_request_limit", "brokenRequestLimit", .integer(\.brokenRequestLimit)),
        .init("distrusted_requests", "distrustedRequests", .integer(\.distrustedRequests)),
        .init("maximum_peers", "maximumPeers", .integer(\.maximumPeers)),
        .init("maximum_gaps_per_message", "maximumGapsPerMessage", .integer(\.maximumGapsPerMessage)),
        .init("finished_memory", "finishedMemory", .integer(\.finishedMemory)),
    ]
}

extension EndpointField {
    /// Beyond this no integer setting is valid; the exact ranges are the endpoint's to check.
    private static let integers = 0...(1 << 40)

    /// Takes the setting from the file when it is there.
    func read(_ reader: ObjectReader, into endpoint: inout EndpointConfiguration) {
        guard reader.has(key) else { return }
        switch form {
        case .integer(let path):
            endpoint[keyPath: path] = reader.integer(key, Self.integers, default: endpoint[keyPath: path])
        case .integerOrNull(let path):
            endpoint[keyPath: path] = reader.integerOrNull(key, Self.integers, default: endpoint[keyPath: path])
        case .share(let path): endpoint[keyPath: path] = reader.number(key, 0...0.5, default: endpoint[keyPath: path])
        case .flag(let path): endpoint[keyPath: path] = reader.flag(key, default: endpoint[keyPath: path])
        case .time(let path, let unit):
            endpoint[keyPath: path] = reader.duration(key, unit, default: endpoint[keyPath: path])
        case .rateOrNull(let path):
            endpoint[keyPath: path] = reader.rateOrNull(key, default: endpoint[keyPath: path])
        case .sixteenBits(let path):
            let old = Int(endpoint[keyPath: path])
            endpoint[keyPath: path] = UInt16(reader.integer(key, 1...Int(UInt16.max), default: old))
        case .levelOrNull(let path):
            let old = endpoint[keyPath: path].map(Int.init)
            endpoint[keyPath: path] = reader.integerOrNull(key, 0...7, default: old).map(UInt8.init)
        case .cutoffs(let path):
            let values = reader.value(key)?.elements?.compactMap { $0.integer.flatMap(UInt32.init(exactly:)) } ?? []
            guard values.count == HomaLimits.priorityLevels, values.count == reader.value(key)?.elements?.count else {
                reader.wrong(key, "an array of \(HomaLimits.priorityLevels) byte counts, level 0 first")
                return
            }
            endpoint[keyPath: path] = values
        }
    }

    /// The setting as the file has it.
    func json(_ endpoint: EndpointConfiguration) -> JSONValue {
        switch form {
        case .integer(let path): .integer(endpoint[keyPath: path])
        case .integerOrNull(let path): JSONValue(endpoint[keyPath: path])
        case .share(let path): .double(endpoint[keyPath: path])
        case .flag(let path): .bool(endpoint[keyPath: path])
        case .time(let path, let unit): JSONValue(endpoint[keyPath: path], unit)
        case .rateOrNull(let path): endpoint[keyPath: path].map { JSONValue(gigabits: $0) } ?? .null
        case .sixteenBits(let path): .integer(endpoint[keyPath: path])
        case .levelOrNull(let path): endpoint[keyPath: path].map { .integer($0) } ?? .null
        case .cutoffs(let path): .array(endpoint[keyPath: path].map { .integer($0) })
        }
    }

    /// Gives the setting the value it has in `other`.
    func copy(from other: EndpointConfiguration, to endpoint: inout EndpointConfiguration) {
        switch form {
        case .integer(let path): endpoint[keyPath: path] = other[keyPath: path]
        case .integerOrNull(let path): endpoint[keyPath: path] = other[keyPath: path]
        case .share(let path): endpoint[keyPath: path] = other[keyPath: path]
        case .flag(let path): endpoint[keyPath: path] = other[keyPath: path]
        case .time(let path, _): endpoint[keyPath: path] = other[keyPath: path]
        case .rateOrNull(let path): endpoint[keyPath: path] = other[keyPath: path]
        case .sixteenBits(let path): endpoint[keyPath: path] = other[keyPath: path]
        case .levelOrNull(let path): endpoint[keyPath: path] = other[keyPath: path]
        case .cutoffs(let path): endpoint[keyPath: path] = other[keyPath: path]
        }
    }
}
