// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaScenarios
import Testing

@Suite("JSON")
struct JSONTests {
    @Test(
        "a text that is JSON is written back as it was, without its spaces",
        arguments: [
            "null", "true", "[1,2.50,-0,1e9,18446744073709551615]", "{\"b\":{\"c\":[]},\"a\":\"\"}",
            "\"ä \\\" \\\\ \\n \\u0001 𝄞\"",
        ])
    func roundTrip(_ text: String) throws {
        #expect(try JSONValue(parsing: " \n\t" + text + "\r\n").description == text)
    }

    @Test("escapes mean the characters they stand for")
    func escapes() throws {
        #expect(try JSONValue(parsing: #""\ud834\udd1e\u00e4\/\b""#) == .string("𝄞ä/\u{8}"))
    }

    @Test(
        "a text that is not JSON is refused with the place",
        arguments: [
            ("{\"a\":1,\n\"b\":}", 2, 5), ("[1,2", 1, 5), ("{\"a\":1,\"a\":2}", 1, 8), ("01", 1, 2), ("1.", 1, 3),
            ("\"\\x\"", 1, 3), ("\"\\ud834\"", 1, 8), ("{} x", 1, 4), ("", 1, 1), ("nul", 1, 1), ("{'a':1}", 1, 2),
            ("\"\u{1}\"", 1, 2), ("+1", 1, 1), ("[1,]", 1, 4), ("\"\\u+123\"", 1, 4),
        ])
    func refused(_ text: String, _ line: Int, _ column: Int) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(error.map { "\($0.line):\($0.column)" } == "\(line):\(column)", "\(text)")
    }

    @Test("no nesting exhausts the stack")
    func nesting() {
        let deep = String(repeating: "[", count: 1_000_000)
        #expect(throws: JSONError.self) { try JSONValue(parsing: deep) }
    }

    @Test("bytes that are not UTF-8 are refused, whatever they are")
    func noise() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
        var random = SeededRandom(seed: 7)
        for _ in 0..<20_000 {
            let alphabet = Array(#"{}[]",:\u0123eE+-.tfn "#.utf8) + [0xC3, 0xFF, 0]
            let bytes = (0..<Int(random.next() % 24)).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
            // What it accepts it must be able to write and read again.
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            #expect((try? JSONValue(parsing: value.description)) == value)
        }
    }

    @Test("equal members in equal order give equal text, and setting a member keeps its place")
    func members() {
        var value = JSONValue.object([.init("a", .integer(1)), .init("b", .integer(2))])
        value["a"] = .integer(3)
        value["c"] = .null
        #expect(value.description == #"{"a":3,"b":2,"c":null}"#)
        value["b"] = nil
        #expect(value.description == #"{"a":3,"c":null}"#)
        #expect(JSONValue.double(0.1).description == "0.1")
        #expect(JSONValue.double(.infinity) == .null)
        #expect(JSONValue.double(3).description == "3")
    }

    @Test("over several lines it is the same value")
    func pretty() throws {
        let long = JSONValue.array((0..<60).map { .integer($0) })
        let value = JSONValue.object([.init("rows", .array([long, long])), .init("name", .string("x"))])
        #expect(try JSONValue(parsing: value.pretty()) == value)
        #expect(value.pretty().hasSuffix("\n  \"name\": \"x\"\n}"))
        #expect(value.pretty().split(separator: "\n").allSatisfy { $0.count <= 100 })
    }
}
