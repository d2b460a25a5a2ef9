// SPDX-License-Identifier: Apache-2.0

import HomaBase
package import HomaBench

/// The demo's results for people.
package struct DemoReport {
    let measurements: DemoMeasurements
    let environment: RunEnvironment
    let seed: UInt64

    package init(measurements: DemoMeasurements, environment: RunEnvironment, seed: UInt64) {
        self.measurements = measurements
        self.environment = environment
        self.seed = seed
    }

    package var verdict: DemoVerdict { DemoVerdict(measurements) }

    package func render() -> String {
        let verdict = verdict
        var parts = ["\(environment.summary), seed \(seed)", idle]
        if let link = measurements.link { parts += [title(link), levels(link), overload(link)] }
        parts += [memory, disturbance]
        if !verdict.isGood { parts.append(verdict.failures.map { "FAILED: \($0)" }.joined(separator: "\n")) }
        return (parts + [verdict.sentence]).joined(separator: "\n\n")
    }

    // MARK: The idle network

    private var idle: String {
        var table = TextTable([
            .init("Idle network: two processes on loopback", .left), .init("Homa"), .init("TCP"),
            .init("raw UDP"),
        ])
        let trips = measurements.idle.roundTrip
        table.add(
            ["100-byte round trip, p50 (µs)"]
                + [trips[.homa], trips[.tcp], trips[.udp]].map { fixed(($0 ?? .nan) / 1000, 1) })
        let goodput = measurements.idle.goodput
        table.add(
            ["500 KB requests, goodput (Gb/s)"] + [goodput[.homa], goodput[.tcp]].map { gigabits($0 ?? .nan) } + ["–"])
        return table.render()
    }

    // MARK: The loaded link

    private func title(_ link: DemoLink) -> String {
        let place =
            switch link.place {
            case .namespaces(.root): "emulated in network namespaces"
            case .namespaces(.userNamespace): "emulated in a user namespace"
            case .simulator(let reason): "SIMULATED, because \(reason)"
            }
        let rest =
            link.place.isSimulated
            ? "Short means the shorter half; slowdown is time ÷ time alone."
            : "Short means under 1500 bytes; slowdown is time ÷ that of the fastest, \(alone(link))."
        let rate = "\(megabits(Double(link.rate.bitsPerSecond))) Mb/s"
        return """
            Loaded link: \(link.hosts) hosts, \(rate) to each, one switch with 8 priorities, \(place).
            Requests of 50 bytes to 1 MB (workload W4) are echoed; TCP is cubic with TCP_NODELAY.
            \(rest)
            """
    }

    private func alone(_ link: DemoLink) -> String { Self.fastest(link).map(DemoVerdict.milliseconds) ?? "–" }

    /// The fastest short message of all.
    static func fastest(_ link: DemoLink) -> Double? {
        link.carriers.flatMap { [$0.half, $0.high, $0.overload] }.compactMap(\.shortMinimum).min()
    }

    /// How many times as long short messages took as alone, at the 99th percentile.
    static func slowdown(_ phase: DemoPhase, _ link: DemoLink) -> Double? {
        if let known = phase.slowdownP99 { return known }
        guard let time = phase.shortP99, let alone = fastest(link), alone > 0 else { return nil }
        return time / alone
    }

    private func table(_ heading: String, _ link: DemoLink) -> TextTable {
        TextTable([.init(heading, .left)] + link.carriers.map { .init($0.name) })
    }

    private func levels(_ link: DemoLink) -> String {
        var table = table("", link)
        for path in [\DemoCarrier.half, \.high] {
            let load = DemoVerdict.percent(link.homa[keyPath: path].load)
            func row(_ label: String, _ text: (DemoPhase) -> String) {
                table.add(["\(load) load: \(label)"] + link.carriers.map { text($0[keyPath: path]) })
            }
            row("short messages, p50 (ms)") { milliseconds($0.shortP50) }
            row("short messages, p99 (ms)") { milliseconds($0.shortP99) }
            row("short messages, p99 slowdown") { Self.slowdown($0, link).map { fixed($0, 0) } ?? "–" }
            row("messages of all sizes, p99 (ms)") { milliseconds($0.allP99) }
        }
        return table.render()
    }

    private func overload(_ link: DemoLink) -> String {
        let seconds = fixed(link.overloadSeconds, 0)
        var table = table("Overload: \(DemoVerdict.percent(link.homa.overload.load)) load for \(seconds) s", link)
        table.add(["short messages, p99 (ms)"] + link.carriers.map { milliseconds($0.overload.shortP99) })
        if !link.place.isSimulated {
            let load = DemoVerdict.percent(link.afterLoad)
            table.add(["at \(load) load again: back to normal after"] + link.carriers.map { $0.recovery?.text ?? "–" })
            if link.carriers.contains(where: { $0.unanswered > 0 }) {
                table.add(["requests without an answer at the end"] + link.carriers.map { "\($0.unanswered)" })
            }
            table.add(["goodput, from the overload on (Mb/s)"] + link.carriers.map { megabits($0.overload.goodput) })
        }
        return table.render()
    }

    private func milliseconds(_ nanoseconds: Double?) -> String {
        guard let value = nanoseconds.map({ $0 / 1e6 }) else { return "–" }
        return fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0)
    }

    private func megabits(_ bitsPerSecond: Double) -> String { fixed(bitsPerSecond / 1e6, 0) }

    // MARK: The rest

    private var memory: String {
        let memory = Self.memory(measurements)
        let megabytes = fixed(memory.highWater * 65_536 / 1e6, 1)
        return "Memory: of 1024 bpages (64 KB each) a Homa node touched \(fixed(memory.touched, 0)) at most and had "
            + "\(fixed(memory.highWater, 0)) in use at once (\(megabytes) MB)."
    }

    static func memory(_ measurements: DemoMeasurements) -> DemoMemory {
        (measurements.link?.carriers ?? []).reduce(measurements.idle.memory) { $0.merged(with: $1.memory) }
    }

    private var disturbance: String {
        let disturbance = measurements.disturbance
        let wait = disturbance.waitMicroseconds.map {
            ", and a thread waited \(fixed($0 / 1000, 2)) ms for one"
        }
        let shares = "other programs took \(DemoVerdict.percent(disturbance.others)) of its processors"
        let stolen =
            disturbance.stolen > 0.005 ? ", the hypervisor \(DemoVerdict.percent(disturbance.stolen))" : ""
        let facts = shares + stolen + (wait ?? "")
        guard disturbance.isBusy else { return "This machine was quiet: \(facts)." }
        guard measurements.link?.place.isSimulated != true else {
            return """
                This machine was busy: \(facts).
                The idle network's figures are worse than it can do, and change from run to run; the simulated do not.
                """
        }
        return """
            This machine was busy: \(facts).
            The idle network's figures are worse than it can do, and change from run to run. On the loaded link they
            change by milliseconds, which Homa's short messages show and those in TCP's queues do not.
            """
    }
}
