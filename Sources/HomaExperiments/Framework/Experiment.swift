// SPDX-License-Identifier: Apache-2.0

/// How long an experiment's simulations are.
public enum Scale: String, Sendable, CaseIterable {
    /// Short runs and few points: all experiments within five minutes on two cores.
    case quick
    /// Runs long enough for the figures to be quoted; hours for all.
    case full
}

/// What an experiment found out, all worked out from results.
public struct Findings: Equatable, Sendable {
    public var claims: [Claim] = []
    public var charts: [Chart] = []
    public var tables: [DataTable] = []
    /// What else a reader has to know, a paragraph each.
    public var remarks: [String] = []

    public init() {}
}

/// A claim of the literature, or an open question, that one command answers.
///
/// An experiment is a function of results: it asks its ``Laboratory`` for the results of scenarios and works out its
/// findings from them. What is not there yet has no figures; it is then run, and the experiment is asked again. So an
/// experiment may ask for a scenario that depends on another's result, as a search does, and what is finished is kept.
public struct Experiment: Sendable {
    /// What commands call it.
    public let name: String
    public let title: String
    /// What is to be found out.
    public let question: String
    /// How.
    public let method: String
    let evaluate: @Sendable (inout Laboratory) throws -> Findings

    public init(
        name: String, title: String, question: String, method: String,
        evaluate: @escaping @Sendable (inout Laboratory) throws -> Findings
    ) {
        self.name = name
        self.title = title
        self.question = question
        self.method = method
        self.evaluate = evaluate
    }
}

/// An experiment with what it found.
public struct ExperimentReport: Sendable {
    public var experiment: Experiment
    public var scale: Scale
    public var findings: Findings
    /// Results that the findings rest on.
    public var points: Int
    /// Results among them that another build of the program made.
    public var pointsOfOtherBuilds: Int
    /// Scenarios that could not be simulated, with the reason.
    public var failures: [String]
    /// A command for each scenario, in the order in which they were asked for.
    public var commands: [String]

    /// One verdict for all claims: not reproduced when one of them is not; answered when there are only questions.
    public var verdict: Verdict {
        let all = findings.claims.map(\.verdict)
        if all.isEmpty || all.contains(.notReproduced) { return .notReproduced }
        return all.contains(.reproduced) ? .reproduced : .answered
    }
}
