// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

/// Packet by packet, on wires of 10 Gb/s and 10 µs: control packets take 67.2 ns, full ones 1230.4 ns.
@Suite struct DCPIMProtocolTests {
    private func settings(_ change: (inout DCPIMConfiguration) -> Void = { _ in }) -> DCPIMConfiguration {
        var dcpim = DCPIMConfiguration()
        dcpim.shortMessageBytes = 10 * 1460
        change(&dcpim)
        return dcpim
    }

    private let control: UInt64 = 67_200
    private let full: UInt64 = 1_230_400
    private let wire: UInt64 = 10_000_000

    // MARK: Without loss

    @Test func `a short message leaves at once and nobody is matched for it`() {
        var bench = DCPIMBench(settings())
        bench.send(3 * 1460)
        bench.run(for: .milliseconds(5))
        #expect(bench.departures.map(\.kind) == [.data, .data, .data, .acknowledgement])
        #expect(bench.departures.map(\.time).prefix(3) == [0, full, 2 * full])
        #expect(bench.deliveries.map(\.time) == [3 * full + wire])
        #expect(bench.packets.live == 0)
    }

    @Test func `of two short messages the one with fewer packets left goes first`() {
        var bench = DCPIMBench(settings(), hosts: 3)
        bench.send(8 * 1460, to: 1)
        bench.run(for: .microseconds(1))
        bench.send(2 * 1460, to: 2)
        bench.run(for: .milliseconds(1))
        #expect(bench.departures(.data).map(\.destination) == [1, 2, 2, 1, 1, 1, 1, 1, 1, 1])
    }

    @Test func `a long message is announced, matched for in three half rounds, and asked for packet by packet`() {
        var bench = DCPIMBench(settings())
        bench.send(40 * 1460)
        bench.run(for: .milliseconds(2))
        let clock = bench.transport.tuning.clock
        func first(_ kind: DCPIMPacket.Kind) -> DCPIMBench.Departure? { bench.departures(kind).first }
        #expect(first(.notification)?.time == 0)
        #expect(first(.acknowledgement)?.time == control + wire)
        // The notification comes during the first round, so the second is the first with a request.
        #expect(first(.request)?.time == clock.roundLength)
        #expect(first(.request)?.fields.round == 1 && first(.request)?.source == 1)
        #expect(first(.grant)?.time == clock.roundLength * 3 / 2)
        #expect(first(.accept)?.time == clock.roundLength * 2)
        // Nothing else is going on, so the channels are used at once; the accept goes before.
        #expect(first(.token)?.time == clock.roundLength * 2 + control)
        #expect(first(.data)?.time == clock.roundLength * 2 + 2 * control + wire)
        #expect(bench.count(.token) == 40 && bench.count(.data) == 40)
        #expect(bench.departures(.data).map(\.fields.number) == Array(0..<40))
        #expect(bench.deliveries.count == 1 && bench.allSent == [bench.deliveries[0].message])
        #expect(bench.packets.live == 0)
    }

    @Test func `channels that may not be used at once wait for their data phase`() {
        var bench = DCPIMBench(settings { $0.usesIdleChannels = false })
        bench.send(40 * 1460)
        bench.run(for: .milliseconds(2))
        let clock = bench.transport.tuning.clock
        #expect(bench.departures(.token).first?.time == clock.matchingPhase)
        #expect(bench.departures(.accept).allSatisfy { $0.time < clock.matchingPhase })
        #expect(bench.deliveries.count == 1)
    }

    // MARK: A matching by hand

