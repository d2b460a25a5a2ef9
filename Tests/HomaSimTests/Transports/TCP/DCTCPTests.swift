// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads
import Testing

@testable import HomaSim

@Suite struct DCTCPTests {
    @Test func `the fraction is a mean of windows with a weight of 1/16 for the latest`() {
        var marks = MarkedFraction()
        #expect(marks.fraction == 1)
        // One window of ten bytes after the other, three of them marked.
        var expected = 1.0
        var sent: UInt64 = 10
        for window in 0..<100 {
            for byte in 1...10 {
                let upTo = UInt64(window * 10 + byte)
                sent = upTo + 9
                marks.add(byte <= 3, bytes: 1, before: upTo, next: sent, gain: 1.0 / 16)
            }
            expected = expected * 15 / 16
        }
        #expect(abs(marks.fraction - 0.3) < 0.7 * expected + 0.03)
    }

    @Test(arguments: [2, 4, 10]) func `the fraction converges to that of marked segments`(every: Int) {
        var tcp = TCPConfiguration(congestionControl: .dctcp)
        tcp.minimumRTO = .milliseconds(10)
        var bench = TCPBench(tcp, delay: .microseconds(20))
        bench.markEvery = every
        bench.send(20_000_000)
        bench.run(until: .milliseconds(10))
        var sum = 0.0
        for _ in 0..<100 {
            bench.run(for: .microseconds(500))
            sum += bench.transport.senders[0].window.marks.fraction
        }
        #expect(abs(sum / 100 - 1 / Double(every)) < 0.25 / Double(every))
        #expect(bench.transport.counters.timeouts == 0)
    }

    @Test func `every segment's mark is echoed, and no other's, though acknowledgements are delayed`() {
        var bench = TCPBench(TCPConfiguration(congestionControl: .dctcp), delay: .microseconds(20))
        // Segments 0, 3, 6, 9: each change is told at once, with what came before it.
        bench.markEvery = 3
        bench.send(10 * 1460)
        bench.run(until: .milliseconds(0.04))
        // 0 | 1 2 | 3 | 4 5 | …: the first of two unmarked ones is a change as well.
        bench.run(until: .milliseconds(1))
        #expect(bench.transport.counters.marksReceived == 4)
        #expect(bench.transport.counters.acksSent == 4 + 2 * 3)
    }

    @Test func `one window of marks reduces the window once, by half the fraction`() {
        var bench = TCPBench(
            TCPConfiguration(congestionControl: .dctcp), rate: .gigabitsPerSecond(100), delay: .milliseconds(10))
        bench.markEvery = 1
        bench.send(3_000_000)
        bench.run(until: .milliseconds(21))
        // Alpha is 1 still.
        #expect(bench.transport.senders[0].window.bytes == 5 * 1460)
        #expect(bench.transport.counters.reductionsByMarks == 1)
        bench.run(until: .milliseconds(41))
        #expect(bench.transport.counters.reductionsByMarks == 2)
    }

    @Test func `switches mark at the usual threshold if the scenario sets none`() throws {
        func threshold(_ name: String, _ own: Int? = nil, _ control: TCPCongestionControl = .dctcp) -> Int? {
            var topology = TopologyConfiguration.named(name)!
            topology.leafSwitch.ecnThresholdBytes = own
            let scenario = Scenario(
                topology: topology, transport: .tcp(TCPConfiguration(congestionControl: control)),
                traffic: TrafficConfiguration(sizes: .w4))
            return scenario.resolved.topology.leafSwitch.ecnThresholdBytes
        }
        #expect(threshold("fabric-10g") == 65 * 1518)
        #expect(threshold("cluster-25g") == 74_000)
        #expect(threshold("fabric-100g") == 65 * 1518)
        #expect(threshold("cluster-25g", 200_000) == 200_000)
        #expect(threshold("cluster-25g", nil, .cubic) == nil)
    }
}
