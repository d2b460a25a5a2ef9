// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// What to do when the region is full.
    static let exhaustion = Experiment(
        name: "exhaustion", title: "When the region is full",
        question: """
            Does taking pages as packets come deadlock, does taking all or nothing prevent that, and what is it worth \
            to serve the shortest waiting message first?
            """,
        method: """
            A model of one receiving host at 25 Gb/s over the library's own pool, with regions too small for the load: \
            W4 and W5 at 80 %, messages held for 100 µs, regions of 2 to 16 MB, three policies. A run is deadlocked \
            when no message can receive another byte and no memory will ever come back.
            """
    ) { laboratory in
        ExhaustionStudy.evaluate(&laboratory)
    }
}

private enum ExhaustionStudy {
    typealias Policy = ReceiverModel.Policy

    static func evaluate(_ laboratory: inout Laboratory) -> Findings {
        var rows: [(workload: String, megabytes: Int, policy: Policy, outcome: Outcome)] = []
        for (workload, messages) in [("w4", 10_000), ("w5", 4_000)] {
            for megabytes in [2, 4, 8, 16] {
                for policy in Policy.allCases {
                    var model = ReceiverModel()
                    model.workload = workload
                    model.messages = messages * laboratory.choose(quick: 1, full: 4)
                    model.regionBytes = megabytes << 20
                    model.holdMicroseconds = 100
                    model.policy = policy
                    rows.append((workload, megabytes, policy, laboratory.run(model)))
                }
            }
        }
        return findings(rows)
    }

    private static func findings(
        _ rows: [(workload: String, megabytes: Int, policy: Policy, outcome: Outcome)]
    ) -> Findings {
        func deadlocks(_ policy: Policy) -> Double {
            let mine = rows.filter { $0.policy == policy }
            guard mine.allSatisfy({ $0.outcome.isReady }) else { return .nan }
            return Double(mine.count { $0.outcome("deadlocked_at_us").isFinite })
        }
        let pairs = rows.filter { $0.policy == .firstCome }.map { slow in
            let fast = rows.first {
                $0.workload == slow.workload && $0.megabytes == slow.megabytes && $0.policy == .shortestFirst
            }
            return slow.outcome.mean / (fast?.outcome.mean ?? .nan)
        }
        var findings = Findings()
        findings.claims = [
            Claim(
                "Runs that deadlock when pages are taken as packets come", source: Setup.seedRegions,
                published: .number(1), ours: deadlocks(.pageByPage), unit: "of 8 runs", tolerance: .atLeast(1),
                note: "the talk says that all-or-nothing prevents deadlock; this shows that there is one to prevent"),
            Claim(
                "Runs that deadlock when a message takes all its pages at once or none", source: Setup.seedRegions,
                published: .number(0), ours: deadlocks(.shortestFirst) + deadlocks(.firstCome), unit: "of 16 runs",
                tolerance: .atMost(1)),
            Claim(
                question: "How much lower is the mean slowdown when the shortest waiting message comes first?",
                source: Setup.seedRegions,
                answer: pairs.allSatisfy(\.isFinite)
                    ? "\(readable(pairs.min() ?? .nan)) to \(readable(pairs.max() ?? .nan)) times" : "",
                note: "against the order of arrival, over all regions and both workloads"),
        ]
        findings.charts = ["w4", "w5"].map { workload in
            Chart(
                "Mean slowdown in small regions, \(workload.uppercased())",
                x: Axis("region", unit: "MB", logarithmic: true),
                y: Axis("mean slowdown", unit: "ratio", logarithmic: true),
                series: [Policy.shortestFirst, .firstCome].map { policy in
                    Series(
                        policy.rawValue,
                        rows.filter { $0.workload == workload && $0.policy == policy }.map {
                            .init(Double($0.megabytes), $0.outcome.mean)
                        })
                })
        }
        findings.tables = [table(rows)]
        return findings
    }

    private static func table(
        _ rows: [(workload: String, megabytes: Int, policy: Policy, outcome: Outcome)]
    ) -> DataTable {
        var table = DataTable(
            "Policies",
            [
                "workload", "region (MB)", "policy", "complete", "incomplete", "deadlocked after (µs)",
                "mean slowdown", "p99 slowdown", "messages that waited (%)",
            ])
        for row in rows {
            table.add(
                .text(row.workload.uppercased()), .number(Double(row.megabytes)), .text(row.policy.rawValue),
                .number(row.outcome("messages")), .number(row.outcome("messages_incomplete")),
                .number(row.outcome("deadlocked_at_us")), .number(row.outcome.mean), .number(row.outcome.p99),
                .number(row.outcome("waited_share") * 100))
        }
        return table
    }
}