    @Test func `four hosts match as worked out by hand`() throws {
        // A phase carries 92.8 packets in all, 23.2 by each of four channels.
        var bench = DCPIMBench(settings { $0.usesIdleChannels = false }, hosts: 4)
        let clock = bench.transport.tuning.clock
        #expect(Int(bench.transport.tuning.channelPackets * 10) == 232)
        // Announced in the last round of a matching, so that all are asked for in the first of the next.
        bench.run(until: clock.matchingPhase - clock.roundLength + 1)
        bench.send(40 * 1460, from: 0, to: 2)
        bench.send(200 * 1460, from: 0, to: 3)
        bench.send(30 * 1460, from: 1, to: 3)
        bench.run(until: 2 * clock.matchingPhase + 1)
        let requests = bench.departures(.request).filter { $0.fields.epoch == 1 }
        func offers(_ kind: DCPIMPacket.Kind, _ round: UInt8) -> [[Int]] {
            bench.departures(kind).filter { $0.fields.epoch == 1 && $0.fields.round == round }
                .map { [Int($0.source), Int($0.destination), Int($0.fields.channels)] }
                .sorted { $0.lexicographicallyPrecedes($1) }
        }
        // Round 1: host 2 needs 2 channels of host 0; host 3 could use 4 of host 0 and needs 2 of host 1.
        #expect(offers(.request, 0) == [[2, 0, 2], [3, 0, 4], [3, 1, 2]])
        // Host 0 prefers the shorter message and has 2 channels left for the longer one.
        #expect(offers(.grant, 0) == [[0, 2, 2], [0, 3, 2], [1, 3, 2]])
        // Host 3 takes those for the shorter message first, and has just enough for both.
        #expect(offers(.accept, 0) == [[2, 0, 2], [3, 0, 2], [3, 1, 2]])
        // Everybody is matched: hosts 2 has what it needs, host 3 has all its channels, and nobody asks again.
        #expect(requests.allSatisfy { $0.fields.round == 0 })
        let transport = bench.transport.pairChannels()
        #expect(transport == [[2, 0, 2], [3, 0, 2], [3, 1, 2]])
    }

    @Test func `a receiver never takes more channels than it has, nor does a sender give more`() {
        for seed in 1...20 as ClosedRange<UInt64> {
            var bench = DCPIMBench(settings { $0.usesIdleChannels = seed % 2 == 0 }, hosts: 8, seed: seed)
            var random = SeededRandom(seed: seed)
            for _ in 0..<40 {
                let source = UInt16(random.next() % 8)
                let other = UInt16(random.next() % 7)
                bench.send(Int(random.next() % 300_000) + 15_000, from: source, to: other >= source ? other + 1 : other)
            }
            for _ in 0..<40 {
                bench.run(for: .microseconds(37))
                let matched = bench.transport.pairChannels()
                for host in 0..<8 {
                    #expect(matched.filter { $0[0] == host }.reduce(0) { $0 + $1[2] } <= 4)
                    #expect(matched.filter { $0[1] == host }.reduce(0) { $0 + $1[2] } <= 4)
                }
            }
        }
    }

    // MARK: Tokens

    @Test func `tokens are paced by the channels and stop at the window`() {
        // Nine packets need one channel of four: a token every fourth packet time. A channel's window has 2 packets.
        var bench = DCPIMBench(
            settings {
                $0.shortMessageBytes = 0
                $0.windowBytes = 8 * 1460
                $0.usesIdleChannels = false
            })
        bench.send(9 * 1460)
        bench.run(for: .milliseconds(1))
        let start = bench.transport.tuning.clock.matchingPhase
        let answer = control + wire + full + wire
        let times = bench.departures(.token).map { $0.time - start }
        // Three before the first is answered; each answer lets one go. Tokens go to the card at once.
        var expected: [UInt64] = [0, 4 * full, 8 * full]
        for number in 3..<9 { expected.append(expected[number - 3] + answer) }
        #expect(times == expected)
        #expect(bench.departures(.data).map(\.time) == bench.departures(.token).map { $0.time + control + wire })
    }

    @Test func `a receiver sends no tokens while a short message takes its link`() {
        var bench = DCPIMBench(settings { $0.usesIdleChannels = false }, hosts: 3)
        bench.send(400 * 1460, from: 0, to: 1)
        let start = bench.transport.tuning.clock.matchingPhase + 10_000_000
        bench.run(until: start - full - wire)
        bench.send(10 * 1460, from: 2, to: 1)
        bench.run(for: .milliseconds(2))
        // The first packet of ten is there at `start`.
        let held = bench.departures(.token).filter { $0.time > start && $0.time < start + 10 * full }
        #expect(held.isEmpty)
        #expect(bench.departures(.token).contains { $0.time < start && $0.time > start - 2 * full })
        #expect(bench.departures(.token).contains { $0.time >= start + 10 * full && $0.time < start + 12 * full })
        #expect(bench.deliveries.count == 2)
    }

