// SPDX-License-Identifier: Apache-2.0

internal import HomaCore
internal import HomaIO
internal import HomaWire
internal import Logging
internal import Metrics

/// Turns snapshots of a node's statistics into metrics, and tells the log when messages begin to
/// wait for buffers.
struct MetricsPublisher {
    private let dimensions: [(String, String)]
    private let logger: Logger
    private var counters: [Counter] = []
    private var previous: [UInt64]
    private var wasStarved = false
    private let activeRPCs: Gauge
    private let waiting: Gauge
    private let pages: Gauge
    private let leases: Gauge

    init(udpPort: UInt16, logger: Logger) {
        let dimensions = [("udp_port", "\(udpPort)")]
        self.dimensions = dimensions
        self.logger = logger
        counters = Self.counted.map { Counter(label: "homa_\($0.name)", dimensions: dimensions) }
        previous = Array(repeating: 0, count: Self.counted.count)
        activeRPCs = Gauge(label: "homa_rpcs_active", dimensions: dimensions)
        waiting = Gauge(label: "homa_messages_waiting_for_buffers", dimensions: dimensions)
        pages = Gauge(label: "homa_bpages_in_use", dimensions: dimensions)
        leases = Gauge(label: "homa_leases_live", dimensions: dimensions)
    }

    /// Publishes the changes since the last call.
    mutating func publish(_ statistics: HomaStatistics) {
        for (index, entry) in Self.counted.enumerated() {
            let value = entry.value(statistics)
            if value > previous[index] { counters[index].increment(by: Int64(clamping: value - previous[index])) }
            previous[index] = value
        }
        activeRPCs.record(statistics.activeRPCs)
        waiting.record(statistics.waitingForBuffers)
        pages.record(statistics.pool.pagesInUse)
        leases.record(statistics.pool.leasesLive)
        let isStarved = statistics.waitingForBuffers > 0
        if isStarved && !wasStarved {
            logger.warning(
                "messages wait for receive buffers: the application holds the region",
                metadata: ["waiting": "\(statistics.waitingForBuffers)", "leases": "\(statistics.pool.leasesLive)"])
        }
        wasStarved = isStarved
    }

    private typealias Counted = (name: String, value: @Sendable (HomaStatistics) -> UInt64)

    private static let counted: [Counted] = [
        ("calls_started_total", { $0.endpoint.callsStarted }),
        ("calls_completed_total", { $0.endpoint.callsCompleted }),
        ("calls_failed_total", { $0.endpoint.callsFailed }),
        ("requests_delivered_total", { $0.endpoint.requestsDelivered }),
        ("responses_started_total", { $0.endpoint.responsesStarted }),
        ("requests_declined_total", { $0.endpoint.requestsDeclined }),
        ("requests_abandoned_total", { $0.abandonedRequests }),
        ("requests_unserved_total", { $0.unservedRequests }),
        ("failures_sent_total", { $0.endpoint.failuresSent }),
        ("failures_received_total", { $0.endpoint.failuresReceived }),
        ("bytes_sent_total", { $0.endpoint.bytesSent }),
        ("bytes_received_total", { $0.endpoint.bytesReceived }),
        ("bytes_retransmitted_total", { $0.endpoint.bytesRetransmitted }),
        ("buffer_stalls_total", { $0.endpoint.bufferStalls }),
        ("packets_sent_total", { $0.network.sentPackets }),
        ("packets_received_total", { $0.network.receivedPackets }),
        ("packets_malformed_total", { $0.malformedTotal }),
        ("receive_overflows_total", { $0.network.receiveOverflows }),
    ]
}
