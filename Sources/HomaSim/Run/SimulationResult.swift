// SPDX-License-Identifier: Apache-2.0

/// What a run found out: facts of the simulated world only, the same on every machine.
public struct SimulationResult: Equatable, Sendable {
    /// What was run, seed included.
    public var scenario: Scenario
    /// Why the result must not be used: packets were lost by the simulator itself, or it got stuck. Tells how to
    /// replay the run. Nil in every run that went right.
    public var failure: String?

    // MARK: Messages (measured ones: begun after the warm-up and counted by ``RunLength``)

    /// Complete messages (or RPCs).
    public var messages = 0
    /// Begun and not complete when the run ended.
    public var messagesIncomplete = 0
    /// Given up by the transport.
    public var messagesFailed = 0
    /// Completion time divided by the least time that the size could take between the same two hosts on an idle
    /// network; see ``IdleNetwork``.
    public var slowdown = SampleSummary()
    /// Completion times in microseconds.
    public var completionMicroseconds = SampleSummary()
    /// By size: bins with the same share of messages each.
    public var sizeBins: [SizeBinResult] = []
    /// Around the size percentiles 10, 50, 90, 99 and 100, which published figures are about.
    public var sizePercentiles: [SizePercentileResult] = []

    // MARK: Buffers and links (from the end of the warm-up to the end of measurement)

    /// All links of one kind together: `host_uplink`, `host_downlink`, and with spines `leaf_uplink`, `spine_downlink`.
    public var tiers: [TierResult] = []
    public var switches: [SwitchResult] = []
    /// Every port, when the scenario asks for them.
    public var ports: [PortResult] = []
    /// Occupancy of the switches over time, when the scenario asks for it.
    public var series: [OccupancySample] = []
    /// Share of the host downlinks' time, 0 to 1, in which they were idle while some message to their host had bytes
    /// that its sender had not sent yet.
    public var wastedBandwidth = 0.0

    // MARK: Packets (the whole run, warm-up and drain included)

    /// Packets dropped, by reason; reasons that did not occur are left out.
    public var drops: [DropCount] = []
    /// Packets that transports sent, by kind.
    public var packetsByKind: [KindCount] = []
    public var conservation = Conservation()
    /// Links crossed by packets: one packet from host to host across racks makes four.
    public var packetHops: UInt64 = 0
    /// Events of the engine.
    public var events: UInt64 = 0
    /// From the start to the last event.
    public var simulatedTime: Duration = .zero
    /// From the end of the warm-up to the end of measurement.
    public var measuredTime: Duration = .zero
    /// Sum over all Homa hosts; nil with other transports.
    public var homa: HomaHostStatistics?
    /// Sum over all TCP hosts; nil with other transports.
    public var tcp: TCPHostStatistics?
    /// Counters of all dcPIM hosts; nil when hosts ran another transport.
    public var dcpim: DCPIMHostStatistics?

    public init(scenario: Scenario) { self.scenario = scenario }

    /// The tier of that name.
    public func tier(_ name: String) -> TierResult? { tiers.first { $0.name == name } }

    /// Longest queue at any port from a switch to a host, in bytes.
    public var hostDownlinkQueueMaximumBytes: Int { tier("host_downlink")?.queue.maximumBytes ?? 0 }

    /// The most that any one switch held, in bytes.
    public var switchBufferMaximumBytes: Int { switches.map(\.total.maximumBytes).max() ?? 0 }

    /// The largest occupancy of any switch in microseconds of its own bandwidth.
    public var switchBufferMaximumMicroseconds: Double { switches.map(\.total.maximumMicroseconds).max() ?? 0 }
}

/// Mean and order statistics of a sample. Percentiles come from histograms whose cells are at most 0.8 % wide.
public struct SampleSummary: Equatable, Sendable {
    public var count = 0
    public var mean = 0.0
    public var median = 0.0
    public var p99 = 0.0
    public var p999 = 0.0
    public var maximum = 0.0

    public init() {}
}

/// Messages of a range of sizes.
public struct SizeBinResult: Equatable, Sendable {
    /// The bin's place in the size distribution: from and to this percentile of messages.
    public var fromPercentile: Double
    public var toPercentile: Double
    /// Longest message of the bin, in bytes.
    public var maximumBytes: Int
    public var slowdown: SampleSummary
    public var completionMicroseconds: SampleSummary
}

/// Messages around one percentile of sizes.
public struct SizePercentileResult: Equatable, Sendable {
    /// 10, 50, 90, 99 or 100.
    public var percentile: Double
    /// Messages between these percentiles of sizes are taken together.
    public var fromPercentile: Double
    public var toPercentile: Double
    /// The size at `percentile`.
    public var bytes: Int
    public var slowdown: SampleSummary
}

