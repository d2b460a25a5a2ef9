// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBench
import Testing

@testable import HomaLab

@Suite("Figures of the suite")
struct SuiteFigureTests {
    private let environment = RunEnvironment(
        build: "release", processor: "a processor", cores: 2, kernel: "Linux 6", mtu: 1500)

    private func object(_ figure: SuiteFigure, slack: Double = 1) throws -> [String: Any] {
        let line = figure.jsonLine(slack: slack, environment: environment, context: [("path", .text("veth"))])
        #expect(!line.contains("\n"))
        return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    @Test("a ratio tells its rival, the rival's own figure, its limit and its runs")
    func ratio() throws {
        let figure = SuiteFigure(
            measure: .goodputVsTCP,
            outcome: .measured(
                .init(values: [1.5, 2, 1.75], rival: "tcp", own: [15e9, 20e9, 17.5e9], rivals: [10e9, 10e9, 10e9])))
        let object = try object(figure)
        #expect(object["measure"] as? String == "goodput_500kb_vs_tcp")
        #expect(object["value"] as? Double == 1.75 && object["unit"] as? String == "ratio")
        #expect(object["rival"] as? String == "tcp" && object["rival_value"] as? Double == 10e9)
        #expect(object["homa_value"] as? Double == 17.5e9 && object["parts_unit"] as? String == "bit/s")
        #expect(object["limit"] as? Double == 1.6 && object["met"] as? Bool == true)
        #expect(object["runs"] as? Int == 3 && object["run_values"] as? [Double] == [1.5, 2, 1.75])
        #expect(object["ratio"] == nil, "a ratio of a ratio and a rate means nothing")
    }

    @Test("what cannot be measured has a reason and no value")
    func skipped() throws {
        let object = try object(SuiteFigure(measure: .shortTail, outcome: .skipped("root is needed")))
        #expect(object["skipped"] as? String == "root is needed")
        #expect(object["value"] is NSNull && object["runs"] as? Int == 0 && object["met"] == nil)
        #expect(object["limit"] as? Double == 7)
        #expect(object["rival"] is NSNull && object["rival_value"] is NSNull)
    }

    @Test("every name that others rely on is there")
    func names() {
        let wanted: Set = [
            "goodput_500kb_vs_tcp", "goodput_500kb_vs_copy_after_complete", "goodput_500kb_vs_raw_udp",
            "rtt_100b_vs_raw_udp", "rtt_100b_mmap_vs_raw_udp", "rpc_rate_per_second", "rpc_rate_vs_tcp",
            "pool_alloc_release_ns", "pool_vs_best_malloc", "short_p99_tcp_over_homa", "core_ns_per_packet",
        ]
        #expect(wanted.isSubset(of: SuiteMeasure.allCases.map(\.rawValue)))
    }

    @Test("slack loosens a limit on its own side only")
    func slack() {
        #expect(!SuiteMeasure.goodputVsTCP.isMet(0.9, slack: 1) && SuiteMeasure.goodputVsTCP.isMet(0.9, slack: 2))
        #expect(!SuiteMeasure.goodputVsTCP.isMet(0.7, slack: 2))
        #expect(!SuiteMeasure.core.isMet(200, slack: 1) && SuiteMeasure.core.isMet(200, slack: 2))
        #expect(!SuiteMeasure.core.isMet(301, slack: 2))
        #expect(SuiteMeasure.roundTripVsTCP.isMet(.nan, slack: 1), "what nobody demands cannot be missed")
        #expect(!SuiteMeasure.packetRoundTripVsUDP.isMet(1, slack: 1), "below means below")
    }

    @Test("medians: the middle one, or between the two in the middle")
    func median() {
        #expect(SuiteFigure.median([3, 1, 2]) == 2 && SuiteFigure.median([4, 1, 2, 3]) == 2.5)
        #expect(SuiteFigure.median([]).isNaN)
    }

    @Test("every measure made in rounds has its steps, Homa's first")
    func steps() {
        for measure in SuiteMeasure.allCases where measure.rivalName != nil && measure != .shortTail {
            #expect(measure.steps.count == 2, "\(measure)")
        }
        for step in SuiteStep.allCases {
            #expect(SuiteMeasure.allCases.contains { $0.steps.contains(step) }, "\(step) is run for nothing")
        }
    }

    @Test("sizes are read from the lines of /proc/<pid>/status that tell kilobytes")
    func status() {
        let text = "Name:\thoma\nVmRSS:\t   23660 kB\nRssAnon:\t    3296 kB\nThreads:\t4\n"
        #expect(SuiteRounds.sizes(inStatus: text) == ["VmRSS": 23660 * 1024, "RssAnon": 3296 * 1024])
    }
}
