// SPDX-License-Identifier: Apache-2.0

/// A configuration that no endpoint can run with: names the setting, its value and the permitted range.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    public var setting: String
    public var value: String
    public var permitted: String

    public init(setting: String, value: String, permitted: String) {
        self.setting = setting
        self.value = value
        self.permitted = permitted
    }

    public var description: String { "\(setting) is \(value), but must be \(permitted)" }
}
