// SPDX-License-Identifier: Apache-2.0

extension Experiment {
    /// How large a receive region has to be, and a bpage.
    static let regionSize = Experiment(
        name: "region-size", title: "How large regions and bpages must be",
        question: """
            How large must a receive region be (64 MB today), for which workload and how slow an application, and is \
            64 KB right for bpages?
            """,
        method: """
            A model of one receiving host at 25 Gb/s over the library's own pool: messages arrive at random at 50 to \
            90 % load, memory is taken when the first packet comes, the application holds each message for 0 to 10 ms. \
            First a region of 256 MB: the most that was taken. Then regions of 1 to 256 MB: the smallest with which \
            the mean slowdown is at most 10 % above that of the largest. Then bpages of 16 KB to 1 MB.
            """
    ) { laboratory in
        RegionStudy.evaluate(&laboratory)
    }
}

private enum RegionStudy {
    static let regions = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    static let holds = [0.0, 100, 1_000, 10_000]
    static let workloads = ["w1", "w2", "w3", "w4", "w5"]
    static let bpages = [16, 32, 64, 128, 256, 512, 1024]

    struct Row {
        var workload: String
        var load: Double
        var hold: Double
        var most: Outcome
        var byRegion: [(megabytes: Int, outcome: Outcome)]

        /// The smallest region that does no harm; not a number where even the largest is full.
        var smallest: Double {
            guard most.isReady, most("waited_share") < 0.001 else { return .nan }
            let good = byRegion.filter { $0.outcome.mean <= PoolSearch.limit * most.mean }
            return good.map { Double($0.megabytes) }.min() ?? .nan
        }
    }

    static func model(_ workload: String, _ load: Double, _ hold: Double, _ laboratory: Laboratory) -> ReceiverModel {
        var model = ReceiverModel()
        model.workload = workload
        model.load = load
        model.holdMicroseconds = hold
        let long = workload == "w5" ? 3_000 : workload == "w4" ? 10_000 : 20_000
        model.messages = laboratory.choose(quick: long, full: long * 3)
        return model
    }

    static func evaluate(_ laboratory: inout Laboratory) -> Findings {
        var rows: [Row] = []
        for workload in workloads {
            for hold in holds {
                rows.append(row(workload, 0.8, hold, &laboratory))
            }
        }
        for load in [0.5, 0.6, 0.7, 0.9] { rows.append(row("w5", load, 100, &laboratory)) }
        var pages: [(workload: String, kilobytes: Int, outcome: Outcome)] = []
        for workload in ["w3", "w4", "w5"] {
            for kilobytes in bpages {
                var model = model(workload, 0.8, 100, laboratory)
                model.bpageBytes = kilobytes << 10
                pages.append((workload, kilobytes, laboratory.run(model)))
            }
        }
        return findings(rows, pages)
    }

    private static func row(_ workload: String, _ load: Double, _ hold: Double, _ laboratory: inout Laboratory) -> Row {
        var model = model(workload, load, hold, laboratory)
        model.regionBytes = 256 << 20
        let most = laboratory.run(model)
        let tried = laboratory.choose(quick: regions.filter { [1, 4, 16, 64, 256].contains($0) }, full: regions)
        let byRegion = tried.map { megabytes in
            model.regionBytes = megabytes << 20
            return (megabytes: megabytes, outcome: laboratory.run(model))
        }
        return Row(workload: workload, load: load, hold: hold, most: most, byRegion: byRegion)
    }

