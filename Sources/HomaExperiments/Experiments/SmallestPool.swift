// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// How small a shared pool may be before it hurts.
    static let smallestPool = Experiment(
        name: "smallest-pool", title: "The smallest pool that does no harm",
        question: "How small may the shared pool of a switch be before Homa, TCP and DCTCP slow down?",
        method: """
            40 hosts at 25 Gb/s on one switch, requests with equally long responses, W4 and W5 at 80 % load. First \
            with the 13.2 MB of an SN2410; then, by binary search over tenths of what was held, the smallest pool \
            with which the mean slowdown is at most 10 % higher (the method of HomaModule's notes). Beside that, \
            slowdowns over a fixed row of pool sizes. TCP is CUBIC with a least timeout of 200 ms, as Linux; DCTCP is \
            marked at 74 KB; both with 32 connections per pair and segmentation offload, as the published \
            measurements had it, in packets of 1500 bytes, Homa in jumbo frames.
            """
    ) { laboratory in
        try SmallestPool.evaluate(&laboratory)
    }
}

enum SmallestPool {
    static let sizes = [1.0, 2, 3, 4, 5.5, 7, 10, 13.2]
    /// What an SN2410 has, which the published measurements begin with.
    static let chip = 13.2e6

    struct Subject {
        var name: String
        var recipe: Recipe
        var workload: String
        var search: PoolSearch
        var curve: [(megabytes: Double, outcome: Outcome)] = []
    }

    static func evaluate(_ laboratory: inout Laboratory) throws -> Findings {
        let scale = laboratory.choose(quick: 1, full: 8)
        var subjects: [Subject] = []
        for (workload, messages) in [("w4", 20_000), ("w5", 4_000)] {
            let homa = Setup.clusterRPC(workload, load: 0.8, messages: messages * scale)
            for (name, recipe) in [("Homa", homa)] + Rival.streams(homa) {
                subjects.append(
                    Subject(
                        name: name, recipe: recipe, workload: workload,
                        search: try PoolSearch(recipe, baseline: chip, &laboratory)))
            }
        }
        for index in subjects.indices where laboratory.scale == .full || subjects[index].workload == "w4" {
            for size in laboratory.choose(quick: [1, 2, 4, 7, 10, 13.2], full: sizes) {
                let outcome = try laboratory.run(subjects[index].recipe.sharedPool(size * 1e6))
                subjects[index].curve.append((size, outcome))
            }
        }
        let twenty = Setup.clusterRPC("w5", load: 0.8, messages: 4_000 * scale).with("traffic.active_hosts", 20)
        var half: [(String, PoolSearch)] = []
        for (name, recipe) in [("Homa", twenty)] + Rival.streams(twenty) {
            half.append((name, try PoolSearch(recipe, baseline: chip, &laboratory)))
        }
        var growth: [(messages: Double, outcome: Outcome)] = []
        for messages in laboratory.choose(quick: [1_000, 4_000], full: [1_000, 4_000, 16_000, 32_000]) {
            let recipe = Rival.stream("tcp", in: twenty).with("messages", messages).sharedPool(chip)
            growth.append((Double(messages), try laboratory.run(recipe)))
        }
        let probes = try Probes(Rival.stream("dctcp", in: twenty), &laboratory)
        let short = laboratory.scale == .quick ? "; the quick form is too short for TCP's windows to grow" : ""
        var findings = Findings()
        findings.claims = subjectClaims(subjects, short) + noteClaims(half, short, probes.told)
        findings.remarks = [growthRemark(growth)]
        findings.charts = [chart(subjects)]
        findings.tables = [table(subjects, half), curves(subjects)]
        return findings
    }

    /// TCP fills what there is, given time.
    private static func growthRemark(_ growth: [(messages: Double, outcome: Outcome)]) -> String {
        let told = growth.map {
            "\(readable($0.outcome.switchBytes / 1e6)) MB in \(readable($0.outcome("measured_seconds") * 1000)) ms"
        }
        return "TCP fills the buffer in time, for nothing but loss limits its windows: W5 on 20 nodes held "
            + told.joined(separator: ", ") + "."
    }

