// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@Suite("Units and names")
struct UnitsTests {
    @Test("the two sides' identifiers differ in the low bit only")
    func identifiers() {
        let client = RPCID(rawValue: 42)
        #expect(client.peer == RPCID(rawValue: 43))
        #expect(client.peer.peer == client)
        #expect(!client.isServerSide && client.peer.isServerSide)
        #expect(client.peer.clientSide == client)
    }

    @Test("time saturates instead of wrapping")
    func instants() {
        #expect(Instant(nanoseconds: 5) + .microseconds(2) == Instant(nanoseconds: 2005))
        #expect(Instant.distantFuture.advanced(byNanoseconds: 1) == .distantFuture)
        #expect(Instant.zero.nanoseconds(since: Instant(nanoseconds: 9)) == 0)
        #expect(Duration.seconds(-1).wholeNanoseconds == 0)
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
    }

    @Test("a full frame takes 1230.4 ns at 10 Gb/s, rounded up")
    func rates() {
        #expect(BitRate.gigabitsPerSecond(10).nanoseconds(forBytes: 1538) == 1231)
        #expect(BitRate.megabitsPerSecond(200) < .gigabitsPerSecond(1))
        #expect("\(BitRate.gigabitsPerSecond(25))" == "25.0 Gb/s")
    }

    @Test("addresses print as people write them")
    func addresses() {
        #expect("\(PeerAddress(ipv4: 0x7F00_0001, port: 4000))" == "127.0.0.1:4000")
        #expect("\(PeerAddress(high: 0, low: 1, port: 80))" == "[0:0:0:0:0:0:0:1]:80")
        #expect(PeerAddress(ipv4: 1, port: 1).isIPv4)
        #expect(!PeerAddress(high: 0, low: 1, port: 1).isIPv4)
    }

    @Test("the same seed gives the same numbers")
    func seeds() {
        var one = SeededRandom(seed: 7)
        var other = SeededRandom(seed: 7)
        #expect((0..<100).allSatisfy { _ in one.next() == other.next() })
        #expect((0..<100).allSatisfy { _ in (0..<1).contains(one.nextUnit()) })
    }
}
