// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
import Testing

@testable import HomaLab

/// Measurements as a demo has them, with what matters put in.
enum MadeUp {
    static let quiet = Disturbance(others: 0.02, stolen: 0, waitMicroseconds: 10)
    static let busy = Disturbance(others: 0.47, stolen: 0.01, waitMicroseconds: 1200)

    static func carrier(
        _ name: String, _ key: String, high: Double, overload: Double, recovery: DemoRecovery? = .after(seconds: 0)
    ) -> DemoCarrier {
        var carrier = DemoCarrier(name: name, key: key)
        for path in [\DemoCarrier.half, \.high, \.overload] {
            carrier[keyPath: path].shortCount = 300
            carrier[keyPath: path].shortMinimum = 0.1e6
            carrier[keyPath: path].shortP50 = 0.3e6
            carrier[keyPath: path].allP99 = 400e6
            carrier[keyPath: path].goodput = 80e6
        }
        carrier.half.shortP99 = 2e6
        carrier.high.shortP99 = high * 1e6
        carrier.overload.shortP99 = overload * 1e6
        carrier.recovery = recovery
        carrier.disturbance = quiet
        return carrier
    }

    /// Times in milliseconds.
    static func measurements(
        homa: Double = 4, tcp: Double = 900, pool: Double = 600, overload: Double = 5, tcpOverload: Double = 3500,
        recovery: DemoRecovery = .after(seconds: 0), tcpRecovery: DemoRecovery = .notWithin(seconds: 2),
        place: DemoLink.Place = .namespaces(.root)
    ) -> DemoMeasurements {
        var measurements = DemoMeasurements()
        measurements.idle.roundTrip = [.homa: 10_000, .tcp: 12_000, .udp: 8000]
        measurements.idle.goodput = [.homa: 20e9, .tcp: 18e9]
        measurements.idle.memory = DemoMemory(touched: 60, highWater: 50)
        measurements.idle.disturbance = quiet
        measurements.link = DemoLink(
            place: place, rate: .megabitsPerSecond(100), hosts: 3,
            carriers: [
                carrier("Homa", "homa", high: homa, overload: overload, recovery: recovery),
                carrier("TCP, 1 connection", "tcp", high: tcp, overload: tcpOverload, recovery: tcpRecovery),
                carrier("TCP, 8 connections", "tcp-pool", high: pool, overload: tcpOverload + 1, recovery: tcpRecovery),
            ], overloadSeconds: 2, afterSeconds: 2, afterLoad: 0.3)
        return measurements
    }
}

@Suite("The demo's last sentence")
struct DemoVerdictTests {
    private func sentence(_ measurements: DemoMeasurements) -> String { DemoVerdict(measurements).sentence }

