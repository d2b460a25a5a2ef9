// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios
import Testing

@testable import HomaExperiments

/// The report in a real browser: Debian's `chromium`, without a window.
///
/// Where there is none the tests are skipped, unless `HOMA_REQUIRE_BROWSER` is set; then they fail. `HOMA_REPORT` names
/// a report that is looked at beside the sample.
@Suite(.serialized) struct BrowserTests {
    private static let environment = ProcessInfo.processInfo.environment
    static let isWanted = Browser.path != nil || environment["HOMA_REQUIRE_BROWSER"] != nil
    private static let missing = "NO CHROMIUM: NOBODY HAS LOOKED AT THE REPORT (apt-get install chromium)"

    static var report: ExperimentReport {
        var findings = Findings()
        findings.claims = [
            Claim("A claim", source: "somebody", published: .number(2), ours: 2.1, unit: "MB", tolerance: .share(0.1)),
            Claim(question: "A question?", source: "somebody", answer: "an answer"),
        ]
        findings.charts = [fullChart]
        findings.tables = [DataTable("A table", ["chip", "fits"], [[.text("one"), .text("yes: 1.2")]])]
        return ExperimentReport(
            experiment: .test { _ in Findings() }, scale: .quick, findings: findings, points: 3, pointsOfOtherBuilds: 0,
            failures: [], commands: ["homa sim run quick"])
    }

    /// The sample, and the report that was made before, if any.
    static var pages: [(name: String, html: String)] {
        var pages = [("sample", ReportPage([report], machine: "a machine").render())]
        if let path = environment["HOMA_REPORT"] {
            pages.append((path, (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""))
        }
        return pages
    }

    @Test func `there is a browser, or it is said aloud that there is none`() {
        if Browser.path == nil { FileHandle.standardError.write(Data("*** \(Self.missing) ***\n".utf8)) }
        #expect(Browser.path != nil || !Self.isWanted)
    }

    @Test(.enabled(if: isWanted, "\(missing)"), arguments: [false, true])
    func `the report loads without errors, charts have marks and labelled axes with units`(isDark: Bool) throws {
        for page in Self.pages {
            let found = try Browser.look(at: page.html, width: 1000, isDark: isDark)
            #expect(found.errors.isEmpty, "\(page.name): \(found.errors)")
            let charts = try #require(found.probe["charts"]?.elements)
            #expect(charts.count == page.html.matches(of: /<svg class="chart"/).count && !charts.isEmpty)
            for chart in charts {
                let title = chart["title"]?.text ?? ""
                #expect((chart["marks"]?.integer ?? 0) > 0, "\(page.name): \(title)")
                #expect(chart["outside"]?.integer == 0, "\(page.name): \(title)")
                #expect(chart["pale"]?.integer == 0, "\(page.name): \(title)")
                #expect(chart["axes"]?.integer == 2, "\(page.name): \(title)")
                #expect((chart["ticks"]?.integer ?? 0) >= 4, "\(page.name): \(title)")
            }
            let paper = found.probe["paper"]?.text
            #expect(paper == (isDark ? "rgb(13, 17, 23)" : "rgb(255, 255, 255)"))
            #expect(found.probe["ink"]?.text == (isDark ? "rgb(230, 237, 243)" : "rgb(27, 31, 36)"))
        }
    }

    @Test(.enabled(if: isWanted, "\(missing)"), arguments: [320, 390, 1400])
    func `the report fits phones and wide windows`(width: Int) throws {
        for page in Self.pages {
            let found = try Browser.look(at: page.html, width: width)
            #expect(found.probe["window"]?.integer == width)
            #expect((found.probe["width"]?.integer ?? .max) <= width, "\(page.name)")
        }
    }

    @Test(.enabled(if: isWanted, "\(missing)")) func `the report can be printed`() throws {
        for page in Self.pages {
            let pdf = try Browser.print(page.html)
            #expect(pdf.starts(with: Array("%PDF".utf8)))
            let pages = String(decoding: pdf, as: UTF8.self).matches(of: /\/Type\s*\/Page[^s]/).count
            #expect(pages >= 1, "\(page.name)")
        }
    }

    @Test(.enabled(if: isWanted, "\(missing)")) func `a page with an error is found out`() throws {
        let found = try Browser.look(at: "<body><script>undefinedFunction()</script>", width: 800)
        #expect(!found.errors.isEmpty)
    }
}
