// SPDX-License-Identifier: Apache-2.0

import HomaSim

extension Experiment {
    /// Whether chips have enough buffer at 100 Gb/s.
    static let willItFit = Experiment(
        name: "will-it-fit", title: "Will it fit into a Tomahawk 3, and into the others?",
        question: """
            How much buffer do downlinks and uplinks need at 100 Gb/s with 2:1 oversubscription and packet spraying, \
            in µs, and which chips have it?
            """,
        method: """
            Two leaves with twice as many 100 Gb/s ports to hosts as to spines, every packet on a path of its own, W4 \
            all to all: half of the traffic crosses the spines, so uplinks are as loaded as downlinks. Unlimited \
            memory; what a leaf held at most, over the bandwidth of its ports, is compared with what chips have. Once \
            with hosts like the kernel's (3.15 µs of software each way; 60 KB unscheduled, 1.6 MB granted, which its \
            notes name for 100 Gb/s), once with hosts whose network cards run Homa (0.5 µs; 75 KB and 600 KB: one \
            bandwidth-delay product and eight). The full form has 84 hosts and 42 uplinks per leaf, as a Tomahawk 3 \
            would; the quick form 16 and 8.
            """
    ) { laboratory in
        try FitStudy.evaluate(&laboratory)
    }
}

private enum FitStudy {
    static let loads = [0.5, 0.6, 0.7, 0.8, 0.9]

    struct Host {
        var name: String
        var delay: Int
        var unscheduled: Int
        var granted: Int
    }

    static let hosts = [
        Host(name: "kernel hosts", delay: 3150, unscheduled: 60_000, granted: 1_600_000),
        Host(name: "Homa in the network card", delay: 500, unscheduled: 75_000, granted: 600_000),
    ]

    struct Need {
        var host: Host
        var load: Double
        var outcome: Outcome
        var down: Double { outcome.switches("leaf", "downlinks.max_us") }
        var up: Double { outcome.switches("leaf", "uplinks.max_us") }
        var leaf: Double { outcome.switches("leaf", "total.max_us") }
        /// Time of which 99 % of the moments need no more.
        var usual: Double { outcome.switches("leaf", "total.p99_us") }
    }

