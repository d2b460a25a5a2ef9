// SPDX-License-Identifier: Apache-2.0

import HomaWorkloads

extension LoadResult {
    /// The result as records, each with the plan as context, ready for `RunEnvironment.annotate`.
    public func records() -> [ResultRecord] {
        var figures: [(String, Double, String)] = [
            ("offered_rate", offeredRate, "rpc/s"), ("achieved_rate", achievedRate, "rpc/s"),
            ("goodput", goodput, "bit/s"), ("errors", Double(errors), "count"),
            ("unfinished", Double(unfinished), "count"),
            ("verification_failures", Double(verificationFailures), "count"), ("cap_hits", Double(capHits), "count"),
            ("maximum_lag", Double(maximumLagNanoseconds), "ns"),
        ]
        if let packetsResent { figures.append(("packets_resent", Double(packetsResent), "packets")) }
        figures += Self.latencyFigures("latency", latency) + Self.latencyFigures("short_latency", shortLatency)
        for (label, percent) in [("p50", 50.0), ("p99", 99.0)] {
            if let value = slowdown?.percentile(percent) { figures.append(("slowdown_\(label)", value, "ratio")) }
        }
        return figures.map { annotate(ResultRecord(measure: $0.0, value: $0.1, unit: $0.2)) }
    }

    private static func latencyFigures(_ name: String, _ latency: LatencyRecorder) -> [(String, Double, String)] {
        guard latency.count > 0 else { return [] }
        return [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)].map {
            ("\(name)_\($0.0)", Double(latency.percentile($0.1)), "ns")
        } + [("\(name)_max", Double(latency.maximum), "ns")]
    }

    private func annotate(_ record: ResultRecord) -> ResultRecord {
        let window = plan.window
        let named = record.with("protocol", protocolName).with("workload", plan.sizes.name)
            .with("seed", .text(String(plan.seed))).with("duration_s", window.seconds)
            .with("warm_up_s", Double(window.start) / 1e9).with("connections", plan.connections)
        let paced =
            switch plan.pace {
            case .openLoop(let rate): named.with("pace", "open").with("rate_rps", rate).with("cap", plan.outstandingCap)
            case .closedLoop(let outstanding): named.with("pace", "closed").with("outstanding", outstanding)
            }
        return switch plan.response {
        case .echo: paced.with("response", "echo")
        case .fixed(let bytes): paced.with("response", "fixed").with("response_bytes", bytes)
        }
    }
}
