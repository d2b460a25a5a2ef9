// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

@Suite struct LossRecoveryTests {
    private func tcp(_ change: (inout TCPConfiguration) -> Void = { _ in }) -> TCPConfiguration {
        var tcp = TCPConfiguration(congestionControl: .newReno)
        tcp.tailLossProbe = nil
        change(&tcp)
        return tcp
    }

    // MARK: Fast recovery

    @Test(arguments: [[12], [12, 15], [12, 13], [12, 14, 16, 18], [10, 11, 12, 13, 14, 15]])
    func `lost segments of one window are repaired without a timeout`(lost: [Int]) throws {
        var bench = TCPBench(tcp(), delay: .microseconds(500))
        bench.lost = Set(lost)
        let message = bench.send(100 * 1460)
        bench.run(until: .milliseconds(50))
        #expect(bench.transport.counters.timeouts == 0)
        #expect(bench.transport.counters.fastRecoveries == 1)
        // Nothing is sent again that had arrived.
        #expect(bench.transport.counters.segmentsRetransmitted == UInt64(lost.count))
        #expect(bench.transport.counters.duplicatesReceived == 0)
        // Lost in the second round trip, repaired in the third or fourth; the rest needs a few more.
        let found = bench.delivery(of: message)
        let delivery = try #require(found)
        #expect(delivery < .milliseconds(9))
    }

    @Test func `a loss halves the window once, however many segments it was`() {
        for lost in [[20], [20, 22, 24]] {
            var bench = TCPBench(tcp(), rate: .gigabitsPerSecond(100), delay: .milliseconds(10))
            bench.lost = Set(lost)
            bench.send(3_000_000)
            // Sent in the second round: 20 segments; recovery is over before the fifth.
            bench.run(until: .milliseconds(62))
            let window = bench.transport.senders[0].window.bytes / 1460
            #expect(window >= 12 && window < 21)
            #expect(bench.transport.counters.fastRecoveries == 1)
        }
    }

    @Test func `two duplicate acknowledgements let out new segments, whose own start recovery`() {
        var bench = TCPBench(tcp { $0.initialWindowSegments = 3 }, delay: .microseconds(500))
        bench.lost = [0]
        bench.send(20 * 1460)
        bench.run(until: .milliseconds(1.5))
        #expect(bench.departures.count == 5)
        bench.run(until: .milliseconds(30))
        #expect(bench.transport.counters.timeouts == 0)
        #expect(bench.transport.counters.segmentsRetransmitted == 1)
        #expect(bench.deliveries.count == 1)
    }

    @Test func `a segment that is lost again is sent a third time when later ones have arrived`() {
        var first = TCPBench(tcp(), delay: .microseconds(500))
        first.lost = [12]
        first.send(400 * 1460)
        first.run(until: .milliseconds(100))
        let again = first.departures.firstIndex { $0.isRepeat }
        var bench = TCPBench(tcp(), delay: .microseconds(500))
        bench.lost = [12, again!]
        bench.send(400 * 1460)
        bench.run(until: .milliseconds(100))
        #expect(bench.transport.counters.segmentsRetransmitted == 2)
        #expect(bench.transport.counters.timeouts == 0)
        #expect(bench.deliveries.count == 1)
    }

    @Test func `of two segments without more to follow one duplicate acknowledgement is enough`() {
        var bench = TCPBench(tcp(), delay: .microseconds(500))
        bench.lost = [0]
        bench.send(2 * 1460)
        bench.run(until: .milliseconds(10))
        #expect(bench.transport.counters.timeouts == 0)
        #expect(bench.transport.counters.segmentsRetransmitted == 1)
        #expect(bench.deliveries.count == 1)
    }