    static func recipe(_ host: Host, _ load: Double, _ laboratory: Laboratory) -> Recipe {
        let ports = laboratory.choose(quick: 16, full: 84)
        return Recipe(
            """
            {"topology": {"preset": "fabric-100g", "leaves": 2, "uplink_gbps": 100, "link_delay_ns": 50, \
            "switch_delay_ns": 400, "nic_delay_ns": 500}, "transport": {"kind": "homa", "preset": "linux2026", \
            "maximum_packet_bytes": 4096}, "traffic": {"workload": "w4", "truncated_to_bytes": 1000000}, \
            "length": {"drain_ms": 50}}
            """
        ).with("topology.hosts_per_leaf", ports).with("topology.spines", ports / 2)
            .with("topology.host_send_delay_ns", host.delay).with("topology.host_receive_delay_ns", host.delay)
            .with("transport.unscheduled_bytes", host.unscheduled)
            .with("transport.maximum_incoming_bytes", host.granted).with("load", load)
            .with("messages", laboratory.choose(quick: 12_000, full: 400_000))
    }

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        var needs: [Need] = []
        for host in hosts {
            for load in loads {
                let outcome = try laboratory.run(recipe(host, load, laboratory))
                needs.append(Need(host: host, load: load, outcome: outcome))
            }
        }
        var limited: [(Need, Outcome)] = []
        for need in needs where need.load == 0.8 && need.outcome.isReady {
            // As much memory as a Tomahawk 3 has for so much bandwidth, in its cells.
            let bytes = need.outcome.switchBytes * 40 / need.leaf
            let outcome = try laboratory.run(
                recipe(need.host, need.load, laboratory).sharedPool(bytes).with("topology.leaf.cell_bytes", 256))
            limited.append((need, outcome))
        }
        var findings = Findings()
        findings.claims = claims(needs, limited)
        findings.charts = charts(needs)
        findings.tables = [needTable(needs)] + hosts.map { matrix(needs, $0) }
        findings.remarks = [
            "A cell says yes where the chip has at least what was held at the worst moment, tight where it has at "
                + "least "
                + "what was held 99 % of the time, no below that. The number is what the chip has over the worst "
                + "moment. Needs in µs are taken to be those of the simulated leaf whatever the chip's number of "
                + "ports; "
                + "smaller switches need somewhat more (see pool-sharing)."
        ]
        return findings
    }

    private static func claims(_ needs: [Need], _ limited: [(Need, Outcome)]) -> [Claim] {
        var claims: [Claim] = []
        for host in hosts {
            let mine = needs.filter { $0.host.name == host.name }
            guard let at80 = mine.first(where: { $0.load == 0.8 }) else { continue }
            let most = mine.map(\.up).max() ?? .nan
            claims += [
                Claim(
                    "What downlinks need at 80 % load, \(host.name): 56 µs as at 25 Gb/s?", source: Setup.seedBuffers,
                    published: .number(56), ours: at80.down, unit: "µs", tolerance: .factor(1.5),
                    reason: "granted bytes decide: \(host.granted / 1000) KB are "
                        + "\(readable(Double(host.granted) * 8 / 100_000)) µs of a 100 Gb/s link, 400 KB at 25 Gb/s "
                        + "are 128 µs"),
                Claim(
                    question: "How much buffer do uplinks need, \(host.name)?", source: Setup.seedBuffers,
                    answer: most.isFinite
                        ? "\(readable(at80.up)) µs at 80 % load, \(readable(most)) µs at most up to 90 %" : ""),
                Claim(
                    "Left for downlinks on a Tomahawk 3 beside the uplinks at 80 % load, \(host.name)",
                    source: Setup.seedBuffers, published: .number(60), ours: 60 - at80.up / 2, unit: "µs",
                    tolerance: .share(0.1),
                    note: "40 µs of all ports are 60 µs of the two thirds that are downlinks, less what uplinks hold"),
            ]
        }
        for (need, outcome) in limited {
            let verdict = need.leaf <= 40 ? "yes" : need.usual <= 40 ? "tight" : "no"
            let growth = (outcome.mean / need.outcome.mean - 1) * 100
            claims.append(
                Claim(
                    question: "Does Homa fit a Tomahawk 3 at 80 % load, \(need.host.name)?", source: Setup.seedBuffers,
                    answer: outcome.isReady
                        ? "\(verdict): needs \(readable(need.leaf)) of 40 µs; run with 40 µs, "
                            + "\(readable(outcome.drops)) "
                            + "packets are dropped and the mean slowdown changes by \(readable(growth)) %" : ""))
        }
        return claims
    }

    private static func charts(_ needs: [Need]) -> [Chart] {
        hosts.map { host in
            let mine = needs.filter { $0.host.name == host.name }
            return Chart(
                "What a leaf holds at most, \(host.name)", x: Axis("load", unit: "share of the links"),
                y: Axis("occupancy over bandwidth", unit: "µs"),
                series: [
                    Series("downlinks", mine.map { .init($0.load, $0.down) }),
                    Series("uplinks", mine.map { .init($0.load, $0.up) }),
                    Series("all ports", mine.map { .init($0.load, $0.leaf) }),
                ], levels: [.init(40, "Tomahawk 3, all ports: 40 µs"), .init(60, "its downlinks alone: 60 µs")])
        }
    }

    private static func needTable(_ needs: [Need]) -> DataTable {
        var table = DataTable(
            "Needs",
            [
                "hosts", "load (share)", "downlinks (µs)", "uplinks (µs)", "all ports (µs)", "all ports, p99 (µs)",
                "uplink utilisation (share)", "mean slowdown",
            ])
        for need in needs {
            table.add(
                .text(need.host.name), .number(need.load), .number(need.down), .number(need.up), .number(need.leaf),
                .number(need.usual), .number(need.outcome.tier("leaf_uplink", "utilisation")),
                .number(need.outcome.mean))
        }
        return table
    }

    private static func matrix(_ needs: [Need], _ host: Host) -> DataTable {
        var table = DataTable(
            "Chips by load: \(host.name)",
            ["chip", "has (µs)"] + loads.map { "\(readable($0 * 100)) %" })
        let mine = needs.filter { $0.host.name == host.name }
        for chip in SwitchChip.all {
            let cells = mine.map { need -> Figure in
                guard need.leaf.isFinite else { return .none }
                let has = chip.microseconds
                let word = has >= need.leaf ? "yes" : has >= need.usual ? "tight" : "no"
                return .text("\(word): \(readable(has / need.leaf))")
            }
            table.rows.append([.text(chip.name), .number(chip.microseconds)] + cells)
        }
        return table
    }
}
