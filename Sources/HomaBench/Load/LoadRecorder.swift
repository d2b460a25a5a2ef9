// SPDX-License-Identifier: Apache-2.0

import HomaWorkloads

/// Keeps the books of one load generator, so that all protocols count alike.
///
/// All times are nanoseconds since the start of the run. What counts, by the plan's window:
/// latencies by the request's intended time, rates and bytes by the response's time, failures always.
public struct LoadRecorder: Sendable {
    /// The measured part of the run.
    public let window: MeasurementWindow
    private var result: LoadResult

    public init(plan: LoadPlan, protocolName: String) {
        window = plan.window
        result = LoadResult(plan: plan, protocolName: protocolName)
        if plan.profile != nil { result.timeline = LoadTimeline() }
        result.slowdown = plan.baseline.map { SlowdownBins(bins: SizeBins(plan.sizes), baseline: $0) }
    }

    /// A request was handed to the transport. Under a closed loop, `intended` is `now`.
    public mutating func issued(intended: UInt64, now: UInt64) {
        guard window.contains(intended) else { return }
        result.offered += 1
        let lag = now > intended ? now - intended : 0
        if lag > result.maximumLagNanoseconds { result.maximumLagNanoseconds = lag }
    }

    /// A request was due but has to wait because the outstanding cap is reached. Call once per request.
    public mutating func capHit() { result.capHits += 1 }

    /// A request was due and never handed over before the run ended.
    public mutating func abandoned(intended: UInt64) {
        if window.contains(intended) { result.offered += 1 }
        result.unfinished += 1
    }

    /// A response has arrived completely; `intact` tells whether every byte was right.
    public mutating func completed(request: PatternMessage, intended: UInt64, now: UInt64, intact: Bool) {
        guard intact else {
            result.verificationFailures += 1
            return
        }
        if window.contains(now) {
            result.completed += 1
            result.requestBytes += UInt64(request.length)
            result.responseBytes += UInt64(request.response.length)
        }
        guard window.contains(intended) else { return }
        let latency = now > intended ? now - intended : 0
        result.latency.record(nanoseconds: latency)
        if request.length < LoadResult.shortLimit { result.shortLatency.record(nanoseconds: latency) }
        result.slowdown?.record(bytes: request.length, latencyNanoseconds: latency)
        result.timeline?.add(
            .init(
                intended: intended, latency: latency, requestBytes: request.length,
                responseBytes: request.response.length))
    }

    /// Outstanding RPCs have failed.
    public mutating func failed(_ count: Int = 1, why: String? = nil) {
        result.errors += UInt64(count)
        if result.firstError == nil { result.firstError = why }
    }

    /// RPCs were still outstanding when the drain time was over.
    public mutating func unfinished(_ count: Int) { result.unfinished += UInt64(count) }

    /// The books, closed.
    public consuming func finish() -> LoadResult { result }
}
