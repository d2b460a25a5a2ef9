// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaBench

/// The suite's result as an entry for docs/measurements: what its README asks of one, without the reading, which is
/// for a person to write.
package struct SuiteEntry {
    let report: SuiteReport

    package init(_ report: SuiteReport) { self.report = report }

    /// Writes the entry and, beside it, the raw records. Never over a file that is there.
    ///
    /// - Returns: the path of the entry.
    package func write(into folder: String) throws -> String {
        let day = Self.today()
        var (stem, number) = ("\(folder)/\(day)-suite", 1)
        while FileManager.default.fileExists(atPath: stem + ".md")
            || FileManager.default.fileExists(atPath: stem + ".jsonl")
        {
            number += 1
            stem = "\(folder)/\(day)-suite-\(number)"
        }
        try Data(text(records: String(stem.split(separator: "/").last ?? "")).utf8)
            .write(to: URL(fileURLWithPath: stem + ".md"))
        try Data((report.jsonLines + stepLines).map { $0 + "\n" }.joined().utf8)
            .write(to: URL(fileURLWithPath: stem + ".jsonl"))
        return stem + ".md"
    }

    /// Every run of every step.
    private var stepLines: [String] {
        SuiteStep.allCases.flatMap { step in
            (report.rounds.samples[step] ?? []).enumerated().map { run, value in
                ResultRecord(measure: "step", value: value, unit: step.unit).with("step", step.rawValue)
                    .with("run", run + 1).jsonLine
            }
        }
    }

    func text(records: String) -> String {
        let command = "homa " + CommandLine.arguments.dropFirst().joined(separator: " ")
        let sections = [
            "# The suite\(report.plan.quick ? ", quick" : "")",
            "**Question.** What is each line of the performance record on this machine, and is it what is wanted?",
            "**Command.**\n\n```sh\n\(command)\n```",
            "**Machine.** \(report.environment.summary).",
            "**Path.** \(report.path).",
            "**Build.** \(report.environment.build), \(Self.compiler)\(Self.commit().map { ", \($0)" } ?? "").",
            "**Configuration.** Seed \(report.plan.seed), \(report.plan.count) runs of each step, in turns; "
                + SuiteReport.configuration + ".",
            "## Result\n\nMedians over the runs; ratios are medians of each run's ratio.\n\n"
                + report.figureTable(.markdown),
            report.remarks.joined(separator: "\n"),
            "Steps:\n\n" + report.stepTable(.markdown),
            "**Health.** \(report.health.description).",
            "**Raw records.** [\(records).jsonl](\(records).jsonl).",
        ]
        return sections.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
    }

    private static func today() -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "yyyy-MM-dd"
        return format.string(from: Date())
    }

    private static var compiler: String {
        #if swift(>=6.4)
            "Swift 6.4 or later"
        #elseif swift(>=6.3)
            "Swift 6.3"
        #else
            "Swift 6.2 or earlier"
        #endif
    }

    /// The commit of the work tree that the program lies in; nil outside of one.
    private static func commit() -> String? {
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
        let output = try? SystemCommand("git", "-C", program, "describe", "--always", "--dirty").run()
        return output.map { "work tree at " + $0.filter { !$0.isNewline } }
    }
}
