// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios
import Testing

@testable import HomaExperiments

/// The report in a real browser: Debian's `chromium`, without a window.
@Suite(.serialized) struct BrowserTests {
    static let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

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

    /// Looks at the page as laid out and writes what it finds into an element that the dump shows.
    private static let probe = """
        <script>window.addEventListener('load',()=>{const f=[];for(const s of document.querySelectorAll('svg.chart')){\
        const b=s.getBoundingClientRect();const inside=e=>{const r=e.getBoundingClientRect();return r.width>0\
        &&r.height>0&&r.left>=b.left-1&&r.right<=b.right+1&&r.top>=b.top-1&&r.bottom<=b.bottom+1};\
        f.push({marks:[...s.querySelectorAll('.mark')].filter(inside).length,\
        axes:[...s.querySelectorAll('.axis-label')].filter(e=>inside(e)&&/\\(.+\\)/.test(e.textContent)).length,\
        ticks:[...s.querySelectorAll('.tick')].filter(inside).length})}\
        const p=document.createElement('pre');p.id='probe';p.textContent=JSON.stringify({charts:f,\
        width:document.documentElement.scrollWidth,window:window.innerWidth,\
        dark:getComputedStyle(document.body).backgroundColor});document.body.append(p)})</script>
        """

    @Test(.enabled(if: browser != nil, "no chromium: apt-get install chromium"))
    func `the report loads without errors, and every chart has marks and labelled axes with units`() throws {
        let page = ReportPage([Self.report], machine: "a machine").render()
        let found = try Self.look(at: page, width: 1000)
        #expect(found.errors.isEmpty, "\(found.errors)")
        let charts = try #require(found.probe["charts"]?.elements)
        #expect(charts.count == 1)
        for chart in charts {
            #expect(chart["marks"]?.integer == 4)
            #expect(chart["axes"]?.integer == 2)
            #expect((chart["ticks"]?.integer ?? 0) >= 4)
        }
    }

    @Test(.enabled(if: browser != nil, "no chromium: apt-get install chromium"), arguments: [500, 1400])
    func `the report fits narrow and wide windows`(width: Int) throws {
        let found = try Self.look(at: ReportPage([Self.report], machine: "a machine").render(), width: width)
        let shown = try #require(found.probe["window"]?.integer)
        #expect((found.probe["width"]?.integer ?? .max) <= shown)
    }

    @Test(.enabled(if: browser != nil, "no chromium: apt-get install chromium"))
    func `a page with an error is found out`() throws {
        let found = try Self.look(at: "<body><script>undefinedFunction()</script>", width: 800)
        #expect(!found.errors.isEmpty)
    }

    private static func look(at page: String, width: Int) throws -> (probe: JSONValue, errors: [String]) {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/page.html"
        try Data((page + probe).utf8).write(to: URL(filePath: path))
        let process = Process()
        process.executableURL = URL(filePath: try #require(browser))
        process.arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--user-data-dir=\(folder.path)/profile", "--window-size=\(width),900",
            "--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", "file://\(path)",
        ]
        let errorPath = "\(folder.path)/errors"
        _ = FileManager.default.createFile(atPath: errorPath, contents: nil)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: URL(filePath: errorPath))
        try process.run()
        let dom = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        let log = try String(contentsOfFile: errorPath, encoding: .utf8)
        let text = dom.firstMatch(of: /<pre id="probe">(.*?)<\/pre>/).map { String($0.1) }
        let json = try JSONValue(parsing: try #require(text, "the page did not load: \(log.suffix(2000))"))
        return (json, log.split(separator: "\n").filter { $0.contains("CONSOLE") }.map(String.init))
    }
}
