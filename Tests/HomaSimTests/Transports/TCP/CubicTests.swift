// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaSim

@Suite struct CubicTests {
    @Test func `after a loss the window follows the cubic curve within 2 %`() throws {
        var tcp = TCPConfiguration(congestionControl: .cubic)
        tcp.hyStart = false
        tcp.initialWindowSegments = 600
        tcp.receiveWindowBytes = 1 << 30
        tcp.delayedAck = .milliseconds(1)
        // A round trip of 100 ms; the loss is in the first window.
        var bench = TCPBench(tcp, rate: .gigabitsPerSecond(100), delay: .milliseconds(50))
        bench.lost = [300]
        bench.send(900_000_000)
        bench.run(until: .milliseconds(150))
        #expect(bench.transport.counters.fastRecoveries == 1)
        let start = bench.transport.senders[0].window.bytes / 1460
        let maximum = start / 0.7
        #expect(maximum > 600 && maximum < 1200)
        let delay = CubicWindow.cubeRoot(maximum * 0.3 / 0.4)
        // Recovery ends with the second round trip; the curve begins with the first acknowledgement after it.
        bench.run(until: .milliseconds(210))
        let epoch = 0.2
        for step in 1...(Int(delay * 10) + 40) {
            let time = Double(step) * 0.1
            bench.run(until: .milliseconds((epoch + time) * 1000 + 10))
            let curve = 0.4 * (time - delay) * (time - delay) * (time - delay) + maximum
            let window = bench.transport.senders[0].window.bytes / 1460
            #expect(abs(window - curve) < 0.02 * curve, "after \(time) s: \(window) against \(curve)")
        }
        #expect(bench.transport.counters.fastRecoveries == 1)
    }

    @Test func `at short round trips the window grows as Reno's would, by 0.53 segments each`() {
        var cubic = CubicWindow()
        cubic.noteLoss(window: 100)
        var window = 70.0
        var time: UInt64 = 0
        for _ in 0..<20 {
            let before = window
            for _ in 0..<Int(before) {
                time += 100_000_000 / UInt64(before)
                window = cubic.grown(from: window, by: 1, roundTrip: 100_000_000, at: time)
            }
            #expect(abs(window - before - CubicWindow.renoGain) < 0.03)
        }
        #expect(abs(CubicWindow.renoGain - 0.5294) < 0.0001)
    }

    @Test func `a second loss below the first maximum leaves room for others`() {
        func windowAfterLong(_ losses: [Double]) -> Double {
            var cubic = CubicWindow()
            for loss in losses { cubic.noteLoss(window: loss) }
            // The window at which the curve is flat: where it is for long.
            var window = 0.7 * losses.last!
            let delay = CubicWindow.cubeRoot((losses.last! - window) / 0.4)
            for step in 0..<Int(delay * 1000) {
                let time = UInt64(step) * 1_000_000_000
                window = cubic.grown(from: window, by: window / 100, roundTrip: 100_000_000_000, at: time)
            }
            return window
        }
        #expect(abs(windowAfterLong([1000]) - 1000) < 15)
        // (1 + 0.7) / 2 of 1000; its curve is a little past its maximum by then.
        #expect(abs(windowAfterLong([2000, 1000]) - 850) < 40)
    }

    @Test func `time without anything to send does not count, and never reaches beyond the present`() {
        var cubic = CubicWindow()
        cubic.noteLoss(window: 100)
        _ = cubic.grown(from: 70, by: 1, roundTrip: 1_000_000_000, at: .milliseconds(1000))
        var same = cubic
        cubic.skip(.milliseconds(5000), at: .milliseconds(6000))
        let after = cubic.grown(from: 71, by: 1, roundTrip: 1_000_000_000, at: .milliseconds(6000))
        #expect(after == same.grown(from: 71, by: 1, roundTrip: 1_000_000_000, at: .milliseconds(1000)))
        cubic.skip(.milliseconds(7000), at: .milliseconds(6001))
        #expect(cubic.grown(from: 71, by: 1, roundTrip: 1_000_000_000, at: .milliseconds(6001)) >= 71)
    }

    @Test(arguments: [0.001, 1, 8, 27, 750, 1e9]) func `cube roots are right`(value: Double) {
        let root = CubicWindow.cubeRoot(value)
        #expect(abs(root * root * root - value) < 1e-9 * value)
    }
}
