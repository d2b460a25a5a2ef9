// SPDX-License-Identifier: Apache-2.0

/// A scenario that cannot be run: names the field, its value and what is allowed instead.
public struct ScenarioError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path of the field in a scenario file, such as `topology.hosts`.
    public var field: String
    /// The value as given.
    public var value: String
    /// What is allowed.
    public var permitted: String

    public init(field: String, value: String, permitted: String) {
        self.field = field
        self.value = value
        self.permitted = permitted
    }

    public var description: String { "\(field) is \(value), but must be \(permitted)" }
}
