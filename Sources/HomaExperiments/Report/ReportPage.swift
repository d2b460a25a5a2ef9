// SPDX-License-Identifier: Apache-2.0

/// The report: one page that needs nothing but itself.
public struct ReportPage {
    private let reports: [ExperimentReport]
    private let machine: String

    /// - Parameter machine: what the program ran on and how it was built, in a line.
    public init(_ reports: [ExperimentReport], machine: String) {
        self.reports = reports
        self.machine = machine
    }

    public func render() -> String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="data:,">
        <title>swift-homa: experiments</title><style>\(HTML.style)</style></head>
        <body><header><h1>Homa and buffers: every claim, measured</h1>
        <p>Each line of the first table is a sentence or a question of the literature, with the published figure and
        ours. Verdicts are worked out from the figures and the tolerance; nothing is written down by hand. Figures are
        simulated, with the protocol core that the library ships, unless an experiment says otherwise.</p>
        <p class="soft">\(HTML.escape(machine)). \(tally)</p></header>
        <main><section id="summary"><h2>Summary</h2>\(summary)</section>
        \(reports.map(section).joined(separator: "\n"))</main></body></html>

        """
    }

    private var tally: String {
        let verdicts = reports.flatMap(\.findings.claims).map(\.verdict)
        return Verdict.allCases.map { verdict in "\(verdicts.count { $0 == verdict }) \(verdict.rawValue)" }
            .joined(separator: ", ") + "."
    }

    private var summary: String {
        let rows = reports.flatMap { report in
            report.findings.claims.map { claim in
                [
                    "<td><a href=\"#\(report.experiment.name)\">\(HTML.escape(claim.claim))</a></td>",
                    HTML.cell(claim.published), HTML.cell(claim.ours), "<td>\(HTML.escape(claim.unit))</td>",
                    Self.verdict(claim.verdict),
                ]
            }
        }
        return HTML.table(["claim or question", "published", "ours", "unit", "verdict"], rows, className: "summary")
    }

    private static func verdict(_ verdict: Verdict) -> String {
        "<td class=\"\(verdict.rawValue)\">\(verdict.rawValue)</td>"
    }

    private func section(_ report: ExperimentReport) -> String {
        let findings = report.findings
        let claims = findings.claims.map { claim in
            [
                "<td>\(HTML.escape(claim.claim))<br><span class=\"soft\">\(HTML.escape(claim.source))</span></td>",
                HTML.cell(claim.published), HTML.cell(claim.ours), "<td>\(HTML.escape(claim.unit))</td>",
                "<td>\(HTML.escape(claim.tolerance.text))</td>", Self.verdict(claim.verdict),
                "<td>\(HTML.escape(claim.why))</td>",
            ]
        }
        let table = HTML.table(["claim", "published", "ours", "unit", "tolerance", "verdict", "why"], claims)
        let charts = findings.charts.map { ChartSVG($0).render() }.joined(separator: "\n")
        let remarks = findings.remarks.map { "<p>\(HTML.escape($0))</p>" }.joined()
        let tables = findings.tables.map(Self.table).joined(separator: "\n")
        return """
            <section id="\(report.experiment.name)"><h2>\(HTML.escape(report.experiment.title))
            <code>\(report.experiment.name)</code></h2>
            <p><b>Question.</b> \(HTML.escape(report.experiment.question))</p>
            <p><b>Method.</b> \(HTML.escape(report.experiment.method))</p>
            \(table)\(charts)\(remarks)\(tables)\(commands(report))</section>
            """
    }

    private static func table(_ table: DataTable) -> String {
        let rows = table.rows.map { $0.map(HTML.cell) }
        return
            "<details open><summary>\(HTML.escape(table.title))</summary>\(HTML.table(table.columns, rows))</details>"
    }

    private func commands(_ report: ExperimentReport) -> String {
        let failures = report.failures.map { "<p class=\"bad\">failed: \(HTML.escape($0))</p>" }.joined()
        let others =
            report.pointsOfOtherBuilds == 0
            ? "" : " \(report.pointsOfOtherBuilds) of them were made by another build of the program."
        let own = "homa experiment run \(report.experiment.name)\(report.scale == .quick ? " --quick" : "")"
        let list =
            report.commands.isEmpty
            ? ""
            : "<details><summary>Command of each point</summary><pre>"
                + report.commands.map(HTML.escape).joined(separator: "\n") + "</pre></details>"
        return """
            \(failures)<p class="soft">\(report.scale.rawValue) form, \(report.points) points.\(others) The seed is 1
            where the command names no other.</p><pre>\(HTML.escape(own))</pre>\(list)
            """
    }
}