    @Test func `tokens that are not used in time expire, and are sent again`() {
        // Host 0 owes packets to two receivers and is busy with short messages to a third.
        var bench = DCPIMBench(settings(), hosts: 4)
        bench.send(300 * 1460, from: 0, to: 1)
        bench.send(300 * 1460, from: 0, to: 2)
        for _ in 0..<40 {
            bench.run(for: .microseconds(10))
            bench.send(10 * 1460, from: 0, to: 3)
        }
        bench.run(for: .milliseconds(5))
        #expect(bench.transport.statistics().tokensExpired > 10)
        #expect(bench.deliveries.count == 42)
        #expect(bench.packets.live == 0)
    }

    // MARK: Loss

    @Test func `what is lost of a long message is asked for when all the rest has come`() {
        var bench = DCPIMBench(settings())
        bench.lost[.data] = [3, 17, 39]
        bench.send(40 * 1460)
        bench.run(for: .milliseconds(2))
        #expect(bench.departures(.data).map(\.fields.number) == Array(0..<40) + [3, 17, 39])
        #expect(bench.deliveries.count == 1)
        let last = bench.departures(.data)[39].time
        let wait = bench.departures(.token)[40].time - (last + full + wire)
        // The silence began with the last packet that came, one before the last one lost.
        #expect(wait <= bench.transport.tuning.resendAfter && wait + 5 * full > bench.transport.tuning.resendAfter)
        #expect(bench.transport.statistics().packetsRetransmitted == 3)
    }

    @Test func `what is lost of a short message is asked for like a long one`() {
        var bench = DCPIMBench(settings())
        bench.lost[.data] = [1, 4]
        bench.send(6 * 1460)
        bench.run(for: .milliseconds(2))
        #expect(bench.departures(.data).map(\.fields.number) == Array(0..<6) + [1, 4])
        #expect(bench.transport.statistics().shortMessagesRecovered == 1)
        #expect(bench.deliveries.count == 1 && bench.count(.notification) <= 1)
    }

    @Test func `a short message of which nothing arrives is announced`() {
        for packets in [1, 5] {
            var bench = DCPIMBench(settings())
            bench.lost[.data] = Set(0..<packets)
            bench.send(packets * 1460)
            bench.run(for: .milliseconds(3))
            #expect(bench.count(.notification) >= 1)
            #expect(bench.count(.data) == 2 * packets)
            #expect(bench.deliveries.count == 1)
            #expect(bench.packets.live == 0)
        }
    }

    @Test(arguments: [
        DCPIMPacket.Kind.notification, .acknowledgement, .data, .token, .request, .grant, .accept,
    ])
    func `whatever packets of a kind are lost, messages arrive and are forgotten`(kind: DCPIMPacket.Kind) {
        var bench = DCPIMBench(settings())
        bench.lost[kind] = Set(0..<3)
        bench.send(100 * 1460)
        bench.send(100 * 1460, from: 1, to: 0)
        bench.run(for: .milliseconds(60))
        #expect(bench.deliveries.count == 2)
        #expect(bench.transport.recordsInUse() == 0)
        #expect(bench.packets.live == 0)
    }

    @Test func `with a fifth of all packets lost every message arrives once`() {
        var bench = DCPIMBench(settings(), hosts: 6)
        bench.lossRate = 0.2
        var random = SeededRandom(seed: 4)
        for _ in 0..<60 {
            let source = UInt16(random.next() % 6)
            let other = UInt16(random.next() % 5)
            bench.send(Int(random.next() % 60_000) + 1, from: source, to: other >= source ? other + 1 : other)
            bench.run(for: .microseconds(20))
        }
        bench.run(for: .milliseconds(400))
        #expect(bench.deliveries.count == 60)
        #expect(Set(bench.deliveries.map(\.message)).count <= 60)
        #expect(bench.transport.recordsInUse() == 0)
        #expect(bench.packets.live == 0 && bench.messages.live == 0)
    }
}
