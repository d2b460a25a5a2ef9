// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import Testing

@testable import HomaExperiments

@Suite struct ClaimTests {
    private static func verdict(_ published: Figure, _ ours: Double, _ tolerance: Tolerance) -> Verdict {
        Claim("c", source: "s", published: published, ours: ours, unit: "u", tolerance: tolerance).verdict
    }

    @Test(arguments: [
        (Figure.number(10), Tolerance.share(0.1), 9.0...11.0), (.number(10), .factor(2), 5.0...20.0),
        (.range(7, 83), .share(0), 7.0...83.0), (.number(4), .atLeast(0.5), 2.0...1e9),
        (.number(4), .atMost(1), -1e9...4.0),
    ])
    func `a claim is reproduced up to its tolerance and no further`(
        published: Figure, tolerance: Tolerance, permitted: ClosedRange<Double>
    ) {
        #expect(Self.verdict(published, permitted.lowerBound + 1e-9, tolerance) == .reproduced)
        #expect(Self.verdict(published, permitted.upperBound - 1e-9, tolerance) == .reproduced)
        if permitted.lowerBound > -1e8 {
            #expect(Self.verdict(published, permitted.lowerBound - 1e-3, tolerance) == .notReproduced)
        }
        if permitted.upperBound < 1e8 {
            #expect(Self.verdict(published, permitted.upperBound + 1e-3, tolerance) == .notReproduced)
        }
    }

    @Test func `what was not measured is not reproduced and answers nothing`() {
        #expect(Self.verdict(.number(1), .nan, .factor(10)) == .notReproduced)
        #expect(Self.verdict(.none, .infinity, .open) == .notReproduced)
        #expect(Claim(question: "q", source: "s", answer: "").verdict == .notReproduced)
        #expect(Self.verdict(.none, 3, .open) == .answered)
    }

    @Test func `the reason for a difference is told only where there is one`() {
        func why(_ ours: Double) -> String {
            Claim(
                "c", source: "s", published: .number(1), ours: ours, unit: "u", tolerance: .share(0.1), note: "noted",
                reason: "because"
            ).why
        }
        #expect(why(5).contains("because"))
        #expect(why(5).contains("noted"))
        #expect(!why(1).contains("because"))
        #expect(why(1).contains("noted"))
    }

    @Test func `a claim's JSON has the promised keys in order`() {
        let json = Claim("c", source: "s", published: .range(7, 83), ours: 9, unit: "ratio", tolerance: .share(0)).json(
            experiment: "e")
        #expect(
            json.members?.map(\.key) == [
                "experiment", "claim", "source", "published", "ours", "unit", "tolerance", "verdict", "why",
            ])
        #expect(json["published"]?.description == "[7,83]")
        #expect(json["verdict"]?.text == "reproduced")
    }

    @Test(arguments: [
        (1234567.0, "1\u{202F}234\u{202F}567"), (1234, "1234"), (0.123456, "0.123"), (99.96, "100"), (0, "0"),
        (-15000, "-15\u{202F}000"), (.nan, "–"),
    ])
    func `numbers read well`(value: Double, text: String) {
        #expect(readable(value) == text)
    }
}
