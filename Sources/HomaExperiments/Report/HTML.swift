// SPDX-License-Identifier: Apache-2.0

/// Pieces of HTML.
enum HTML {
    /// Text that may stand between tags and inside quotes.
    static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    /// A table that scrolls by itself where the page is narrow.
    static func table(_ columns: [String], _ rows: [[String]], className: String = "") -> String {
        let head = columns.map { "<th scope=\"col\">\(escape($0))</th>" }.joined()
        let body = rows.map { "<tr>\($0.joined())</tr>" }.joined(separator: "\n")
        return """
            <div class="scroll"><table class="\(className)"><thead><tr>\(head)</tr></thead>
            <tbody>\(body)</tbody></table></div>
            """
    }

    static func cell(_ figure: Figure) -> String {
        switch figure {
        case .text(let text): "<td class=\"\(mood(text))\">\(escape(text))</td>"
        default: "<td class=\"number\">\(escape(figure.text))</td>"
        }
    }

    /// Words that a matrix colours.
    private static func mood(_ text: String) -> String {
        switch text.prefix(while: { $0 != " " && $0 != ":" }) {
        case "yes": "good"
        case "no": "bad"
        case "tight": "fair"
        default: "text"
        }
    }

    /// Everything the page looks like. Two series of eight colours that can be told apart by most eyes (after Okabe and
    /// Ito), for light and for dark paper.
    static let style = """
        :root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--paper:#fff;--card:#f6f8fa;--rule:#d1d9e0;\
        --good:#1a7f37;--bad:#b3261e;--fair:#8a5a00;--s0:#0072b2;--s1:#d55e00;--s2:#007f5f;--s3:#a3478c;--s4:#8a6d00;\
        --s5:#3a86c8;--s6:#333;--s7:#b8860b}
        @media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--paper:#0d1117;--card:#161b22;\
        --rule:#30363d;--good:#4ac26b;--bad:#ff7b72;--fair:#e3b341;--s0:#56b4e9;--s1:#ff9e4a;--s2:#2fc99b;--s3:#e08fce;\
        --s4:#e6d34a;--s5:#8cc8ff;--s6:#ccc;--s7:#f0c674}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:68rem;padding:1rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);\
        background:var(--paper)}
        h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.3rem;margin:0 0 .4rem}
        h2 code{font-size:.8em;color:var(--soft);font-weight:400}
        p{margin:.5rem 0}.soft{color:var(--soft)}a{color:var(--s0)}
        section{border-top:1px solid var(--rule);padding:1.2rem 0}
        .scroll{overflow-x:auto;margin:.6rem 0}table{border-collapse:collapse;width:100%;font-size:.86rem}
        th,td{border-bottom:1px solid var(--rule);padding:.35rem .6rem;text-align:left;vertical-align:top}
        th{color:var(--soft);font-weight:600}td.number{text-align:right;font-variant-numeric:tabular-nums;\
        white-space:nowrap}
        .good,.reproduced{color:var(--good);font-weight:600}.bad,.not{color:var(--bad);font-weight:600}
        .fair{color:var(--fair);font-weight:600}.answered{color:var(--s0);font-weight:600}
        figure{margin:1rem 0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:.8rem}
        figcaption{font-weight:600;margin-bottom:.4rem}svg.chart{display:block;width:100%;height:auto}
        .grid{stroke:var(--rule);stroke-width:1}.tick,.level-label,.mark-label{font-size:13px;fill:var(--soft)}
        .axis-label{font-size:14px;fill:var(--ink)}.level{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:6 4}
        .line{fill:none;stroke-width:2}.mark{stroke:var(--card);stroke-width:1}
        .legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;margin:.4rem 0 0;padding:0;font-size:.86rem}
        .key{width:16px;height:16px;vertical-align:-3px;margin-right:.35rem}
        pre{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:.6rem;overflow-x:auto;\
        font-size:.8rem}details{margin:.5rem 0}summary{cursor:pointer}
        .s0{stroke:var(--s0);--c:var(--s0)}.s1{stroke:var(--s1);--c:var(--s1)}.s2{stroke:var(--s2);--c:var(--s2)}\
        .s3{stroke:var(--s3);--c:var(--s3)}.s4{stroke:var(--s4);--c:var(--s4)}.s5{stroke:var(--s5);--c:var(--s5)}\
        .s6{stroke:var(--s6);--c:var(--s6)}.s7{stroke:var(--s7);--c:var(--s7)}.mark{fill:var(--c)}
        @media print{:root{--paper:#fff;--ink:#000;--card:#fff;--rule:#bbb;--soft:#444;--s0:#0072b2;--s1:#d55e00;\
        --s2:#007f5f;--s3:#a3478c;--s4:#8a6d00;--s5:#3a86c8;--s6:#333;--s7:#b8860b;--good:#1a7f37;--bad:#b3261e}\
        body{max-width:none;font-size:10pt}figure,tr{break-inside:avoid}.scroll{overflow:visible}\
        pre{white-space:pre-wrap;overflow-wrap:anywhere}details>*{display:block}}
        @media(max-width:36rem){body{font-size:15px;padding:.7rem}.tick,.level-label,.mark-label{font-size:19px}\
        .axis-label{font-size:20px}}
        """
}
