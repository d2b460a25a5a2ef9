// SPDX-License-Identifier: Apache-2.0

public import HomaSim

/// One thing wrong with a scenario: where, what stands there, and what may.
public enum ScenarioProblem: Equatable, Sendable, CustomStringConvertible {
    /// A value that is not permitted, or of the wrong kind.
    case wrong(ScenarioError)
    /// A key that nothing is known by; with what may have been meant.
    case unknownKey(field: String, value: String, suggestion: String?, known: [String])

    /// The path of the key, such as `topology.hosts`.
    public var field: String {
        switch self {
        case .wrong(let error): error.field
        case .unknownKey(let field, _, _, _): field
        }
    }

    public var description: String {
        switch self {
        case .wrong(let error): "\(error)"
        case .unknownKey(let field, let value, let suggestion, let known):
            "\(field) (\(value)) is no key of a scenario"
                + (suggestion.map { "; did you mean \($0)?" } ?? ".") + " Keys here: " + known.joined(separator: ", ")
        }
    }
}

/// Everything wrong with a scenario, in the order of its text.
public struct ScenarioFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// At least one.
    public var problems: [ScenarioProblem]

    public init(_ problems: [ScenarioProblem]) { self.problems = problems }

    public var description: String { problems.map { "\($0)" }.joined(separator: "\n") }
}

/// Collects problems while a scenario is read, so that all can be told at once.
final class ProblemList {
    private(set) var problems: [ScenarioProblem] = []

    func add(_ problem: ScenarioProblem) {
        // One wrong key is told once, however many rules it breaks.
        if !problems.contains(where: { $0.field == problem.field }) { problems.append(problem) }
    }

    func add(_ field: String, _ value: JSONValue, _ permitted: String) {
        add(.wrong(ScenarioError(field: field, value: value.description, permitted: permitted)))
    }
}
