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
        if let packetsRetransmitted {
            figures.append(("packets_retransmitted", Double(packetsRetransmitted), "packets"))
        }
        let counts = figures.map { ResultRecord(measure: $0.0, value: $0.1, unit: $0.2) }
        let latencies = Self.latencyRecords("latency", latency) + Self.latencyRecords("short_latency", shortLatency)
        let slowdowns = [("p50", 50.0), ("p99", 99.0)].compactMap { label, percent in
            slowdown?.measured(percent).map { ResultRecord(measure: "slowdown_\(label)", $0, unit: "ratio") }
        }
        return (counts + latencies + slowdowns).map(annotate)
    }

    private static func latencyRecords(_ name: String, _ latency: LatencyRecorder) -> [ResultRecord] {
        [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)].compactMap { label, percent in
            latency.measured(percent).map { ResultRecord(measure: "\(name)_\(label)", $0, unit: "ns") }
        }
    }

    /// Slowdown by message size, one record per bin and percentile; empty when the plan has no baseline.
    public func slowdownRecords() -> [ResultRecord] {
        (slowdown?.rows ?? []).flatMap { row in
            [("slowdown_by_size_p50", row.median), ("slowdown_by_size_p99", row.tail)].compactMap { name, measured in
                measured.map {
                    ResultRecord(measure: name, $0, unit: "ratio").with("protocol", protocolName)
                        .with("size_percentile", row.percentile).with("size_up_to_bytes", row.upperBound)
                        .with("count", Int(row.count))
                }
            }
        }
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
