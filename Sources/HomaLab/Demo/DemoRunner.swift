// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import HomaBase
import HomaBench
import HomaPosix

/// What the demo makes its loaded link of.
package enum DemoNetworkChoice: String, CaseIterable, Sendable {
    /// The first of the others that works.
    case automatic
    case root
    case user
    case simulator
}

/// Runs the demo's measurements. Rivals take turns.
package struct DemoRunner {
    let seed: UInt64
    let network: DemoNetworkChoice

    package init(seed: UInt64, network: DemoNetworkChoice) {
        self.seed = seed
        self.network = network
    }

    private let start = ContinuousClock.now
    private static let rounds = 2

    package func run() -> DemoMeasurements {
        var measurements = DemoMeasurements()
        measurements.idle = idle()
        measurements.link = link()
        return measurements
    }

    // MARK: The idle network

    private func idle() -> DemoIdle {
        var idle = DemoIdle()
        let meter = DisturbanceMeter()
        note("idle network: round trips and goodput, Homa, TCP and raw UDP, about 5 s …")
        idle.roundTrip = rounds(of: [.udp, .homa, .tcp], &idle) { carrier, idle in
            try DemoServer(carrier).measure("ping", ["--for", "150ms", "--warm-up", "50ms"]).client.value("rtt_p50")
        }.compactMapValues { $0.min() }
        idle.goodput = rounds(of: [.homa, .tcp], &idle) { carrier, idle in
            let (client, server) = try DemoServer(carrier).measure(
                "bench",
                [
                    "--workload", "500K", "--outstanding", "8", "--response-size", "100", "--for", "300ms", "--warm-up",
                    "100ms", "--seed", "\(seed)",
                ])
            idle.memory = idle.memory.merged(
                with: DemoMemory(
                    touched: server.value("bpages_touched") ?? 0, highWater: server.value("bpages_high_water") ?? 0))
            return client.value("goodput")
        }.compactMapValues { $0.max() }
        idle.disturbance = meter.finish()
        return idle
    }

    private func rounds(
        of carriers: [ProtocolChoice], _ idle: inout DemoIdle,
        _ measure: (ProtocolChoice, inout DemoIdle) throws -> Double?
    ) -> [ProtocolChoice: [Double]] {
        var values: [ProtocolChoice: [Double]] = [:]
        for _ in 0..<Self.rounds {
            for carrier in carriers {
                do {
                    if let value = try measure(carrier, &idle) { values[carrier, default: []].append(value) }
                } catch { idle.failures.append("idle network: \(error)") }
            }
        }
        return values
    }

    // MARK: The loaded link

    private func link() -> DemoLink {
        let timeline = DemoTimeline()
        guard network != .simulator else {
            return DemoSimulatedLink(seed: seed, reason: "asked for").run()
        }
        let rights: [IsolatedLab.Right] =
            switch network {
            case .root: [.root]
            case .user: [.userNamespace]
            default: geteuid() == 0 ? [.root, .userNamespace] : [.userNamespace]
            }
        do {
            let rate = DemoLinkRunner.rate(freeProcessors: ProcessorShare.free())
            let lab = try IsolatedLab.make(DemoLinkRunner.description(rate: rate), rights: rights)
            defer { lab.end() }
            return DemoLinkRunner(lab: lab, seed: seed, timeline: timeline).run { ContinuousClock.now - start }
        } catch {
            note("no network can be made here (\(error)): the simulator takes its place")
            return DemoSimulatedLink(seed: seed, reason: "\(error)").run()
        }
    }
}

/// How much of the machine this process could have now.
enum ProcessorShare {
    /// Processors that a thread on each of them gets, measured for a tenth of a second.
    static func free(processors: Int = sysconf(Int32(_SC_NPROCESSORS_ONLN)), milliseconds: UInt64 = 100) -> Double {
        let before = seconds(CLOCK_PROCESS_CPUTIME_ID)
        let start = seconds(CLOCK_MONOTONIC)
        let end = MonotonicClock.nanoseconds() + milliseconds * 1_000_000
        let done = DispatchGroup()
        for _ in 0..<max(1, processors) {
            done.enter()
            Thread {
                while MonotonicClock.nanoseconds() < end {}
                done.leave()
            }.start()
        }
        done.wait()
        return (seconds(CLOCK_PROCESS_CPUTIME_ID) - before) / max(1e-3, seconds(CLOCK_MONOTONIC) - start)
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
