// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// What a receiver makes of the way from a peer.
@Suite("The way from a peer")
struct IncomingPathTests {
    static let tuning = Tuning(.default)
    static let packet: UInt32 = 1400

    /// Packets that come one after the other at a rate, with more on their way.
    static func bring(
        _ path: inout IncomingPath, packets: Int, at rate: BitRate, from start: UInt64 = 0, isLast: Bool = false
    ) -> UInt64 {
        var now = start
        for _ in 0..<packets {
            now += rate.nanoseconds(forBytes: Int(packet))
            path.take(packet, isLast: isLast, tuning, at: Instant(nanoseconds: now))
        }
        return now
    }

    @Test("at first the configured window holds, and no more")
    func atFirst() { #expect(IncomingPath(Self.tuning).most == UInt32(Self.tuning.maximumIncoming)) }

    @Test(
        "bytes that come without a pause show how fast the link is: no more may be on their way than come in 5 ms",
        arguments: [1, 4, 40, 200, 400])
    func pace(megabits: UInt64) {
        var path = IncomingPath(Self.tuning)
        let rate = BitRate.megabitsPerSecond(Double(megabits))
        _ = Self.bring(&path, packets: 2000, at: rate)
        let expected = max(Double(Self.tuning.leastIncoming), Double(megabits) * 1e6 / 8 * 0.005)
        #expect(abs(Double(path.most) / expected - 1) < 0.05, "\(path.most) of \(expected)")
    }

    @Test("a fast link is not held back")
    func fast() {
        var path = IncomingPath(Self.tuning)
        _ = Self.bring(&path, packets: 20_000, at: .gigabitsPerSecond(10))
        #expect(path.most >= UInt32(Self.tuning.maximumIncoming))
    }

    @Test("nor does a fast link by itself bring more than the configured window")
    func fastAndNear() {
        var path = IncomingPath(Self.tuning)
        _ = Self.bring(&path, packets: 20_000, at: .gigabitsPerSecond(2))
        #expect(path.most == UInt32(Self.tuning.maximumIncoming))
    }

    @Test("bytes of a peer that had no leave to send more say nothing of the link")
    func alone() {
        var path = IncomingPath(Self.tuning)
        _ = Self.bring(&path, packets: 2000, at: .megabitsPerSecond(40), isLast: true)
        #expect(path.most == UInt32(Self.tuning.maximumIncoming))
    }

    @Test("bursts with pauses between them say nothing of the link")
    func bursts() {
        var path = IncomingPath(Self.tuning)
        var now: UInt64 = 0
        for _ in 0..<100 {
            now = Self.bring(&path, packets: 8, at: .gigabitsPerSecond(10), from: now + 20_000_000)
        }
        #expect(path.most == UInt32(Self.tuning.maximumIncoming))
    }

    @Test("where the way was idle before what was granted came, twice as much may be on it, up to all that is wanted")
    func grows() {
        var path = IncomingPath(Self.tuning)
        var now = Self.bring(&path, packets: 2000, at: .megabitsPerSecond(40))
        var before = path.most
        for _ in 0..<8 where before != .max {
            now += 50_000_000
            #expect(!path.hadQueue(50_000_000, at: Instant(nanoseconds: now)))
            path.noteRoundTrip(50_000_000, Self.tuning, at: Instant(nanoseconds: now))
            #expect(path.most == .max || path.most == 2 * before)
            before = path.most
        }
        #expect(path.most == .max)
    }

    @Test("what came behind other bytes tells no round trip")
    func queued() {
        var path = IncomingPath(Self.tuning)
        let now = Self.bring(&path, packets: 2000, at: .megabitsPerSecond(40))
        #expect(path.hadQueue(50_000_000, at: Instant(nanoseconds: now + 280_000)))
        #expect(!path.hadQueue(50_000_000, at: Instant(nanoseconds: now + 10_000_000)))
    }

    @Test("on a slow way that is long as well there may be what comes in a round trip and 5 ms")
    func distance() {
        var path = IncomingPath(Self.tuning)
        var now = Self.bring(&path, packets: 2000, at: .megabitsPerSecond(40))
        path.noteRoundTrip(20_000_000, Self.tuning, at: Instant(nanoseconds: now))
        now = Self.bring(&path, packets: 2000, at: .megabitsPerSecond(40), from: now)
        // 5 bytes in a microsecond.
        #expect(abs(Double(path.most) / 125_000 - 1) < 0.05, "\(path.most)")
    }

    @Test("windows that do not adapt are not touched")
    func fixed() {
        let tuning = Tuning(.linux2026)
        var path = IncomingPath(tuning)
        var now: UInt64 = 0
        for _ in 0..<2000 {
            now += 280_000
            path.take(1400, isLast: false, tuning, at: Instant(nanoseconds: now))
        }
        #expect(path.most == .max)
    }

    @Test("pauses, and the end of what a peer had leave to send, are forgotten when bytes come without any again")
    func pauseOver() {
        for isLast in [true, false] {
            var path = IncomingPath(Self.tuning)
            var now: UInt64 = 0
            for _ in 0..<10 {
                now = Self.bring(
                    &path, packets: 8, at: .gigabitsPerSecond(10), from: now + 20_000_000, isLast: isLast)
            }
            #expect(path.most == UInt32(Self.tuning.maximumIncoming))
            _ = Self.bring(&path, packets: 200, at: .megabitsPerSecond(80), from: now)
            #expect(abs(Double(path.most) / 50_000 - 1) < 0.05, "\(path.most)")
        }
    }

    @Test("short messages that come while more of their peer is on its way show how fast the link is")
    func shortMessages() throws {
        for hasMore in [true, false] {
            let host = try LoneHost()
            var long = 0
            for number in 0..<160 {
                host.pass(microseconds: 280)
                if hasMore, number % 4 == 0 {
                    host.data(long..<long + 1400, of: 60_000, id: 2)
                    long += 1400
                } else {
                    let id = 1000 + 2 * UInt64(number)
                    host.data(0..<1400, of: 1400, id: id)
                    try host.respond(try #require(try host.requests().first).rpc, length: 10)
                    host.receive(.ack(AckFields()), id: id)
                }
            }
            let peer = host.endpoint.findPeer(LoneHost.client)
            let most = host.endpoint.peers.at(try #require(peer)).pointee.incomingPath.most
            #expect((most < UInt32(Self.tuning.maximumIncoming) / 2) == hasMore, "\(most)")
        }
    }

    @Test("few bytes say nothing of the link, however slowly they come")
    func few() {
        var path = IncomingPath(Self.tuning)
        _ = Self.bring(&path, packets: 15, at: .megabitsPerSecond(1))
        #expect(path.most == UInt32(Self.tuning.maximumIncoming))
    }

    @Test(
        "a way was idle if nothing came for an eighth of a byte's time; else no more than usual may be on it"
    )
    func idle() {
        var path = IncomingPath(Self.tuning)
        let now = Self.bring(&path, packets: 2000, at: .megabitsPerSecond(40))
        #expect(path.hadQueue(80_000_000, at: Instant(nanoseconds: now + 9_999_999)))
        #expect(!path.hadQueue(80_000_000, at: Instant(nanoseconds: now + 10_000_000)))
        #expect(!path.hadQueue(4_999_999, at: Instant(nanoseconds: now)), "no longer than anybody minds")
        for _ in 0..<20 { path.noteRoundTrip(1_000_000, Self.tuning, at: Instant(nanoseconds: now)) }
        #expect(path.most == UInt32(Self.tuning.maximumIncoming))
    }
}

extension IncomingPath {
    /// What the endpoint does when bytes have come.
    fileprivate mutating func take(_ bytes: UInt32, isLast: Bool, _ tuning: Tuning, at now: Instant) {
        if arrive(bytes, isLast: isLast, at: now) { measure(tuning, at: now) }
    }
}
