// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBench
import Testing

@testable import HomaLab

@Suite("What the demo prints")
struct DemoReportTests {
    private let environment = RunEnvironment(build: "release", processor: "P", cores: 2, kernel: "Linux", mtu: 65_535)

    private func report(_ measurements: DemoMeasurements) -> DemoReport {
        DemoReport(measurements: measurements, environment: environment, seed: 7)
    }

    private func objects(_ report: DemoReport) throws -> [[String: Any]] {
        try report.records.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.jsonLine.utf8)) as? [String: Any])
        }
    }

    @Test("the last line is the sentence; failures stand above it")
    func lastLine() {
        var measurements = MadeUp.measurements()
        #expect(
            report(measurements).render().split(separator: "\n").last.map(String.init)
                == DemoVerdict(measurements).sentence)
        #expect(!report(measurements).render().contains("FAILED"))
        measurements.link?.carriers[0].failures = ["Homa: 1 of 2 requests failed"]
        let lines = report(measurements).render().split(separator: "\n")
        #expect(lines.contains("FAILED: Homa: 1 of 2 requests failed"))
        #expect(lines.last?.hasPrefix("This run compares nothing") == true)
    }

    @Test("every place of the network is named, the simulator with the reason for it")
    func places() {
        #expect(report(MadeUp.measurements()).render().contains("emulated in network namespaces"))
        let user = MadeUp.measurements(place: .namespaces(.userNamespace))
        #expect(report(user).render().contains("emulated in a user namespace"))
        let simulated = MadeUp.measurements(place: .simulator(because: "ip is not installed"))
        #expect(report(simulated).render().contains("SIMULATED, because ip is not installed"))
    }

    @Test("a busy machine is said to be busy, with what that does; a quiet one quiet")
    func disturbance() {
        var measurements = MadeUp.measurements()
        #expect(report(measurements).render().contains("This machine was quiet: other programs took 2 %"))
        measurements.idle.disturbance = MadeUp.busy
        let text = report(measurements).render()
        #expect(text.contains("This machine was busy: other programs took 47 % of its processors"))
        #expect(text.contains("worse than it can do"))
    }

    @Test("keys of earlier versions are kept, each once and with a number")
    func oldKeys() throws {
        let objects = try objects(report(MadeUp.measurements()))
        for key in [
            "rtt_100b_p50_us", "rtt_100b_vs_raw_udp", "rtt_100b_vs_tcp", "goodput_500kb", "goodput_500kb_vs_tcp",
            "short_p99", "short_p99_tcp_over_homa", "short_p99_tcp_pool_over_homa", "mixed_achieved_rate",
            "bpages_high_water", "bpages_touched", "packets_resent",
        ] {
            let found = objects.filter { $0["measure"] as? String == key }
            #expect(found.count == 1 && found.first?["value"] is NSNumber, "\(key)")
        }
        let values = Dictionary(
            objects.compactMap { object in (object["measure"] as? String).map { ($0, object["value"] as? Double) } }
        ) { first, _ in first }
        #expect(values["short_p99"] == 4000 && values["short_p99_tcp_over_homa"] == 225)
        #expect(values["short_p99_tcp_pool_over_homa"] == 150 && values["short_p99_best_tcp_over_homa"] == 150)
    }

    @Test("figures of the link carry protocol, load and the place where they were measured")
    func context() throws {
        let link = try objects(report(MadeUp.measurements(place: .namespaces(.userNamespace)))).filter {
            $0["measure"] as? String == "link_short_p99"
        }
        #expect(link.count == 9)
        #expect(Set(link.compactMap { $0["protocol"] as? String }) == ["homa", "tcp", "tcp-pool"])
        #expect(Set(link.compactMap { $0["load_fraction"] as? Double }) == [0.5, 0.8, 1.6])
        #expect(link.allSatisfy { $0["path"] as? String == "user-namespace" && $0["link_bps"] as? Int == 100_000_000 })
    }

    @Test("what was not measured is null, and the number of failures is told with the sentence")
    func missing() throws {
        var measurements = MadeUp.measurements()
        measurements.idle.roundTrip[.udp] = nil
        measurements.idle.failures = ["idle network: no server"]
        let objects = try objects(report(measurements))
        #expect(objects.first { $0["measure"] as? String == "rtt_100b_vs_raw_udp" }?["value"] is NSNull)
        let verdict = try #require(objects.first { $0["measure"] as? String == "failures" })
        #expect(verdict["value"] as? Int == 1)
        #expect((verdict["sentence"] as? String)?.contains("no server") == true)
        let recoveries = objects.filter { $0["measure"] as? String == "overload_recovery" }
        #expect(recoveries.count == 3 && recoveries.filter { $0["value"] is NSNull }.count == 2)
    }
}
