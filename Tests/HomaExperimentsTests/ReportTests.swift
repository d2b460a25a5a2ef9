// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios
import Testing

@testable import HomaExperiments

@Suite struct ReportTests {
    @Test func `a chart has a mark for each point, labelled axes with units, and escapes its texts`() {
        let svg = ChartSVG(fullChart).render()
        // Points that cannot stand on the axes are left out: 3 of the first series, 1 of the second, 2 in the legend.
        #expect(svg.matches(of: #/class="mark /#).count == 6)
        #expect(svg.contains("pool (MB)</text>"))
        #expect(svg.contains("slowdown (ratio)</text>"))
        #expect(svg.contains("&lt;brackets&gt; &amp; more"))
        #expect(!svg.contains("nan"))
    }

    @Test func `an axis of named things carries their names`() {
        let chart = Chart(
            "By workload", x: .workloads, y: Axis("time", unit: "µs"),
            series: [Series("one", [.init(2, 1), .init(5, 3)])])
        let svg = ChartSVG(chart).render()
        for name in ["W1", "W2", "W3", "W4", "W5"] { #expect(svg.contains(">\(name)</text>")) }
        #expect(svg.contains("W5 → 3"))
    }

    @Test func `the front keeps what nothing else beats in both figures`() {
        let all = [(1.0, 5.0), (2, 4), (3, 4.5), (4, 1), (5, .nan)].map { (setting: $0.0, y: $0.1) }
        #expect(LessBufferStudy.front(all, greaterIsBetter: false) { $0 }.map(\.setting) == [1, 2, 4])
        #expect(LessBufferStudy.front(all, greaterIsBetter: true) { $0 }.map(\.setting) == [1])
    }

    @Test func `a chart without points says so`() {
        let empty = Chart("Empty", x: Axis("x", unit: "s"), y: Axis("y", unit: "s"), series: [Series("one", [])])
        #expect(ChartSVG(empty).render().contains("nothing was measured"))
    }

    @Test func `tables become CSV with quoted cells`() {
        var table = DataTable("t", ["name", "size (KB)"])
        table.add(.text("a, \"b\""), .number(1.5))
        table.add(.text("c"), .number(.nan))
        #expect(table.csv == "name,size (KB)\r\n\"a, \"\"b\"\"\",1.5\r\nc,\r\n")
    }

    @Test func `the page needs nothing but itself`() {
        let page = ReportPage([BrowserTests.report], machine: "a machine").render()
        #expect(page.matches(of: /(src|href)="(?!#|data:)/).isEmpty)
        #expect(!page.contains("<script"))
        #expect(!page.contains("@import") && !page.contains("url("))
        #expect(page.contains("prefers-color-scheme:dark") && page.contains("@media print"))
    }

    @Test func `files are written beside each other`() throws {
        let folder = try TemporaryFolder()
        let paths = try ReportFiles([BrowserTests.report]).write(to: folder.path, machine: "a machine")
        #expect(paths.map { ($0 as NSString).lastPathComponent } == ["index.html", "claims.jsonl", "test.csv"])
        let claims = try String(contentsOfFile: "\(folder.path)/claims.jsonl", encoding: .utf8)
        let first = try JSONValue(parsing: String(claims.split(separator: "\n")[0]))
        #expect(first["experiment"]?.text == "test")
    }
}
