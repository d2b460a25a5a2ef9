// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBench
import HomaPosix

/// Demands on a result, and what becomes of them.
struct ThresholdOptions: ParsableArguments {
    @Option(
        help: """
            Fail (exit status 1) unless this holds, e.g. 'p99<50us' or 'rate>100000'. May be repeated. Failed and \
            unfinished requests fail the command too, unless 'errors<N' permits so many; they count in every \
            percentile as the longest.
            """)
    var threshold: [String] = []

    func validate() throws { _ = try parsed() }

    func parsed() throws -> [Threshold] { try threshold.map { text in try usage { try Threshold(text) } } }

    /// Reports each threshold on standard error. False when one is missed, or when anything failed or was left
    /// unfinished and no threshold on errors says how much of that is permitted.
    func areMet(by subject: some ThresholdSubject) throws -> Bool {
        let thresholds = try parsed()
        var isGood = true
        for threshold in thresholds {
            let isMet = threshold.holds(for: subject)
            note("threshold \(threshold): \(isMet ? "met" : "MISSED"), \(threshold.outcome(for: subject))")
            isGood = isGood && isMet
        }
        if !thresholds.contains(where: { $0.quantity == .errors }) {
            isGood = try arePermitted(errorsOf: subject) && isGood
        }
        return isGood
    }

    /// True when no more failed or was left unfinished than the thresholds on errors permit; without one, nothing may.
    func arePermitted(errorsOf subject: some ThresholdSubject, _ name: String? = nil) throws -> Bool {
        let thresholds = try parsed().filter { $0.quantity == .errors }
        let errors = subject.value(of: .errors) ?? 0
        guard errors > 0 else { return true }
        guard thresholds.isEmpty || !thresholds.allSatisfy({ $0.holds(for: subject) }) else { return true }
        let prefix = name.map { "\($0): " } ?? ""
        note(
            "\(prefix)\(fixed(errors, 0)) requests failed or were left unfinished; --threshold 'errors<N' permits some")
        return false
    }
}
