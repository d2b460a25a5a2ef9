// SPDX-License-Identifier: Apache-2.0

import HomaBench
import Testing

@Suite("Thresholds")
struct ThresholdTests {
    @Test(
        "demands as people write them",
        arguments: [
            ("p99<50us", .percentile(99), .less, 50_000), ("p50<=1.5ms", .percentile(50), .atMost, 1_500_000),
            ("p99.9<2ms", .percentile(99.9), .less, 2_000_000), ("rate>100000", .rate, .greater, 100_000),
            ("rate>=100k", .rate, .atLeast, 100_000), ("rate > 2.5Mrps", .rate, .greater, 2_500_000),
            ("goodput>1.5Gbit", .goodput, .greater, 1.5e9), ("goodput>=800 Mbit/s", .goodput, .atLeast, 8e8),
            ("errors<1", .errors, .less, 1), (" mean < 12 µs ", .mean, .less, 12_000), ("max<1s", .maximum, .less, 1e9),
            ("P50<100NS", .percentile(50), .less, 100),
        ] as [(String, Threshold.Quantity, Threshold.Relation, Double)])
    func parsing(text: String, quantity: Threshold.Quantity, relation: Threshold.Relation, limit: Double) throws {
        let threshold = try Threshold(text)
        #expect(threshold.quantity == quantity && threshold.relation == relation)
        #expect(abs(threshold.limit - limit) < 1e-6 * limit)
        #expect(threshold.description == text)
    }

    @Test(
        "what cannot be read says why",
        arguments: [
            ("", .missingRelation("")), ("p99=5us", .missingRelation("p99=5us")),
            ("q99<5us", .unknownQuantity("q99")), ("p<5us", .unknownQuantity("p")), ("<5us", .unknownQuantity("")),
            ("p1e2<5us", .unknownQuantity("p1e2")), ("p101<5us", .percentileOutOfRange("p101")),
        ] as [(String, ThresholdError)])
    func errors(text: String, expected: ThresholdError) {
        #expect(throws: expected) { try Threshold(text) }
        #expect("\(expected)".count > 20)
    }

    @Test(
        "limits need the unit of their quantity",
        arguments: ["p99<50", "p99<us", "p99<-5us", "p99<5Gbit", "goodput>5", "rate>5us", "errors<1us", "p99<<5us"])
    func limits(text: String) {
        do throws(ThresholdError) {
            _ = try Threshold(text)
            Issue.record("accepted \(text)")
        } catch {
            guard case .badLimit(_, let expected) = error else {
                Issue.record("wrong error: \(error)")
                return
            }
            #expect(!expected.isEmpty)
        }
    }

    @Test("a demand is met, missed, or not measured")
    func evaluation() throws {
        var latency = LatencyRecorder()
        #expect(try Threshold("p99<50us").evaluate(latency) == .notMeasured)
        latency.record(nanoseconds: 40_000)
        #expect(try Threshold("p99<50us").holds(for: latency))
        #expect(try Threshold("p99<40us").evaluate(latency) == .missed(40_000))
        #expect(try Threshold("mean<=40us").evaluate(latency) == .met(40_000))
        #expect(try Threshold("rate>1").evaluate(latency) == .notMeasured)
        #expect(try !Threshold("rate>1").holds(for: latency))
    }

    @Test(
        "what came out is told in the unit that was asked for",
        arguments: [
            ("p99<600ms", 612_000_000, "p99 = 612 ms, not < 600 ms"),
            ("p99<600ms", 600_400_000, "p99 = 600.4 ms, not < 600 ms"),
            ("p99.9<=1.5ms", 2_345_678, "p99.9 = 2.35 ms, not <= 1.5 ms"),
            ("max<1s", 500_000_000, "max = 0.5 s, < 1 s"),
            ("p50<1us", 2000, "p50 = 2 us, not < 1 us"), ("p50 < 3 µs", 3000, "p50 = 3 µs, not < 3 µs"),
        ] as [(String, UInt64, String)])
    func words(text: String, nanoseconds: UInt64, expected: String) throws {
        var latency = LatencyRecorder()
        // Exact to the nanosecond: the histogram's own rounding is no part of this.
        latency.record(nanoseconds: nanoseconds)
        #expect(try Threshold(text).outcome(for: latency) == expected)
    }

    @Test("an endless limit is none")
    func endless() {
        let digits = String(repeating: "9", count: 400)
        #expect(throws: ThresholdError.self) { try Threshold("p99<\(digits)s") }
    }
}
