// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
import HomaWorkloads
import Testing

@testable import HomaLab

@Suite("Figures of a lab")
struct LabFiguresTests {
    @Test("the load counts requests and responses, which share a link")
    func load() {
        let sizes = SizeDistribution.fixed(1000)
        let rate = BitRate.megabitsPerSecond(200)
        let echoed = LabJob.requestsPerSecond(load: 0.8, rate: rate, sizes: sizes, responseBytes: nil)
        #expect(abs(echoed - 10_000) < 1e-6)
        let short = LabJob.requestsPerSecond(load: 0.8, rate: rate, sizes: sizes, responseBytes: 250)
        #expect(abs(short - 16_000) < 1e-6)
    }

    @Test("medians are of the middle, or between the two in the middle")
    func median() {
        #expect(LabSeries.median([3, 1, 2]) == 2)
        #expect(LabSeries.median([4, 1, 3, 2]) == 2.5)
        #expect(LabSeries.median([]) == nil)
    }

    private func measurement(shortLatencies: [UInt64], name: String) -> LabMeasurement {
        let plan = LoadPlan(sizes: .fixed(100), pace: .openLoop(perSecond: 1), warmUp: .zero, duration: .seconds(1))
        var recorder = LoadRecorder(plan: plan, protocolName: name)
        for latency in shortLatencies {
            let message = PatternMessage(key: 1, length: 100, responseLength: 100)
            recorder.issued(intended: 0, now: 0)
            recorder.completed(request: message, intended: 0, now: latency, intact: true)
        }
        return LabMeasurement(
            load: recorder.finish(), counters: LabCounters(), receiveBufferErrors: 0, segmentsResent: 0, nodes: [:])
    }

    @Test("a ratio is the median of the rounds' ratios, not the ratio of the medians")
    func ratio() throws {
        let figure = try #require(LabFigure.all.first { $0.measure == "short_latency_p99" })
        let homa = LabSeries(
            name: "Homa", rounds: [100, 200, 400].map { measurement(shortLatencies: [$0 * 1000], name: "homa") })
        let tcp = LabSeries(
            name: "TCP", rounds: [1000, 1000, 8000].map { measurement(shortLatencies: [$0 * 1000], name: "tcp") })
        let ratio = try #require(homa.ratio(of: tcp, figure))
        #expect(abs(ratio - 10) < 0.1)
        let median = try #require(homa.median(figure))
        #expect(abs(median - 200_000) < 400)
    }

    @Test("what was not measured has no figure")
    func missing() throws {
        let figure = try #require(LabFigure.all.first { $0.measure == "short_latency_p50" })
        let series = LabSeries(name: "Homa", rounds: [measurement(shortLatencies: [], name: "homa")])
        #expect(series.median(figure) == nil && series.ratio(of: series, figure) == nil)
    }

    @Test("a result survives the way from one process to another")
    func tally() {
        let original = measurement(shortLatencies: [1000, 2000, 123_456, 900_000], name: "homa").load
        var copy = LoadResult(plan: original.plan, tally: LoadTally(original))
        #expect(copy.completed == 4 && copy.requestBytes == 400)
        for percent in [0, 25, 50, 99, 100.0] {
            let (one, other) = (Double(copy.latency.percentile(percent)), Double(original.latency.percentile(percent)))
            #expect(abs(one - other) <= other / 1000)
        }
        copy.merge(LoadResult(plan: original.plan, tally: LoadTally(original)))
        #expect(copy.latency.count == 8 && copy.shortLatency.count == 8)
    }
}
