// SPDX-License-Identifier: Apache-2.0

/// A JSON text as a value (RFC 8259).
///
/// Foundation's reader makes numbers binary, forgets the order of keys and takes the last of two equal ones. A scenario
/// is written by hand: 0.1 has to stay 0.1, a seed keeps its 64 bits, and a key given twice is a mistake to be told.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number exactly as it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// Members in the order in which they were written, each key once.
    case object([Member])

    /// A key and its value.
    public struct Member: Equatable, Sendable {
        public var key: String
        public var value: JSONValue

        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }
}

extension JSONValue {
    /// A whole number.
    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// A number, or null for what JSON cannot say (infinities, not a number).
    ///
    /// Swift writes the shortest digits that read back as the same number, on every machine.
    public static func double(_ value: Double) -> JSONValue {
        guard value.isFinite else { return .null }
        if value == value.rounded(), abs(value) < 1e15 { return .number(String(Int64(value))) }
        return .number("\(value)")
    }

    /// The member's value; nil when this is no object or has no such key.
    public subscript(key: String) -> JSONValue? {
        get { members?.first { $0.key == key }?.value }
        set {
            guard var members else { return }
            let place = members.firstIndex { $0.key == key }
            switch (place, newValue) {
            case (let place?, let value?): members[place].value = value
            case (let place?, nil): members.remove(at: place)
            case (nil, let value?): members.append(Member(key, value))
            case (nil, nil): return
            }
            self = .object(members)
        }
    }

    /// The members of an object.
    public var members: [Member]? { if case .object(let members) = self { members } else { nil } }
    /// The elements of an array.
    public var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    /// The text of a string.
    public var text: String? { if case .string(let text) = self { text } else { nil } }
    /// The number, rounded to binary.
    public var number: Double? { if case .number(let digits) = self { Double(digits) } else { nil } }
    /// The number when it is whole and fits.
    public var integer: Int? { if case .number(let digits) = self { Int(digits) } else { nil } }

    /// What it is, as an error message calls it.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a text"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
