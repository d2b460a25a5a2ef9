// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios

/// Writes the report's files.
public struct ReportFiles {
    private let reports: [ExperimentReport]

    public init(_ reports: [ExperimentReport]) { self.reports = reports }

    /// Writes `index.html`, `claims.jsonl` and a CSV file for each table; gives their paths. The folder is made unless
    /// it is there; what it lies in has to be.
    public func write(to folder: String, machine: String) throws -> [String] {
        try OutputFolder.make(folder)
        var files = [("index.html", ReportPage(reports, machine: machine).render()), ("claims.jsonl", claims)]
        for report in reports {
            for (index, table) in report.findings.tables.enumerated() {
                let number = report.findings.tables.count > 1 ? "-\(index + 1)" : ""
                files.append(("\(report.experiment.name)\(number).csv", table.csv))
            }
        }
        return try files.map { name, text in
            let path = "\(folder)/\(name)"
            try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
            return path
        }
    }

    /// A JSON object for each claim, a line each.
    public var claims: String {
        reports.flatMap { report in
            report.findings.claims.map { $0.json(experiment: report.experiment.name).description + "\n" }
        }.joined()
    }
}
