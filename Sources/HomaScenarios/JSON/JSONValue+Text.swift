// SPDX-License-Identifier: Apache-2.0

extension JSONValue: CustomStringConvertible {
    /// The value as one line of JSON without spaces. Equal values give equal bytes.
    public var description: String {
        var out = ""
        write(to: &out, comma: ",", colon: ":")
        return out
    }

    /// The value as one line with spaces, for people.
    private var spaced: String {
        var out = ""
        write(to: &out, comma: ", ", colon: ": ")
        return out
    }

    private func write(to out: inout String, comma: String, colon: String) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .number(let digits): out += digits
        case .string(let text): Self.writeQuoted(text, to: &out)
        case .array(let elements):
            out += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { out += comma }
                element.write(to: &out, comma: comma, colon: colon)
            }
            out += "]"
        case .object(let members):
            out += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { out += comma }
                Self.writeQuoted(member.key, to: &out)
                out += colon
                member.value.write(to: &out, comma: comma, colon: colon)
            }
            out += "}"
        }
    }

    /// The value over several lines, for people. What fits a line of 100 characters stays on one, and plain values
    /// share lines.
    public func pretty(indent: Int = 0) -> String {
        let flat = spaced
        guard flat.count + indent > 100 else { return flat }
        switch self {
        case .array(let elements):
            return Self.block("[", elements.map { ("", $0) }, "]", indent: indent)
        case .object(let members):
            return Self.block("{", members.map { ("\(JSONValue.string($0.key)): ", $0.value) }, "}", indent: indent)
        default: return flat
        }
    }

    private static func block(
        _ opening: String, _ parts: [(label: String, value: JSONValue)], _ closing: String, indent: Int
    ) -> String {
        let margin = String(repeating: " ", count: indent + 2)
        var lines: [String] = []
        var open = false
        for (index, part) in parts.enumerated() {
            let text = part.label + part.value.pretty(indent: indent + 2) + (index < parts.count - 1 ? "," : "")
            if open, part.value.isPlain, let last = lines.last, last.count + text.count < 100 {
                lines[lines.count - 1] = "\(last) \(text)"
            } else {
                lines.append(margin + text)
            }
            open = part.value.isPlain
        }
        return opening + "\n" + lines.joined(separator: "\n") + "\n" + String(repeating: " ", count: indent) + closing
    }

    private var isPlain: Bool { members == nil && elements == nil }

    /// Everything escaped that JSON demands (RFC 8259, section 7), nothing else.
    private static func writeQuoted(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case let control where control.value < 0x20:
                let digits = String(control.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
