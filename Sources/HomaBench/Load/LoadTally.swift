// SPDX-License-Identifier: Apache-2.0

import HomaWorkloads

/// What one process counted of a load that several carry out, in a form that another process can read and add up.
///
/// Percentiles of several processes cannot be combined, histograms can.
public struct LoadTally: Codable, Sendable, Equatable {
    var protocolName: String
    var offered: UInt64
    var completed: UInt64
    var requestBytes: UInt64
    var responseBytes: UInt64
    var errors: UInt64
    var firstError: String?
    var packetsRetransmitted: UInt64?
    var unfinished: UInt64
    var verificationFailures: UInt64
    var capHits: UInt64
    var maximumLagNanoseconds: UInt64
    var latency: CensoredHistogram.Counts
    var shortLatency: CensoredHistogram.Counts
    var slowdown: [CensoredHistogram.Counts]?
    var timeline: LoadTimeline?

    /// What a result counted.
    public init(_ result: LoadResult) {
        protocolName = result.protocolName
        offered = result.offered
        completed = result.completed
        requestBytes = result.requestBytes
        responseBytes = result.responseBytes
        errors = result.errors
        firstError = result.firstError
        packetsRetransmitted = result.packetsRetransmitted
        unfinished = result.unfinished
        verificationFailures = result.verificationFailures
        capHits = result.capHits
        maximumLagNanoseconds = result.maximumLagNanoseconds
        latency = result.latency.counts
        shortLatency = result.shortLatency.counts
        slowdown = result.slowdown?.counts
        timeline = result.timeline
    }
}

extension LoadResult {
    /// The result that a tally was taken of. Latencies have the precision of the recorder.
    ///
    /// - Parameter plan: what was carried out; its window, sizes and baseline must be those of the other process.
    public init(plan: LoadPlan, tally: LoadTally) {
        self.init(plan: plan, protocolName: tally.protocolName)
        offered = tally.offered
        completed = tally.completed
        requestBytes = tally.requestBytes
        responseBytes = tally.responseBytes
        errors = tally.errors
        firstError = tally.firstError
        packetsRetransmitted = tally.packetsRetransmitted
        unfinished = tally.unfinished
        verificationFailures = tally.verificationFailures
        capHits = tally.capHits
        maximumLagNanoseconds = tally.maximumLagNanoseconds
        latency.add(tally.latency)
        shortLatency.add(tally.shortLatency)
        timeline = tally.timeline
        if let counts = tally.slowdown, let baseline = plan.baseline {
            var bins = SlowdownBins(bins: SizeBins(plan.sizes), baseline: baseline)
            bins.add(counts)
            slowdown = bins
        }
    }
}
