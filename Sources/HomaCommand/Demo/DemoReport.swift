// SPDX-License-Identifier: Apache-2.0

import HomaBench

/// The demo's results, for people and as records.
struct DemoReport {
    let measurements: DemoMeasurements
    let environment: RunEnvironment
    let seed: UInt64

    private var homa: DemoMeasurements.Mixed { measurements.mixed[0] }
    private var tcp: DemoMeasurements.Mixed { measurements.mixed[1] }
    private var pool: DemoMeasurements.Mixed { measurements.mixed[2] }

    // MARK: For people

    func render() -> String {
        [
            environment.summary, "Separate processes on loopback, both spinning; TCP with TCP_NODELAY; seed \(seed).",
            small, mixedTitle, mixedTable, slowdownTable, buffers,
        ].joined(separator: "\n\n")
    }

    private var small: String {
        var table = TextTable([.init("idle network", .left), .init("Homa"), .init("TCP"), .init("raw UDP")])
        let trips = measurements.roundTrip
        table.add(
            ["100-byte round trip, p50 (µs)"]
                + [trips[.homa], trips[.tcp], trips[.udp]].map { fixed(($0 ?? .nan) / 1000, 1) })
        let goodput = measurements.goodput
        table.add(
            ["500 KB requests, goodput (Gb/s)"] + [goodput[.homa], goodput[.tcp]].map { gigabits($0 ?? .nan) } + ["–"])
        return table.render()
    }

    private var mixedTitle: String {
        "Mixed load: W4 (Hadoop, sizes 50 bytes to 1 MB), requests echoed, "
            + "\(fixed(measurements.rate, 0)) requests/s offered to each:"
    }

    private var mixedTable: String {
        var table = TextTable([.init("", .left)] + measurements.mixed.map { .init($0.name) })
        func row(_ label: String, _ text: (DemoMeasurements.Mixed) -> String) {
            table.add([label] + measurements.mixed.map(text))
        }
        row("achieved (requests/s)") { fixed($0.value("achieved_rate"), 0) }
        row("goodput each way (Gb/s)") { gigabits($0.value("goodput")) }
        row("short messages, p50 (µs)") { fixed($0.value("short_latency_p50") / 1000, 1) }
        row("short messages, p99 (µs)") { fixed($0.value("short_latency_p99") / 1000, 1) }
        row("short messages, p99.9 (µs)") { fixed($0.value("short_latency_p99.9") / 1000, 1) }
        row("all messages, p99 (µs)") { fixed($0.value("latency_p99") / 1000, 1) }
        row("failed, unfinished, wrong") { mixed in
            ["errors", "unfinished", "verification_failures"].map { fixed(mixed.value($0), 0) }.joined(separator: ", ")
        }
        return table.render()
    }

    private var slowdownTable: String {
        var table = TextTable(
            [.init("p99 slowdown, messages up to (bytes)")] + measurements.mixed.map { .init($0.name) })
        let series = measurements.mixed.map { $0.client.series("slowdown_by_size_p99", by: "size_up_to_bytes") }
        for (row, entry) in series[0].enumerated() {
            table.add([fixed(entry.key, 0)] + series.map { row < $0.count ? fixed($0[row].value, 1) : "–" })
        }
        return table.render()
    }

    private var buffers: String {
        let server = homa.server
        return "Homa's server: \(fixed(server.value("bpages_touched") ?? .nan, 0)) bpages of 64 KB ever touched, "
            + "\(fixed(bpagesHighWater, 0)) in use at once; "
            + "packets sent again: \(fixed(resent, 0)) (client and server)."
    }

    private var bpagesHighWater: Double { homa.server.value("bpages_high_water") ?? .nan }
    private var resent: Double {
        (homa.server.value("packets_resent") ?? .nan) + (homa.client.value("packets_resent") ?? .nan)
    }

    // MARK: As records

    var records: [ResultRecord] {
        let trips = measurements.roundTrip
        let homaTrip = trips[.homa] ?? .nan
        let goodputHoma = measurements.goodput[.homa] ?? .nan
        let goodputTCP = measurements.goodput[.tcp] ?? .nan
        let shortHoma = homa.value("short_latency_p99")
        let shortTCP = tcp.value("short_latency_p99")
        let records = [
            ResultRecord(measure: "rtt_100b_p50_us", value: homaTrip / 1000, unit: "us")
                .against("tcp", (trips[.tcp] ?? .nan) / 1000),
            ratio("rtt_100b_vs_raw_udp", homaTrip, trips[.udp] ?? .nan),
            ratio("rtt_100b_vs_tcp", homaTrip, trips[.tcp] ?? .nan),
            ResultRecord(measure: "goodput_500kb", value: goodputHoma, unit: "bit/s").against("tcp", goodputTCP),
            ratio("goodput_500kb_vs_tcp", goodputHoma, goodputTCP),
            ResultRecord(measure: "short_p99", value: shortHoma / 1000, unit: "us").against("tcp", shortTCP / 1000),
            ratio("short_p99_tcp_over_homa", shortTCP, shortHoma),
            ratio("short_p99_tcp_pool_over_homa", pool.value("short_latency_p99"), shortHoma),
            ResultRecord(measure: "mixed_achieved_rate", value: homa.value("achieved_rate"), unit: "rpc/s")
                .against("tcp", tcp.value("achieved_rate")).with("offered_rps", measurements.rate),
            ResultRecord(measure: "bpages_high_water", value: bpagesHighWater, unit: "bpages"),
            ResultRecord(measure: "bpages_touched", value: homa.server.value("bpages_touched") ?? .nan, unit: "bpages"),
            ResultRecord(measure: "packets_resent", value: resent, unit: "packets"),
        ]
        return records.map { environment.annotate($0.with("path", "loopback").with("seed", .text("\(seed)"))) }
    }

    private func ratio(_ measure: String, _ one: Double, _ other: Double) -> ResultRecord {
        ResultRecord(measure: measure, value: one / other, unit: "ratio")
    }
}
