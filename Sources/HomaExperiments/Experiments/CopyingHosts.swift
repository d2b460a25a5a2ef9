// SPDX-License-Identifier: Apache-2.0

import HomaScenarios

/// Long messages between two simulated hosts whose processors take time to copy: the whole protocol, packet by packet.
enum CopyingHosts {
    struct Row {
        var copies: String
        var outstanding: Int
        /// Gb/s that a processor copies; nil: at once.
        var rate: Double?
        var outcome: Outcome

        /// Gb/s. So many messages are always under way, each for this time.
        var goodput: Double {
            Double(outstanding * CopyingHosts.messageBytes) * 8 / 1000 / outcome("completion_us.mean")
        }
    }

    static let messageBytes = 500_000
    static let forms = ["packets", "messages"]
    static let counts = [1, 2, 4]

    /// Requests of one client to one server, each answered with 100 bytes.
    private static func recipe(outstanding: Int, messages: Int) -> Recipe {
        Recipe(
            """
            {"topology": {"preset": "cluster-25g", "hosts": 2}, "transport": {"kind": "homa", "preset": "linux2026", \
            "maximum_packet_bytes": 8972}, "traffic": {"workload": "\(messageBytes)", "mode": "rpc", \
            "response_bytes": 100, "pattern": "incast", "senders": 1, "arrivals": "closed"}, \
            "length": {"drain_ms": 100}}
            """
        ).unlimited().with("traffic.outstanding", outstanding).with("messages", messages)
    }

    static func rows(_ laboratory: inout Laboratory) throws -> [Row] {
        let messages = laboratory.choose(quick: 200, full: 2000)
        var rows: [Row] = []
        for outstanding in counts {
            let base = recipe(outstanding: outstanding, messages: messages)
            for copies in forms {
                for rate in [CopyStudy.published, 35, 70] {
                    let slow = base.with("topology.host_copy_gbps", rate).with("topology.host_copies", copies)
                    rows.append(
                        Row(copies: copies, outstanding: outstanding, rate: rate, outcome: try laboratory.run(slow)))
                }
            }
            rows.append(
                Row(copies: "nothing", outstanding: outstanding, rate: nil, outcome: try laboratory.run(base)))
        }
        return rows
    }

    private static func goodput(_ rows: [Row], _ copies: String, _ outstanding: Int) -> Double {
        rows.first { $0.copies == copies && $0.outstanding == outstanding && $0.rate == CopyStudy.published }?.goodput
            ?? .nan
    }

    static func claims(_ rows: [Row]) -> [Claim] {
        let pipelined = goodput(rows, "packets", 1)
        let after = goodput(rows, "messages", 1)
        let ideal = rows.first { $0.copies == "nothing" && $0.outstanding == 1 }?.goodput ?? .nan
        func claim(_ text: String, _ figure: Figure, _ ours: Double, _ unit: String) -> Claim {
            Claim(
                "Simulated hosts that copy: \(text)", source: Setup.seedRegions, published: figure, ours: ours,
                unit: unit, tolerance: .share(0.1),
                note: "the protocol itself, with processors that copy 18.5 Gb/s and one message under way; without "
                    + "copying it gives \(readable(ideal)) Gb/s")
        }
        let others = counts.dropFirst().map { count in
            (count, goodput(rows, "packets", count), goodput(rows, "messages", count))
        }
        let text = others.map {
            "with \($0.0) under way \(readable($0.1)) and \(readable($0.2)) Gb/s, a ratio of \(readable($0.1 / $0.2))"
        }
        return [
            claim("goodput when packets are copied as they come", .range(17, 19), pipelined, "Gb/s"),
            claim("goodput when complete messages are copied", .range(10, 11), after, "Gb/s"),
            claim("the one over the other", .number(1.7), pipelined / after, "ratio"),
            Claim(
                question: "Do simulated hosts that copy differ when several messages are under way?",
                source: Setup.seedRegions,
                answer: others.allSatisfy { $0.1.isFinite && $0.2.isFinite } ? text.joined(separator: "; ") : "",
                note: "packets copied as they come, and complete messages"),
        ]
    }

    static func chart(_ rows: [Row]) -> Chart {
        Chart(
            "Simulated hosts: goodput of 500 KB messages at 25 Gb/s",
            x: Axis("under way", unit: "messages"), y: Axis("goodput", unit: "Gb/s"),
            series: forms.map { copies in
                Series(
                    copies == "packets" ? "packets copied as they come" : "complete messages copied",
                    counts.map { .init(Double($0), goodput(rows, copies, $0)) })
            } + [
                Series(
                    "nothing copied",
                    rows.filter { $0.copies == "nothing" }.map { .init(Double($0.outstanding), $0.goodput) })
            ], levels: [.init(18, "published, bpages"), .init(10.5, "published, copies of messages")])
    }

    static func table(_ rows: [Row]) -> DataTable {
        var table = DataTable(
            "Simulated hosts", ["copied", "messages under way", "copy rate (Gb/s)", "goodput (Gb/s)"])
        for row in rows {
            table.add(
                .text(row.copies), .number(Double(row.outstanding)), row.rate.map { .number($0) } ?? .none,
                .number(row.goodput))
        }
        return table
    }
}
