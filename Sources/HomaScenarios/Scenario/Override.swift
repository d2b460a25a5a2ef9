// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a `PATH=VALUE` of the command line.
public struct OverrideError: Error, Equatable, Sendable, CustomStringConvertible {
    /// As it was written.
    public var text: String
    public var problem: String

    public init(text: String, problem: String) {
        self.text = text
        self.problem = problem
    }

    public var description: String { "'\(text)' \(problem)" }
}

/// One key of a scenario set from the command line, such as `traffic.load=0.6`.
public struct Override: Equatable, Sendable {
    /// The key's path from the top of the scenario, joined by dots.
    public var path: String
    public var value: JSONValue

    public init(path: String, value: JSONValue) {
        self.path = path
        self.value = value
    }

    /// Reads `PATH=VALUE`. The value is JSON, or else a text: `w4` needs no quotes.
    public init(parsing text: String) throws(OverrideError) {
        let (path, value) = try Self.split(text)
        self.init(path: Self.fullPath(path), value: Self.value(value))
    }

    /// Short names of the keys that are varied most.
    public static let shortNames = [
        "load": "traffic.load", "workload": "traffic.workload", "pattern": "traffic.pattern",
        "preset": "transport.preset", "messages": "length.messages",
    ]

    static func fullPath(_ path: String) -> String { shortNames[path] ?? path }

    static func split(_ text: String) throws(OverrideError) -> (path: String, value: String) {
        guard let equals = text.firstIndex(of: "=") else {
            throw OverrideError(text: text, problem: "has no '='; write, for example, traffic.load=0.8")
        }
        let path = text[..<equals]
        guard !path.split(separator: ".", omittingEmptySubsequences: false).contains("") else {
            throw OverrideError(text: text, problem: "names no key; write, for example, traffic.load=0.8")
        }
        return (String(path), String(text[text.index(after: equals)...]))
    }

    static func value(_ text: String) -> JSONValue { (try? JSONValue(parsing: text)) ?? .string(text) }

    /// Sets the key in a scenario's JSON. Objects on the way are made, and a preset's name becomes an object with it.
    ///
    /// A section set to its own name (`transport=homa` where it is homa) keeps its settings; another name replaces all.
    /// Where the key does not exist or the value is wrong is found out when the whole is read.
    public func apply(to document: inout JSONValue) {
        document = Self.setting(path.split(separator: ".")[...].map(String.init)[...], to: value, in: document, at: "")
    }

    /// Applies many: whole sections before their keys, since a section would wipe them out; otherwise in order.
    public static func apply(_ overrides: [Override], to document: inout JSONValue) {
        let sorted = overrides.enumerated().sorted { ($0.element.depth, $0.offset) < ($1.element.depth, $1.offset) }
        for (_, override) in sorted { override.apply(to: &document) }
    }

    private var depth: Int { path.count { $0 == "." } }

    /// What a text in place of an object stands for: `"topology": "fabric-10g"` names a preset, `"transport": "homa"` a
    /// kind.
    private static func nameKey(_ path: String) -> String { path == "transport" ? "kind" : "preset" }

    private static func setting(
        _ keys: ArraySlice<String>, to value: JSONValue, in document: JSONValue, at path: String
    ) -> JSONValue {
        guard let key = keys.first else { return value }
        var object = document
        if let text = document.text { object = .object([.init(nameKey(path), .string(text))]) }
        if object.members == nil { object = .object([]) }
        let inner = path.isEmpty ? key : "\(path).\(key)"
        if keys.count == 1, let name = value.text, let old = object[key], old[nameKey(inner)]?.text == name {
            // The transport is already homa: its settings stay. Another one would start from its own.
            return object
        }
        object[key] = setting(keys.dropFirst(), to: value, in: object[key] ?? .null, at: inner)
        return object
    }
}
