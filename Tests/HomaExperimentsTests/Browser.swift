// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios
import Testing

/// Chromium without a window.
enum Browser {
    static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Looks at the page as laid out and writes what it finds into an element that the dump shows.
    private static let probe = """
        <script>addEventListener('load',()=>{const f=[];for(const s of document.querySelectorAll('svg.chart')){\
        const b=s.getBoundingClientRect();const inside=e=>{const r=e.getBoundingClientRect();return r.width>0\
        &&r.height>0&&r.left>=b.left-1&&r.right<=b.right+1&&r.top>=b.top-1&&r.bottom<=b.bottom+1};\
        const marks=[...s.querySelectorAll('.mark')];\
        const card=getComputedStyle(s.closest('figure')).backgroundColor;\
        f.push({title:s.getAttribute('aria-label'),marks:marks.filter(inside).length,\
        outside:marks.filter(e=>!inside(e)).length,\
        pale:marks.filter(e=>{const c=getComputedStyle(e).fill;return c==card||c=='none'||c=='rgb(0, 0, 0)'}).length,\
        axes:[...s.querySelectorAll('.axis-label')].filter(e=>inside(e)&&/\\(.+\\)/.test(e.textContent)).length,\
        ticks:[...s.querySelectorAll('.tick')].filter(inside).length})}\
        const c=getComputedStyle(document.body);const d=parent.document;const p=d.createElement('pre');p.id='probe';\
        p.textContent=JSON.stringify({charts:f,width:document.documentElement.scrollWidth,window:innerWidth,\
        paper:c.backgroundColor,ink:c.color});d.body.append(p)})</script>
        """

    /// What the probe finds in a window so wide, and what the console says. The page is in a frame: windows have a
    /// least width, frames have none.
    static func look(
        at page: String, width: Int, isDark: Bool = false
    ) throws -> (probe: JSONValue, errors: [String]) {
        let inner = (page + probe).replacing("&", with: "&amp;").replacing("\"", with: "&quot;")
        let outer = """
            <!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,"><body>\
            <iframe width="\(width)" height="800" style="border:0" srcdoc="\(inner)"></iframe>
            """
        let run = try Run(outer, ["--dump-dom", "--blink-settings=preferredColorScheme=\(isDark ? 0 : 1)"])
        let dom = String(decoding: run.output, as: UTF8.self)
        let text = dom.matches(of: /<pre id="probe">(.*?)<\/pre>/).last.map { String($0.1) }
        let json = try JSONValue(
            parsing: try #require(text, "the page did not load: \(run.log.suffix(2000))")
                .replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&amp;", with: "&"))
        return (json, run.log.split(separator: "\n").filter { $0.contains("CONSOLE") }.map(String.init))
    }

    /// The page as PDF.
    static func print(_ page: String) throws -> Data {
        let folder = try TemporaryFolder()
        let pdf = "\(folder.path)/page.pdf"
        let run = try Run(page, ["--no-pdf-header-footer", "--print-to-pdf=\(pdf)"])
        return try #require(FileManager.default.contents(atPath: pdf), "nothing was printed: \(run.log.suffix(2000))")
    }

    /// One process of the browser.
    private struct Run {
        var output: Data
        var log: String

        init(_ page: String, _ arguments: [String]) throws {
            let folder = try TemporaryFolder()
            let path = "\(folder.path)/page.html"
            try Data(page.utf8).write(to: URL(filePath: path))
            let process = Process()
            process.executableURL = URL(filePath: try #require(Browser.path, "there is no chromium"))
            process.arguments =
                [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                    "--disable-background-networking", "--user-data-dir=\(folder.path)/profile",
                    "--window-size=1600,900", "--enable-logging=stderr", "--virtual-time-budget=5000",
                ] + arguments + ["file://\(path)"]
            let errorPath = "\(folder.path)/errors"
            _ = FileManager.default.createFile(atPath: errorPath, contents: nil)
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = try FileHandle(forWritingTo: URL(filePath: errorPath))
            try process.run()
            output = try pipe.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            log = try String(contentsOfFile: errorPath, encoding: .utf8)
        }
    }
}
