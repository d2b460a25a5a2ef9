// SPDX-License-Identifier: Apache-2.0

import HomaBench
import HomaWorkloads

/// A load result as text for people.
struct LoadReport {
    let result: LoadResult

    init(_ result: LoadResult) { self.result = result }

    func render() -> String {
        [summary, latency, slowdown].filter { !$0.isEmpty }.joined(separator: "\n\n")
    }

    private var summary: String {
        var lines = [
            "\(result.protocolName), workload \(result.plan.sizes.name), \(describe(result.plan.pace)), "
                + "\(result.plan.window.seconds) s measured, seed \(result.plan.seed)",
            "offered \(fixed(result.offeredRate, 0)) requests/s, achieved \(fixed(result.achievedRate, 0)) requests/s, "
                + "goodput \(gigabits(result.requestGoodput)) Gb/s out, \(gigabits(result.responseGoodput)) Gb/s in",
            "every response verified: \(result.verificationFailures) wrong, \(result.errors) failed, "
                + "\(result.unfinished) unfinished",
        ]
        if result.capHits > 0 {
            lines.append("\(result.capHits) requests waited because the outstanding cap was reached")
        }
        return lines.joined(separator: "\n")
    }

    private var latency: String {
        var table = TextTable([
            .init("latency (µs)", .left), .init("count"), .init("unanswered"), .init("p50"), .init("p90"),
            .init("p99"), .init("p99.9"), .init("max"),
        ])
        for (name, recorder) in [("all messages", result.latency), ("under 1500 bytes", result.shortLatency)]
        where recorder.count > 0 {
            table.add(
                [name, String(recorder.count), String(recorder.unanswered)]
                    + [50, 90, 99, 99.9, 100].map { microseconds(recorder.measured($0)) })
        }
        let remark = "\n≥: requests that were never answered count as waiting to the end of the run, at least"
        return table.render() + (result.latency.unanswered > 0 ? remark : "")
    }

    private var slowdown: String {
        guard let rows = result.slowdown?.rows, rows.count > 1 else { return "" }
        var table = TextTable([
            .init("size up to (bytes)"), .init("messages up to (%)"), .init("count"), .init("slowdown p50"),
            .init("p99"),
        ])
        for row in rows {
            table.add([
                String(row.upperBound), fixed(row.percentile, 0), String(row.count),
                bounded(row.median, by: 1, 2), bounded(row.tail, by: 1, 2),
            ])
        }
        return table.render()
    }
}
