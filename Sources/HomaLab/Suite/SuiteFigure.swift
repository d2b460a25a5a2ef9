// SPDX-License-Identifier: Apache-2.0

import HomaBench

/// What became of one measure.
package struct SuiteFigure: Sendable {
    /// A measured value with what it was compared with.
    struct Result: Sendable {
        /// The measure's value in every run.
        var values: [Double]
        /// Whom it was measured against, such as `tcp`.
        var rival: String?
        /// The two figures that a ratio was made of, in every run.
        var own: [Double] = []
        var rivals: [Double] = []
        /// What else a reader should know.
        var remark: String?

        var value: Double { SuiteFigure.median(values) }
    }

    enum Outcome: Sendable {
        case measured(Result)
        /// It cannot be measured here, and why.
        case skipped(String)
        /// It should have been measured, and why it was not.
        case failed(String)
    }

    var measure: SuiteMeasure
    var outcome: Outcome

    var result: Result? {
        if case .measured(let result) = outcome { result } else { nil }
    }

    /// With an even number of values the mean of the two in the middle.
    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The figure as one JSON object on one line.
    func jsonLine(slack: Double, environment: RunEnvironment, context: [(String, ResultRecord.Field)]) -> String {
        var record = ResultRecord(measure: measure.rawValue, value: result?.value ?? .nan, unit: measure.unit)
        if let result, let rival = result.rival {
            // The rival's figure is in the unit of the parts; a ratio of the two says nothing new.
            record = record.named(rival: rival, value: Self.median(result.rivals))
            record = record.with("homa_value", Self.median(result.own)).with("parts_unit", measure.partsUnit)
        } else {
            record = record.withoutRival()
        }
        switch outcome {
        case .measured: break
        case .skipped(let why): record = record.with("skipped", why)
        case .failed(let why): record = record.with("failed", why)
        }
        if let (relation, limit) = measure.wanted {
            record = record.with("limit", limit).with("relation", relation.rawValue)
            if let result { record = record.with("met", .flag(measure.isMet(result.value, slack: slack))) }
            if slack != 1 { record = record.with("slack", slack) }
        } else {
            record = record.with("limit", .none)
        }
        record = record.with("runs", result?.values.count ?? 0)
        if let result {
            record = record.with("run_values", .numbers(result.values))
            if let remark = result.remark { record = record.with("remark", remark) }
        }
        for (key, value) in context { record = record.with(key, value) }
        return environment.annotate(record).jsonLine
    }
}