    private static func subjectClaims(_ subjects: [Subject], _ short: String) -> [Claim] {
        let published = [("Homa", 7.0), ("TCP", 10.0), ("DCTCP", 2.0)]
        var claims = published.compactMap { name, megabytes -> Claim? in
            let mine = subjects.filter { $0.name == name }
            guard !mine.isEmpty else { return nil }
            let worst = mine.map(\.search.smallest).max() ?? .nan
            let time = mine.map(\.search.microseconds).max() ?? .nan
            let most = mine.map(\.search.base.switchBytes).max() ?? .nan
            return Claim(
                "Smallest pool without significant degradation under \(name)", source: Setup.seedBuffers,
                published: .number(megabytes), ours: worst / 1e6, unit: "MB", tolerance: .factor(1.5),
                note: "\(readable(time)) µs; with 13.2 MB \(readable(most / 1e6)) MB were held",
                reason: name == "Homa"
                    ? "ours is the larger of W4's and W5's by the 10 % rule, the published one was the experimenters' "
                        + "judgement over all workloads"
                    : "no work of processors is simulated, and messages take the connection with least to do, where "
                        + "the measured ones took any" + short)
        }
        if let homa = subjects.first(where: { $0.name == "Homa" })?.search.smallest,
            let tcp = subjects.first(where: { $0.name == "TCP" })?.search.smallest
        {
            claims.append(
                Claim(
                    "Homa's smallest pool over TCP's (any switch that works well with TCP works well with Homa)",
                    source: Setup.seedBuffers, published: .number(1), ours: homa / tcp, unit: "ratio",
                    tolerance: .atMost(1), note: "W4",
                    reason: "by the rule of 10 % TCP can be given less than it fills: its windows adapt" + short))
        }
        return claims
    }

    /// What might have made the measured DCTCP hold more than ours.
    private struct Probes {
        var told: String

        init(_ recipe: Recipe, _ laboratory: inout Laboratory) throws {
            let base = recipe.sharedPool(SmallestPool.chip)
            let slow = try laboratory.run(
                base.with("topology.host_send_delay_ns", TrendStudy.slowHost)
                    .with("topology.host_receive_delay_ns", TrendStudy.slowHost))
            let deep = try laboratory.run(base.with("transport.host_queue_bytes", 1 << 20))
            told =
                "not explained: hosts that take 20 µs each way make it \(readable(slow.switchBytes / 1e6)) MB, 1 MB "
                + "waiting in each host \(readable(deep.switchBytes / 1e6)) MB; what remains to be suspected are "
                + "bursts of idle connections that begin anew, of which the measured hosts had 32 per pair in use"
        }
    }

    private static func noteClaims(_ half: [(String, PoolSearch)], _ short: String, _ dctcp: String) -> [Claim] {
        let published = [("Homa", 3.8, 3.0), ("TCP", 13.1, 10.5), ("DCTCP", 5.8, 1.4)]
        return published.flatMap { name, most, smallest -> [Claim] in
            guard let search = half.first(where: { $0.0 == name })?.1 else { return [] }
            return [
                Claim(
                    "Most held under \(name), W5, 20 nodes, 80 %", source: Setup.notes, published: .number(most),
                    ours: search.base.switchBytes / 1e6, unit: "MB", tolerance: .factor(1.5),
                    reason: reason(name, dctcp) + short),
                Claim(
                    "Smallest pool under \(name), W5, 20 nodes, 80 %", source: Setup.notes,
                    published: .number(smallest), ours: search.smallest / 1e6, unit: "MB", tolerance: .factor(1.5),
                    note: "found by the same rule", reason: reason(name, dctcp) + short),
            ]
        }
    }

    private static func reason(_ name: String, _ dctcp: String) -> String {
        switch name {
        case "DCTCP": dctcp
        case "TCP": "by the rule of 10 % ours can be given less than it fills"
        default: ""
        }
    }

    private static func chart(_ subjects: [Subject]) -> Chart {
        Chart(
            "Mean slowdown by size of the shared pool", x: Axis("shared pool", unit: "MB", logarithmic: true),
            y: Axis("mean slowdown", unit: "ratio", logarithmic: true),
            series: subjects.map { subject in
                Series(
                    "\(subject.name), \(subject.workload.uppercased())",
                    subject.curve.map { .init($0.megabytes, $0.outcome.mean) })
            })
    }

    private static func table(_ subjects: [Subject], _ half: [(String, PoolSearch)]) -> DataTable {
        var table = DataTable(
            "Smallest pools",
            [
                "transport", "workload", "hosts", "held with 13.2 MB (MB)", "smallest pool (MB)", "smallest pool (µs)",
                "mean slowdown with 13.2 MB",
            ])
        func add(_ name: String, _ workload: String, _ hosts: Double, _ search: PoolSearch) {
            table.add(
                .text(name), .text(workload.uppercased()), .number(hosts), .number(search.base.switchBytes / 1e6),
                .number(search.smallest / 1e6), .number(search.microseconds), .number(search.base.mean))
        }
        for subject in subjects { add(subject.name, subject.workload, 40, subject.search) }
        for (name, search) in half { add(name, "w5", 20, search) }
        return table
    }

    private static func curves(_ subjects: [Subject]) -> DataTable {
        var table = DataTable(
            "Slowdowns by pool",
            ["transport", "workload", "pool (MB)", "mean slowdown", "p99 of median messages", "drops (packets)"])
        for subject in subjects {
            for point in subject.curve {
                table.add(
                    .text(subject.name), .text(subject.workload.uppercased()), .number(point.megabytes),
                    .number(point.outcome.mean), .number(point.outcome.shortP99), .number(point.outcome.drops))
            }
        }
        return table
    }
}