/// How full something was, in bytes and in time: bytes ÷ the aggregate bandwidth of the ports that share them.
///
/// Bytes are those of frames as switches store them: without preamble (8) and gap (12), whole cells where the
/// switch has cells. A packet counts until its last bit has left.
public struct OccupancySummary: Equatable, Sendable {
    public var maximumBytes = 0
    /// Mean over time.
    public var meanBytes = 0.0
    /// Not exceeded for this share of the time.
    public var medianBytes = 0
    public var p90Bytes = 0
    public var p99Bytes = 0
    public var p999Bytes = 0
    /// Bandwidth that the bytes are divided by, in bits per second.
    public var bitsPerSecond = 0.0

    public init() {}

    public var maximumMicroseconds: Double { microseconds(Double(maximumBytes)) }
    public var meanMicroseconds: Double { microseconds(meanBytes) }
    public var p99Microseconds: Double { microseconds(Double(p99Bytes)) }

    /// So many bytes as time on that bandwidth.
    public func microseconds(_ bytes: Double) -> Double { bitsPerSecond > 0 ? bytes * 8e6 / bitsPerSecond : 0 }
}

/// One priority level on the links of a tier.
public struct PriorityResult: Equatable, Sendable {
    /// 0 … 7; 7 goes first.
    public var priority: Int
    public var packets: UInt64 = 0
    /// Bytes on the wire.
    public var wireBytes: UInt64 = 0
    /// What waits at this level at one port: the maximum over all ports; mean and percentiles over time and ports.
    public var queue = OccupancySummary()
}

/// All links of one kind.
public struct TierResult: Equatable, Sendable {
    public var name: String
    public var ports: Int
    /// Of one port: the maximum over all ports; mean and percentiles over time and ports.
    public var queue: OccupancySummary
    /// Share of time in which the links were busy, mean over the links.
    public var utilisation: Double
    /// The busiest link's.
    public var maximumUtilisation: Double
    public var priorities: [PriorityResult]
}

/// One switch. Percentiles come from samples in regular intervals.
public struct SwitchResult: Equatable, Sendable {
    /// `leaf 0`, `spine 3`.
    public var name: String
    /// Nil: unlimited.
    public var bufferBytes: Int?
    /// All ports together, and the bandwidth of all of them.
    public var total: OccupancySummary
    /// Ports towards hosts (of a spine: towards leaves).
    public var downlinks: OccupancySummary
    /// Ports towards spines.
    public var uplinks: OccupancySummary
}

/// One output port.
public struct PortResult: Equatable, Sendable {
    /// `leaf 0 → host 5`.
    public var name: String
    public var queue: OccupancySummary
    public var utilisation: Double
    public var drops: UInt64
}

/// What all switches held at one time.
public struct OccupancySample: Equatable, Sendable {
    public var time: Duration
    /// In the order of ``SimulationResult/switches``.
    public var bytes: [Int]
    /// The longest host downlink queue at that time.
    public var longestHostDownlinkBytes: Int
}

/// Packets dropped for one reason.
public struct DropCount: Equatable, Sendable {
    /// `buffer_full`, `threshold`, `selective`, …
    public var reason: String
    public var packets: UInt64
    public var wireBytes: UInt64
}

/// Packets of one kind that transports sent.
public struct KindCount: Equatable, Sendable {
    /// `unscheduled`, `scheduled`, `resent`, `grant`, …
    public var kind: String
    public var packets: UInt64
    public var wireBytes: UInt64
    public var payloadBytes: UInt64
}

/// Every packet that entered the network left it, or is accounted for.
public struct Conservation: Equatable, Sendable {
    public var sent: UInt64 = 0
    public var received: UInt64 = 0
    public var dropped: UInt64 = 0
    /// In queues and on links when the run ended.
    public var underWay: UInt64 = 0

    public init() {}

    public var holds: Bool { sent == received + dropped + underWay }
}

/// Counters of all Homa hosts together; see `HomaCore.EndpointStatistics`.
public struct HomaHostStatistics: Equatable, Sendable {
    public var grantsSent: UInt64 = 0
    public var resendRequestsSent: UInt64 = 0
    public var packetsRetransmitted: UInt64 = 0
    public var bytesRetransmitted: UInt64 = 0
    public var busySent: UInt64 = 0
    public var acksSent: UInt64 = 0
    public var cutoffsSent: UInt64 = 0
    public var unknownSent: UInt64 = 0
    public var callsFailed: UInt64 = 0
    /// Aeolus: probes after unscheduled bytes, and unscheduled bytes that had not come when their probe did.
    public var probesSent: UInt64 = 0
    public var bytesFoundLost: UInt64 = 0
    public var packetsRefused: UInt64 = 0
    /// Messages that had to wait at their sender because its table of RPCs was full.
    public var messagesDeferred: UInt64 = 0

    public init() {}
}
