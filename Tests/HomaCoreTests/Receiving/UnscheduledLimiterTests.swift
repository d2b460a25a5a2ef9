// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

@Suite("The limit of unscheduled bytes")
struct UnscheduledLimiterTests {
    private static func tuning(unscheduled: Int = 40_000, incoming: Int = 400_000, packet: Int = 1472) -> Tuning {
        var configuration = EndpointConfiguration()
        configuration.unscheduledBytes = unscheduled
        configuration.maximumIncoming = incoming
        configuration.grantIncrement = 1
        configuration.maximumPacketBytes = packet
        return Tuning(configuration)
    }

    private static func limiter(_ tuning: Tuning = tuning(), of shards: Int = 1) -> UnscheduledLimiter {
        UnscheduledLimiter(tuning, isOn: true, of: shards, at: .zero)
    }

    private static func time(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("limits halve down to a packet")
    func limits() {
        let limits = Self.limiter().limits
        #expect((0..<8).map { limits[$0] } == [40_000, 20_000, 10_000, 5_000, 2_500, 1_416, 1_416, 1_416])
        let jumbo = Self.limiter(Self.tuning(packet: 8972)).limits
        #expect((0..<8).map { jumbo[$0] } == [40_000, 20_000, 10_000] + Array(repeating: 8_916, count: 5))
        let small = Self.limiter(Self.tuning(unscheduled: 1_000)).limits
        #expect((0..<8).allSatisfy { small[$0] == 1_000 }, "never more than configured")
    }

    @Test(
        "as many halvings as keep all messages within half of maximumIncoming",
        arguments: [
            (1, 0), (5, 0), (6, 20_000), (10, 20_000), (11, 10_000), (20, 10_000), (40, 5_000), (41, 2_500),
            (900, 1_416),
        ])
    func needed(messages: Int, wish: UInt32) {
        var limiter = Self.limiter()
        var changes = 0
        for _ in 0..<messages where limiter.begin(length: 1_000_000, at: .zero) { changes += 1 }
        #expect(limiter.wish == wish)
        #expect(changes == limiter.halvings, "one at a time, and each is told")
        for halvings in 0..<8 {
            #expect(limiter.total(halvings: halvings) == messages * Int(limiter.limits[halvings]))
        }
        for _ in 0..<messages { limiter.end(length: 1_000_000) }
        #expect((0..<8).allSatisfy { limiter.total(halvings: $0) == 0 })
        #expect(limiter.wish == wish, "an end changes nothing")
    }

    @Test("short messages count for what they are, and a message alone for nothing")
    func short() {
        var limiter = Self.limiter()
        for _ in 0..<60 { _ = limiter.begin(length: 3_000, at: .zero) }
        #expect(limiter.halvings == 0)
        var large = Self.limiter(Self.tuning(unscheduled: 300_000))
        let isProbed = large.begin(length: 1_000_000, at: .zero)
        #expect(!isProbed && large.bound == 300_000)
    }

    @Test("a halving is taken back when fewer would have done for ten milliseconds, one more for each ten")
    func recovery() {
        var limiter = Self.limiter()
        for _ in 0..<40 { _ = limiter.begin(length: 1_000_000, at: Self.time(1)) }
        for _ in 0..<40 { limiter.end(length: 1_000_000) }
        #expect(limiter.wish == 5_000)
        func alone(_ milliseconds: UInt64) -> Bool {
            let changed = limiter.begin(length: 1_000_000, at: Self.time(milliseconds))
            limiter.end(length: 1_000_000)
            return changed
        }
        var changed = alone(10)
        #expect(!changed)
        changed = alone(11)
        #expect(changed && limiter.wish == 10_000)
        changed = alone(20)
        #expect(!changed)
        // Needed again as it is: the time begins anew.
        for _ in 0..<15 { _ = limiter.begin(length: 1_000_000, at: Self.time(20)) }
        for _ in 0..<15 { limiter.end(length: 1_000_000) }
        changed = alone(29)
        #expect(!changed && limiter.wish == 10_000)
        changed = alone(1000)
        #expect(changed && limiter.wish == 0, "a long quiet takes all back")
        changed = alone(2000)
        #expect(!changed)
    }

    @Test("shards divide the bound")
    func shards() {
        #expect(Self.limiter(of: 4).bound == 50_000)
        #expect(Self.limiter(of: 8).bound == 40_000)
    }
}
