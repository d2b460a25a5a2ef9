// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Pacer")
struct PacerTests {
    static func configuration(_ rate: BitRate?) -> EndpointConfiguration {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = rate
        return configuration
    }

    @Test("without a rate everything may leave")
    func off() {
        var pacer = Pacer(Tuning(Self.configuration(nil)))
        for _ in 0..<100 { pacer.charge(9000, at: .zero) }
        #expect(pacer.mayLeave(at: .zero))
    }

    @Test("a packet may leave exactly when the queue has shrunk to the limit")
    func boundary() {
        var pacer = Pacer(Tuning(Self.configuration(.gigabitsPerSecond(8))))
        pacer.charge(5000, at: Instant(nanoseconds: 100))
        #expect(pacer.mayLeave(at: Instant(nanoseconds: 100)))
        pacer.charge(1, at: Instant(nanoseconds: 100))
        #expect(!pacer.mayLeave(at: Instant(nanoseconds: 100)))
        #expect(pacer.nextLeave == Instant(nanoseconds: 101))
        #expect(pacer.mayLeave(at: pacer.nextLeave))
    }

    /// Method: several long calls, drained whenever the endpoint asks for it; a model link drains what was sent.
    @Test("the queue at the link stays within the limit and one packet", arguments: [1.0, 10, 25, 100])
    func queueLength(gigabits: Double) throws {
        let host = try LoneHost(Self.configuration(.gigabitsPerSecond(gigabits)))
        for cookie in 1...4 as ClosedRange<UInt64> { try host.call(length: 60_000, cookie: cookie) }
        let rate = BitRate.gigabitsPerSecond(gigabits)
        var idleAt = host.now
        var packets = 0
        var worst: UInt64 = 0
        while true {
            for packet in host.sent() {
                packets += 1
                let bytes = packet.header.byteCount + packet.payloadLength + 66
                idleAt = max(idleAt, host.now).advanced(byNanoseconds: rate.nanoseconds(forBytes: bytes))
                worst = max(worst, idleAt.nanoseconds(since: host.now))
            }
            guard let next = host.endpoint.nextDeadline, next.nanoseconds < 4_000_000 else { break }
            host.now = max(host.now, next)
        }
        #expect(packets == 4 * 43)
        #expect(worst <= 5000 + rate.nanoseconds(forBytes: 1538) + 1)
    }

    @Test("a short message leaves at once even when the link has enough to do")
    func bypass() throws {
        let host = try LoneHost(Self.configuration(.megabitsPerSecond(10)))
        try host.call(length: 60_000, cookie: 1)
        _ = host.sent()
        try host.call(length: 999, cookie: 2)
        #expect(host.sent().map(\.payload) == [2])
        try host.call(length: 1000, cookie: 3)
        #expect(host.sent().isEmpty)
    }
}