    @Test("where Homa is faster it says how much, against the better TCP, with every figure")
    func better() {
        let verdict = DemoVerdict(MadeUp.measurements())
        #expect(verdict.isGood)
        #expect(
            verdict.sentence
                == "On a link of 100 Mb/s at 80 % load Homa was 150 times as fast as TCP: 99 of 100 short "
                + "messages took at most 4.00 ms over Homa and 600 ms over TCP, 8 connections; and at twice that load "
                + "5.00 ms and 3500 ms, back to normal at once and after more than 2.0 s.")
    }

    @Test("where the figures do not differ it says that Homa was no better", arguments: [0.7, 1.0, 1.45])
    func equal(ratio: Double) {
        let text = sentence(MadeUp.measurements(homa: 100, tcp: 100 * ratio, pool: 1000))
        #expect(text.contains("Homa was no better than TCP") && !text.contains("times as fast"))
        #expect(text.contains("100 ms over Homa") && text.contains("over TCP, 1 connection"))
    }

    @Test("where Homa is slower it says so, and how much")
    func worse() {
        let text = sentence(MadeUp.measurements(homa: 100, tcp: 20, pool: 40))
        #expect(text.contains("Homa was worse than TCP, 5.0 times as slow"))
        #expect(!text.contains("as fast as"))
    }

    @Test("an overload that turns the order round is told with 'but'")
    func turned() {
        #expect(
            sentence(MadeUp.measurements(overload: 5000)).contains("; but at twice that load 5000 ms"))
        #expect(sentence(MadeUp.measurements(overload: 5)).contains("; and at twice"))
        let worse = MadeUp.measurements(homa: 100, tcp: 20, pool: 40, overload: 5)
        #expect(sentence(worse).contains("; but at twice that load 5.00 ms"))
    }

    @Test("a Homa that does not recover is told of, as is a TCP that does")
    func recovery() {
        let stuck = sentence(MadeUp.measurements(recovery: .notWithin(seconds: 2)))
        #expect(stuck.contains("Homa was not back to normal within 2.0 s") && !stuck.contains("at once"))
        let both = MadeUp.measurements(recovery: .after(seconds: 0.3), tcpRecovery: .after(seconds: 0.3))
        #expect(sentence(both).contains("both back to normal after 0.3 s"))
        let sooner = MadeUp.measurements(recovery: .after(seconds: 1.2), tcpRecovery: .after(seconds: 0))
        #expect(sentence(sooner).contains("back to normal after 1.2 s and at once"))
    }

    @Test("on a busy machine it says how busy; on a quiet one nothing")
    func busy() {
        var measurements = MadeUp.measurements()
        #expect(!sentence(measurements).contains("other programs"))
        measurements.link?.carriers[2].disturbance = MadeUp.busy
        #expect(sentence(measurements).hasSuffix(", while other programs took 48 % of this machine."))
    }

    @Test("the simulator is named in the sentence, and nothing is said of a recovery or of a busy machine")
    func simulated() {
        var measurements = MadeUp.measurements(place: .simulator(because: "no namespaces"))
        for index in 0..<3 { measurements.link?.carriers[index].recovery = nil }
        measurements.idle.disturbance = MadeUp.busy
        let text = sentence(measurements)
        #expect(!text.contains("other programs"))
        #expect(text.hasPrefix("In the simulator, on a link of 100 Mb/s") && !text.contains("normal"))
    }

    @Test("any failure takes the place of the comparison, whatever the figures", arguments: 0..<3)
    func failed(carrier: Int) {
        var measurements = MadeUp.measurements()
        measurements.link?.carriers[carrier].failures = ["X: 12 of 900 requests failed (timeout)"]
        let verdict = DemoVerdict(measurements)
        #expect(!verdict.isGood)
        #expect(verdict.sentence.contains("compares nothing, because something failed: X: 12 of 900 requests failed"))
        #expect(!verdict.sentence.contains("times as fast"))
    }

    @Test("a failure on a busy machine says both")
    func failedBusy() {
        var measurements = MadeUp.measurements()
        measurements.idle.failures = ["idle network: no server", "idle network: no client"]
        measurements.idle.disturbance = MadeUp.busy
        let text = sentence(measurements)
        #expect(text.contains("no server (and 1 more, above), while other programs took 48 %"))
    }

    @Test("a collapse is a failure and no result: Homa's, TCP's on an idle network, or of both kinds of TCP")
    func collapse() {
        var homa = MadeUp.measurements()
        homa.link?.carriers[0].overload.goodput = 20e6
        #expect(sentence(homa).contains("Homa: collapsed under overload to 20 Mb/s of 100"))
        var pool = MadeUp.measurements()
        pool.link?.carriers[2].overload.goodput = 20e6
        #expect(DemoVerdict(pool).isGood)
        pool.link?.carriers[1].overload.goodput = 20e6
        #expect(DemoVerdict(pool).failures.count == 2)
        for carrier in [ProtocolChoice.homa, .tcp] {
            var idle = MadeUp.measurements()
            idle.idle.goodput[carrier] = 0.5e9
            #expect(sentence(idle).contains("collapsed to 0.50 Gb/s"))
        }
    }

    @Test("without a figure there is no comparison")
    func nothing() {
        var measurements = MadeUp.measurements()
        measurements.link?.carriers[0].high.shortP99 = nil
        #expect(!DemoVerdict(measurements).isGood)
        #expect(sentence(measurements).contains("no short message was answered"))
        var idle = MadeUp.measurements()
        idle.idle.goodput = [:]
        #expect(sentence(idle).contains("no goodput was measured"))
    }
}
