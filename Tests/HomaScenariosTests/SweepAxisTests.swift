// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import Testing

@Suite("Values of a sweep's axis")
struct SweepAxisTests {
    private func values(_ text: String) throws -> [String] {
        try SweepAxis(parsing: "x=" + text).values.map(\.description)
    }

    @Test("a range counts in exact decimals, its end included")
    func ranges() throws {
        #expect(try values("0.5..0.9/0.1") == ["0.5", "0.6", "0.7", "0.8", "0.9"])
        #expect(try values("1..5") == ["1", "2", "3", "4", "5"])
        #expect(try values("-1..0.25/0.5") == ["-1", "-0.5", "0"])
        #expect(try values("1000..9000*2") == ["1000", "2000", "4000", "8000"])
        #expect(try values("1e6..3e6/1e6") == ["1000000", "2000000", "3000000"])
        #expect(try values("0.001..1*10") == ["0.001", "0.01", "0.1", "1"])
    }

    @Test("values that are no JSON are texts, and ranges and values mix")
    func lists() throws {
        #expect(try values("w1,w2") == ["\"w1\"", "\"w2\""])
        #expect(try values("null,1..2,true") == ["null", "1", "2", "true"])
        #expect(try values("[0,1],[1,2]") == ["[0,1]", "[1,2]"])
        #expect(try values("\"a,b\"") == ["\"a,b\""])
    }

    @Test("short names stand for their keys")
    func shortNames() throws {
        #expect(try SweepAxis(parsing: "load=0.5").path == "traffic.load")
        #expect(try SweepAxis(parsing: "topology.leaf.alpha=1,2").path == "topology.leaf.alpha")
    }

    @Test(
        "what is no list of values is refused",
        arguments: [
            "load", "=1", "x=", "x=1,,2",
            "x=1e-9223372036854775808..2", "x=1e9223372036854775807..2",
            "x=1..", "x=5..1", "x=1..5/0", "x=1..5/-1", "x=1..8*1", "x=0..8*2",
            "x=1,1", "a..b=1", "x=1..1000000/0.1", "x=a..b",
        ])
    func refused(_ text: String) {
        #expect(throws: OverrideError.self) { try SweepAxis(parsing: text) }
    }
}
