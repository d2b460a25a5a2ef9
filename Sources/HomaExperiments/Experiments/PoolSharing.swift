// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// What it is worth that many ports share a pool.
    static let poolSharing = Experiment(
        name: "pool-sharing", title: "How many ports share a pool",
        question: """
            How does the need for buffer depend on the number of ports that share it? Do 80 ports need less than twice \
            what 40 need?
            """,
        method: """
            W4 at 80 % load, the kernel's settings. First one pool for all ports of switches with 2 to 128 hosts at \
            25 Gb/s, without limit: the most that was held. Then 40 hosts on one switch whose memory is cut into pools \
            of 1 to 40 ports: by binary search over a row of sizes, the smallest memory with which the mean slowdown \
            is at most 10 % above that without limit.
            """
    ) { laboratory in
        try SharingStudy.evaluate(&laboratory)
    }
}

private enum SharingStudy {
    /// Memory tried, in parts of what an unlimited pool held.
    static let steps = [0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7]

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        let each = laboratory.choose(quick: 800, full: 8_000)
        var held: [(ports: Double, outcome: Outcome)] = []
        for ports in [2, 5, 10, 20, 40, 80, 128] {
            // Smaller switches run longer, so that each sees as many messages as it may take to find its worst moment.
            let recipe = Setup.cluster("w4", load: 0.8, messages: each * max(40, ports)).unlimited()
                .with("topology.hosts", ports)
            held.append((Double(ports), try laboratory.run(recipe)))
        }
        var cut: [(ports: Double, bytes: Double)] = []
        let base = Setup.cluster("w4", load: 0.8, messages: laboratory.choose(quick: 400, full: 5_000) * 40)
        let unlimited = try laboratory.run(base.unlimited())
        for ports in laboratory.choose(quick: [1, 4, 10, 40], full: [1, 2, 4, 8, 10, 20, 40]) {
            cut.append((Double(ports), try smallest(base, ports: ports, unlimited, &laboratory)))
        }
        return findings(held, cut)
    }

    private static func smallest(
        _ base: Recipe, ports: Int, _ unlimited: Outcome, _ laboratory: inout Laboratory
    ) throws -> Double {
        guard unlimited.isReady else { return .nan }
        var bad = -1
        var good = steps.count
        while good - bad > 1 {
            let middle = (good + bad) / 2
            let bytes = Int(unlimited.switchBytes * steps[middle])
            let recipe = base.with("topology.leaf.buffer", "groups").with("topology.leaf.ports_per_group", ports)
                .with("topology.leaf.buffer_bytes", bytes)
            let outcome = try laboratory.run(recipe)
            guard outcome.isReady else { return .nan }
            let isGood = outcome.mean <= PoolSearch.limit * unlimited.mean && outcome.incompleteShare <= 0.001
            if isGood { good = middle } else { bad = middle }
        }
        return good < steps.count ? unlimited.switchBytes * steps[good] : .nan
    }

    private static func findings(
        _ held: [(ports: Double, outcome: Outcome)], _ cut: [(ports: Double, bytes: Double)]
    ) -> Findings {
        func most(_ ports: Double) -> Double { held.first { $0.ports == ports }?.outcome.switchBytes ?? .nan }
        func need(_ ports: Double) -> Double { cut.first { $0.ports == ports }?.bytes ?? .nan }
        // A few ports hardly ever wait for each other.
        let law = PowerFit(held.filter { $0.ports >= 10 }.map { ($0.ports, $0.outcome.switchBytes) })
        let sharing = PowerFit(cut.map { ($0.ports, $0.bytes) })
        var findings = Findings()
        findings.claims = [
            Claim(
                "A pool of 80 ports needs less than so many times one of 40", source: Setup.seedBuffers,
                published: .number(2), ours: most(80) / most(40), unit: "ratio", tolerance: .atMost(1),
                note: "most held without limit"),
            Claim(
                "A memory for each port alone needs significantly more than one that 40 ports share",
                source: Setup.seedBuffers, published: .number(1.5), ours: need(1) / need(40), unit: "ratio",
                tolerance: .atLeast(1), note: "the article gives no number; we take half as much again as significant"),
            Claim(
                question: "What relation is there between the degree of sharing and the need?",
                source: Setup.seedBuffers,
                answer: [law.map(total), sharing.map(parts)].compactMap { $0 }
                    .joined(separator: "; "), note: "power laws fitted to the points of the charts"),
        ]
        findings.charts = [
            Chart(
                "Most held in a pool for all ports", x: Axis("ports that share", unit: "ports", logarithmic: true),
                y: Axis("occupancy", unit: "µs"),
                series: [Series("W4 at 80 %", held.map { .init($0.ports, $0.outcome.switchMicroseconds) })]),
            Chart(
                "Smallest memory of a switch with 40 ports",
                x: Axis("ports that share a pool", unit: "ports", logarithmic: true),
                y: Axis("memory of the whole switch", unit: "MB"),
                series: [Series("W4 at 80 %", cut.map { .init($0.ports, $0.bytes / 1e6) })]),
        ]
        findings.tables = tables(held, cut)
        return findings
    }

    private static func total(_ law: PowerFit) -> String {
        "what N ports hold at most grows, from 10 ports on, as N to the power \(readable(law.exponent)) (± "
            + "\(readable(law.relativeError * 100)) %)"
    }

    private static func parts(_ law: PowerFit) -> String {
        "with pools of n ports 40 ports need n to the power \(readable(law.exponent)) (± "
            + "\(readable(law.relativeError * 100)) %)"
    }

    private static func tables(
        _ held: [(ports: Double, outcome: Outcome)], _ cut: [(ports: Double, bytes: Double)]
    ) -> [DataTable] {
        var first = DataTable(
            "One pool for all ports", ["ports", "most held (MB)", "most held (µs)", "for each port (KB)"])
        for row in held {
            first.add(
                .number(row.ports), .number(row.outcome.switchBytes / 1e6), .number(row.outcome.switchMicroseconds),
                .number(row.outcome.switchBytes / row.ports / 1000))
        }
        var second = DataTable("40 ports in pools", ["ports of a pool", "smallest memory (MB)", "for each port (KB)"])
        for row in cut { second.add(.number(row.ports), .number(row.bytes / 1e6), .number(row.bytes / 40 / 1000)) }
        return [first, second]
    }
}