    @Test(arguments: 1...12)
    func `any loss is repaired in the end, and bytes are counted right`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let control = TCPCongestionControl.allCases[Int(seed % 3)]
        var settings = TCPConfiguration(congestionControl: control)
        settings.minimumRTO = .milliseconds(5)
        settings.tailLossProbe = seed % 2 == 0 ? nil : .microseconds(100)
        var bench = TCPBench(settings, delay: .microseconds(20))
        let perMille = 5 + random.next() % 300
        bench.lost = Set((0..<20_000).filter { _ in random.next() % 1000 < perMille })
        for _ in 0..<40 {
            bench.send(1 + Int(random.next() % 60_000))
            bench.run(for: .microseconds(Double(random.next() % 300)))
        }
        bench.run(for: .seconds(4000))
        #expect(bench.deliveries.count == 40)
        #expect(bench.transport.counters.segmentsRetransmitted > 0)
        let sender = bench.transport.senders[0]
        #expect(sender.acknowledged == sender.end && sender.next == sender.end)
        #expect(sender.underWay == 0 && sender.sackedBytes == 0 && sender.phase == .open)
        #expect(bench.transport.ranges.live == 0)
        #expect(bench.packets.live == 0)
    }

    // MARK: Timeouts

    @Test(arguments: [200.0, 10, 1]) func `a lost tail costs one retransmission timeout of the set length`(ms: Double)
        throws
    {
        var bench = TCPBench(
            tcp { $0.minimumRTO = .microseconds(ms * 1000) }, delay: .microseconds(20))
        bench.lost = [0]
        let message = bench.send(700)
        bench.run(until: .milliseconds(ms * 3))
        let departures = bench.departures
        #expect(departures.map(\.isRepeat) == [false, true])
        #expect(departures[1].time - departures[0].time == .milliseconds(ms))
        let delivery = bench.delivery(of: message)
        #expect(try #require(delivery) < .milliseconds(ms + 0.1))
        #expect(bench.transport.counters.timeouts == 1)
        let statistics = bench.transport.statistics()
        #expect(statistics.minimumRTO == .microseconds(ms * 1000))
    }

    @Test func `the timeout doubles as long as nothing is acknowledged, up to the greatest`() {
        var bench = TCPBench(
            tcp {
                $0.minimumRTO = .milliseconds(10)
                $0.maximumRTO = .milliseconds(50)
            }, delay: .microseconds(20))
        bench.lost = [0, 1, 2, 3, 4]
        bench.send(700)
        bench.run(until: .milliseconds(400))
        let times = bench.departures.map(\.time)
        let gaps = zip(times.dropFirst(), times).map { $0 - $1 }
        #expect(gaps == [10, 20, 40, 50, 50].map { .milliseconds($0) })
        #expect(bench.deliveries.count == 1)
    }

    @Test func `a probe repairs a lost tail long before the timer`() throws {
        var bench = TCPBench(tcp { $0.tailLossProbe = .milliseconds(2) }, delay: .microseconds(20))
        // Three at the end: the probe brings an answer, and recovery the rest.
        bench.lost = [47, 48, 49]
        let message = bench.send(50 * 1460)
        bench.run(until: .milliseconds(300))
        let found = bench.delivery(of: message)
        let delivery = try #require(found)
        #expect(delivery < .milliseconds(4))
        #expect(bench.transport.counters.tailLossProbes == 1)
        #expect(bench.transport.counters.timeouts == 0)
    }

    @Test func `a probe is not sent before two round trips and the floor`() {
        var bench = TCPBench(
            tcp {
                $0.tailLossProbe = .milliseconds(2)
                $0.delayedAck = .milliseconds(5)
            }, delay: .milliseconds(1))
        bench.lost = [0]
        bench.send(700)
        bench.run(until: .milliseconds(100))
        #expect(bench.departures.count == 2)
        // Two handshakes of 2 ms, the floor, and the delay of an acknowledgement of a lone segment.
        let gap = Double(bench.departures[1].time - bench.departures[0].time) / 1e9
        #expect(abs(gap - 11) < 0.01)
    }
}
