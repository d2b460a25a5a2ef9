// SPDX-License-Identifier: Apache-2.0

/// What a load measured. Every protocol's load produces this same type.
public struct LoadResult: Sendable {
    /// Requests shorter than this many bytes are "short": they fit into one packet of an Ethernet network.
    public static let shortLimit = 1500

    /// The plan that was carried out.
    public let plan: LoadPlan
    /// What carried it: `homa`, `tcp`, …
    public let protocolName: String

    /// Requests whose intended time lies in the window, sent or not.
    public internal(set) var offered: UInt64 = 0
    /// RPCs whose intact response came inside the window.
    public internal(set) var completed: UInt64 = 0
    /// Request bytes of those.
    public internal(set) var requestBytes: UInt64 = 0
    /// Response bytes of those.
    public internal(set) var responseBytes: UInt64 = 0
    /// RPCs that failed, at any time of the run.
    public internal(set) var errors: UInt64 = 0
    /// What the first of those said; nil when the protocol has no words for it.
    public internal(set) var firstError: String?
    /// Packets that the client's own node sent again; nil for protocols that do not tell.
    public internal(set) var packetsRetransmitted: UInt64?
    /// RPCs that were due but had no response at the end of the drain time.
    public internal(set) var unfinished: UInt64 = 0
    /// Responses with a wrong length or a wrong byte, at any time of the run.
    public internal(set) var verificationFailures: UInt64 = 0
    /// Requests that were due when the outstanding cap was reached.
    public internal(set) var capHits: UInt64 = 0
    /// The longest time a request was handed over after its intended time, in nanoseconds.
    public internal(set) var maximumLagNanoseconds: UInt64 = 0
    /// Latencies of all RPCs whose intended time lies in the window, those that were never answered among them, with at
    /// least the time from when they were due to the end of the run.
    public internal(set) var latency = LatencyRecorder()
    /// Those with requests under `shortLimit` bytes.
    public internal(set) var shortLatency = LatencyRecorder()
    /// Slowdowns by size; nil when the plan has no baseline.
    public internal(set) var slowdown: SlowdownBins?
    /// Every answered request of the window; nil when the plan has no profile.
    public internal(set) var timeline: LoadTimeline?

    /// RPCs per second that were asked for in the window.
    public var offeredRate: Double { plan.window.rate(of: offered) }
    /// RPCs per second that were completed in the window.
    public var achievedRate: Double { plan.window.rate(of: completed) }
    /// Payload from client to server, bits per second.
    public var requestGoodput: Double { plan.window.bitsPerSecond(bytes: requestBytes) }
    /// Payload from server to client, bits per second.
    public var responseGoodput: Double { plan.window.bitsPerSecond(bytes: responseBytes) }
    /// Payload in the busier direction, bits per second: what a full-duplex link's rate bounds.
    public var goodput: Double { max(requestGoodput, responseGoodput) }
    /// Everything that went wrong: errors, unfinished RPCs, wrong bytes.
    public var failures: UInt64 { errors + unfinished + verificationFailures }

    /// Adds what another generator of the same load measured at the same time.
    public mutating func merge(_ other: LoadResult) {
        precondition(plan.window == other.plan.window, "only runs over the same window can be merged")
        offered += other.offered
        completed += other.completed
        requestBytes += other.requestBytes
        responseBytes += other.responseBytes
        errors += other.errors
        firstError = firstError ?? other.firstError
        if let theirs = other.packetsRetransmitted { packetsRetransmitted = (packetsRetransmitted ?? 0) + theirs }
        unfinished += other.unfinished
        verificationFailures += other.verificationFailures
        capHits += other.capHits
        maximumLagNanoseconds = max(maximumLagNanoseconds, other.maximumLagNanoseconds)
        latency.merge(other.latency)
        shortLatency.merge(other.shortLatency)
        if let theirs = other.slowdown { slowdown?.merge(theirs) }
        if let theirs = other.timeline { timeline?.merge(theirs) }
    }
}

extension LoadResult: ThresholdSubject {
    public func measured(_ quantity: Threshold.Quantity) -> MeasuredValue? {
        switch quantity {
        case .rate: MeasuredValue(achievedRate)
        case .goodput: MeasuredValue(goodput)
        case .errors: MeasuredValue(Double(failures))
        case .percentile, .mean, .maximum: latency.measured(quantity)
        }
    }
}
