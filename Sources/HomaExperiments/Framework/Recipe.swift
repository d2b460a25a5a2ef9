// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import HomaSim

/// A scenario in the making: a short JSON and changes to it.
///
/// What it says is all that a command needs to repeat the run: everything else is the scenario format's defaults.
struct Recipe: Equatable, Sendable {
    private(set) var document: JSONValue

    /// From a JSON text, which must be one.
    init(_ text: String) {
        do {
            document = try JSONValue(parsing: text)
        } catch {
            preconditionFailure("a built-in scenario is no JSON: \(error)")
        }
    }

    /// The same with a key set. `load`, `workload`, … are short as on the command line.
    func with(_ path: String, _ value: JSONValue) -> Recipe {
        var copy = self
        Override(path: Override.shortNames[path] ?? path, value: value).apply(to: &copy.document)
        return copy
    }

    func with(_ path: String, _ value: Int) -> Recipe { with(path, .integer(value)) }
    func with(_ path: String, _ value: Double) -> Recipe { with(path, .double(rounded(value, digits: 12))) }
    func with(_ path: String, _ value: String) -> Recipe { with(path, .string(value)) }
    func with(_ path: String, _ value: Bool) -> Recipe { with(path, .bool(value)) }

    /// One pool of so many bytes in every leaf.
    func sharedPool(_ bytes: Double) -> Recipe {
        with("topology.leaf.buffer", "shared").with("topology.leaf.buffer_bytes", max(20_000, Int(bytes)))
    }

    /// No limit of memory anywhere.
    func unlimited() -> Recipe {
        with("topology.leaf.buffer", "unlimited").with("topology.leaf.buffer_bytes", .null)
    }

    func scenario() throws -> Scenario { try Scenario(json: document) }

    /// What repeats the run.
    var command: String { "homa sim run '\(document.description.replacing("'", with: "'\\''"))' --json" }
}
