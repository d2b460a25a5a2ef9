// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

@Suite struct SlowStartTests {
    /// Segments that left in each round trip of 20 ms.
    private func rounds(_ tcp: TCPConfiguration, _ count: Int) -> [Int] {
        var bench = TCPBench(tcp, rate: .gigabitsPerSecond(100), delay: .milliseconds(10))
        bench.send(30_000_000)
        bench.run(until: .milliseconds(20 * Double(count)))
        var rounds = [Int](repeating: 0, count: count + 1)
        for index in bench.departures.indices { rounds[Int(bench.departures[index].time / .milliseconds(20))] += 1 }
        return Array(rounds.prefix(count))
    }

    @Test(arguments: TCPCongestionControl.allCases)
    func `a window of ten segments doubles every round trip`(control: TCPCongestionControl) {
        var tcp = TCPConfiguration(congestionControl: control)
        tcp.hyStart = false
        #expect(rounds(tcp, 7) == [10, 20, 40, 80, 160, 320, 640])
    }

    @Test func `another initial window is where it begins`() {
        var tcp = TCPConfiguration(congestionControl: .newReno)
        tcp.initialWindowSegments = 3
        tcp.segmentsPerAck = 1
        #expect(rounds(tcp, 5) == [3, 6, 12, 24, 48])
    }

    @Test func `the receiver's window bounds what is under way`() {
        var tcp = TCPConfiguration(congestionControl: .newReno)
        tcp.receiveWindowBytes = 50 * 1460
        #expect(rounds(tcp, 6) == [10, 20, 40, 50, 50, 50])
    }

    @Test func `HyStart ends slow start before packets are lost, where acknowledgements fill half a round trip`() {
        // 10 Gb/s and 2 ms: 1625 segments fill the path.
        for (hyStart, leaves) in [(true, true), (false, false)] {
            var tcp = TCPConfiguration(congestionControl: .cubic)
            tcp.hyStart = hyStart
            var bench = TCPBench(tcp, rate: .gigabitsPerSecond(10), delay: .milliseconds(1))
            bench.send(60_000_000)
            bench.run(until: .milliseconds(25))
            #expect(bench.transport.senders[0].window.isSlowStart != leaves)
            let segments = bench.transport.senders[0].window.bytes / 1460
            if leaves { #expect(segments > 700 && segments < 3000) } else { #expect(segments > 3000) }
        }
    }

    @Test(arguments: [(window: 20.0, rtt: 10.0, leaves: 27.4), (100, 10, 9.5), (20, 1000, 1000), (1000, 2000, 1089.8)])
    func `a train of acknowledgements is long from half a round trip and two bunches on`(
        window: Double, rtt: Double, leaves: Double
    ) {
        // (round trip + min(4 × 65 536 bytes at twice a window per round trip, 1 ms)) / 2, in microseconds.
        let roundTrip = UInt64(rtt * 1e6)
        var hyStart = HyStart()
        let isLong = hyStart.leaves(roundTrip: roundTrip)
        #expect(!isLong)
        var left: Double?
        for time in stride(from: 1_000_000, to: 2_000_000_000, by: 100_000) as StrideTo<UInt64> where left == nil {
            let isOver = hyStart.leaves(
                window: window, segment: 1460, roundTrip: roundTrip, acknowledged: 1, next: 2, at: time)
            if isOver { left = Double(time - 1_000_000) / 1e6 }
        }
        #expect(abs((left ?? 0) - leaves) < 0.21)
    }

    @Test func `a window that is not used does not grow`() {
        var bench = TCPBench(TCPConfiguration(congestionControl: .newReno), delay: .milliseconds(1))
        for _ in 0..<200 {
            bench.send(2 * 1460)
            bench.run(for: .milliseconds(3))
        }
        #expect(bench.transport.senders[0].window.bytes <= 10 * 1460)
    }

    @Test func `a connection that was idle for long begins with its initial window, or keeps it if told so`() {
        for restarts in [true, false] {
            var tcp = TCPConfiguration(congestionControl: .newReno)
            tcp.restartsAfterIdle = restarts
            var bench = TCPBench(tcp, rate: .gigabitsPerSecond(100), delay: .milliseconds(10))
            bench.send(3_000_000)
            bench.run(until: .milliseconds(400))
            let before = bench.departures.count
            #expect(before == 2055)
            bench.run(until: .milliseconds(6000))
            bench.send(3_000_000)
            bench.run(for: .milliseconds(15))
            let burst = bench.departures.count - before
            if restarts { #expect(burst == 10) } else { #expect(burst > 500) }
            #expect(bench.transport.counters.restartsAfterIdle == (restarts ? 1 : 0))
        }
    }
}
