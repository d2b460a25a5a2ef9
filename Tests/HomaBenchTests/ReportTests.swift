// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBench
import Testing

@Suite("Reports")
struct ReportTests {
    @Test("a record is one line with its keys in order")
    func jsonLine() {
        let record = ResultRecord(measure: "latency_p99", value: 5400, unit: "ns").against("tcp", 10_800)
            .with("workload", "w4").with("load_fraction", 0.8).with("mtu_bytes", 1500).with("simulated", .flag(false))
            .with("workload", "w5")
        let expected = """
            {"measure":"latency_p99","value":5400,"unit":"ns","rival":"tcp","rival_value":10800,"ratio":0.5,\
            "workload":"w5","load_fraction":0.8,"mtu_bytes":1500,"simulated":false}
            """
        #expect(record.jsonLine == expected)
    }

    @Test(
        "any text survives a JSON parser",
        arguments: ["a\"b\\c", "tab\tline\nend\r", "\u{0}\u{1f}\u{7f}", "µs 🚀 é", ""])
    func escaping(text: String) throws {
        let line = ResultRecord(measure: text, value: 0.1, unit: "ns").with(text + "key", text).jsonLine
        #expect(!line.contains("\n"))
        let parsed = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        #expect(parsed?["measure"] as? String == text)
        #expect(parsed?[text + "key"] as? String == text)
        #expect(parsed?["value"] as? Double == 0.1)
    }

    @Test("numbers that JSON does not have become null", arguments: [Double.nan, .infinity, -.infinity])
    func numbers(value: Double) {
        #expect(ResultRecord(measure: "m", value: value, unit: "ns").jsonLine.contains("\"value\":null"))
    }

    @Test("columns line up")
    func table() {
        var table = TextTable([.init("size", .left), .init("tcp us"), .init("homa us")])
        table.add(["100 B", "23.4", "15.1"])
        table.add(["long name", "1000"])
        let expected = """
            size       tcp us  homa us
            ---------  ------  -------
            100 B        23.4     15.1
            long name    1000
            """
        #expect(table.render() == expected)
    }

    @Test("the environment is described, and a debug build is loud")
    func environment() {
        let here = RunEnvironment.current(mtu: 1500)
        #expect(here.cores >= 1 && here.kernel.hasPrefix("Linux") && !here.processor.isEmpty)
        #expect(here.summary.contains("MTU 1500 bytes"))
        #expect(!here.simulationSummary.contains("MTU"))
        let line = here.annotate(ResultRecord(measure: "m", value: 1, unit: "ns")).jsonLine
        #expect(line.contains("\"build\":\"\(here.build)\"") && line.contains("\"mtu_bytes\":1500"))
        #expect((here.debugWarning == nil) == (here.build == "release"))
        let debug = RunEnvironment(build: "debug", processor: "p", cores: 1, kernel: "k", mtu: nil)
        #expect(debug.debugWarning?.contains("DEBUG") == true && debug.summary.contains("unknown"))
    }
}