    private static func findings(
        _ rows: [Row], _ pages: [(workload: String, kilobytes: Int, outcome: Outcome)]
    ) -> Findings {
        var findings = Findings()
        findings.claims = claims(rows, pages)
        findings.charts = [
            Chart(
                "Mean slowdown by size of the region, W5 at 80 %", x: Axis("region", unit: "MB", logarithmic: true),
                y: Axis("mean slowdown", unit: "ratio", logarithmic: true),
                series: rows.filter { $0.workload == "w5" && $0.load == 0.8 }.map { row in
                    Series(
                        "held for \(readable(row.hold)) µs",
                        row.byRegion.map { .init(Double($0.megabytes), $0.outcome.mean) })
                }),
            Chart(
                "Most taken of a region of 256 MB", x: Axis("time that the application holds a message", unit: "µs"),
                y: Axis("memory", unit: "MB", logarithmic: true),
                series: workloads.map { workload in
                    Series(
                        workload.uppercased(),
                        rows.filter { $0.workload == workload && $0.load == 0.8 }.map {
                            .init($0.hold, $0.most("high_water_bytes") / 1e6)
                        })
                }),
            Chart(
                "Most taken by size of the bpage", x: Axis("bpage", unit: "KB", logarithmic: true),
                y: Axis("memory", unit: "MB", logarithmic: true),
                series: ["w3", "w4", "w5"].map { workload in
                    Series(
                        workload.uppercased(),
                        pages.filter { $0.workload == workload }.map {
                            .init(Double($0.kilobytes), $0.outcome("high_water_bytes") / 1e6)
                        })
                }),
        ]
        findings.tables = tables(rows, pages)
        return findings
    }

    private static func claims(
        _ rows: [Row], _ pages: [(workload: String, kilobytes: Int, outcome: Outcome)]
    ) -> [Claim] {
        let quickly = rows.filter { $0.load == 0.8 && $0.hold <= 100 }
        let slowly = rows.filter { $0.load == 0.8 && $0.hold == 10_000 }
        func sizes(_ rows: [Row]) -> String {
            rows.allSatisfy { $0.most.isReady }
                ? rows.map {
                    "\($0.workload.uppercased()) \($0.smallest.isFinite ? readable($0.smallest) : "> 256") MB"
                }
                .joined(separator: ", ") : ""
        }
        func taken(_ workload: String, _ kilobytes: Int) -> Double {
            pages.first { $0.workload == workload && $0.kilobytes == kilobytes }?.outcome("high_water_bytes") ?? .nan
        }
        let cost = bpages.map { size in
            ["w3", "w4", "w5"].map { taken($0, size) / taken($0, 16) }.max() ?? .nan
        }
        let told = zip(bpages, cost).map { "\($0) KB takes \(readable($1)) times" }.joined(separator: ", ")
        return [
            Claim(
                "64 MB is enough at 80 % load for an application that returns messages within 100 µs",
                source: Setup.seedRegions, published: .number(64), ours: quickly.map(\.smallest).max() ?? .nan,
                unit: "MB", tolerance: .atMost(1), note: "the largest need of the five workloads"),
            Claim(
                question: "How large must a region be when the application holds messages for 10 ms?",
                source: Setup.seedRegions, answer: sizes(slowly),
                note: "25 Gb/s for 10 ms are 31 MB, before anything waits"),
            Claim(
                question: "Is 64 KB right for bpages?", source: Setup.seedRegions,
                answer: cost.allSatisfy(\.isFinite) ? told : "",
                note: "most memory taken, against bpages of 16 KB, for the worst of W3, W4 and W5; a message of 1 MB "
                    + "lies in 62, 16 and 1 pieces with 16 KB, 64 KB and 1 MB"),
        ]
    }

    private static func tables(
        _ rows: [Row], _ pages: [(workload: String, kilobytes: Int, outcome: Outcome)]
    ) -> [DataTable] {
        var first = DataTable(
            "Regions",
            ["workload", "load (share)", "held for (µs)", "most taken (MB)", "smallest region (MB)"]
                + (rows.first?.byRegion ?? []).map { "waited with \($0.megabytes) MB (%)" })
        for row in rows {
            first.rows.append(
                [
                    .text(row.workload.uppercased()), .number(row.load), .number(row.hold),
                    .number(row.most("high_water_bytes") / 1e6), .number(row.smallest),
                ] + row.byRegion.map { .number($0.outcome("waited_share") * 100) })
        }
        var second = DataTable(
            "Bpages", ["workload", "bpage (KB)", "most taken (MB)", "taken over message bytes", "pieces per message"])
        for page in pages {
            second.add(
                .text(page.workload.uppercased()), .number(Double(page.kilobytes)),
                .number(page.outcome("high_water_bytes") / 1e6), .number(page.outcome("held_over_live")),
                .number(page.outcome("pieces_per_message")))
        }
        return [first, second]
    }
}
