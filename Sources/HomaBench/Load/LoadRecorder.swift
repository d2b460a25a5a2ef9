// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads

/// Keeps the books of one load generator, so that all protocols count alike.
///
/// All times are nanoseconds since the start of the run. What counts, by the plan's window:
/// latencies by the request's intended time, rates and bytes by the response's time, failures always.
///
/// A request that was not answered, or with wrong bytes, has waited in vain until the end of the run: with that it
/// enters every figure that latencies enter, as a lower bound (``LatencyRecorder/record(atLeast:)``). The end of the
/// run is the plan's, with its drain, whenever this run came to its own: so what a plan's failures cost does not
/// depend on how a protocol fails.
public struct LoadRecorder: Sendable {
    /// The measured part of the run.
    public let window: MeasurementWindow
    /// When nobody waits for a response any more.
    private let end: UInt64
    private var result: LoadResult

    public init(plan: LoadPlan, protocolName: String) {
        window = plan.window
        end = plan.window.end + plan.drain.wholeNanoseconds
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

    /// A response has arrived completely; `intact` tells whether every byte was right.
    public mutating func completed(request: PatternMessage, intended: UInt64, now: UInt64, intact: Bool) {
        guard intact else {
            result.verificationFailures += 1
            return waitedInVain(bytes: request.length, intended: intended, now: now)
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

    /// An outstanding RPC with a request of `bytes` bytes has failed.
    public mutating func failed(bytes: Int, intended: UInt64, now: UInt64, why: String? = nil) {
        failed(why: why)
        waitedInVain(bytes: bytes, intended: intended, now: now)
    }

    /// Something failed that was no request, such as a connection with nothing outstanding.
    public mutating func failed(why: String? = nil) {
        result.errors += 1
        if result.firstError == nil { result.firstError = why }
    }

    /// An RPC with a request of `bytes` bytes was still outstanding when the drain time was over.
    public mutating func unfinished(bytes: Int, intended: UInt64, now: UInt64) {
        result.unfinished += 1
        waitedInVain(bytes: bytes, intended: intended, now: now)
    }

    /// A request of `bytes` bytes was due and never handed over before the run ended.
    public mutating func abandoned(bytes: Int, intended: UInt64, now: UInt64) {
        if window.contains(intended) { result.offered += 1 }
        unfinished(bytes: bytes, intended: intended, now: now)
    }

    private mutating func waitedInVain(bytes: Int, intended: UInt64, now: UInt64) {
        guard window.contains(intended) else { return }
        let latency = max(end, now) - intended
        result.latency.record(atLeast: latency)
        if bytes < LoadResult.shortLimit { result.shortLatency.record(atLeast: latency) }
        result.slowdown?.record(bytes: bytes, latencyAtLeast: latency)
    }

    /// The books, closed.
    public consuming func finish() -> LoadResult { result }
}
