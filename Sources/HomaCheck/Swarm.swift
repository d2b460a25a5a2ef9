// SPDX-License-Identifier: Apache-2.0

@_spi(Testing) public import HomaCore

/// What runs of the swarm are judged by, beside the rules.
public struct SwarmSettings: Sendable {
    /// DATA packets sent for each that was needed, at most, where nothing is lost, overtaken or stands still.
    public var packetFactor = Self.defaultPacketFactor
    /// Bytes that a stranger is sent for each of its own, at most. The goal is 3.
    public var replyFactor = Self.defaultReplyFactor
    /// A run that comes to more events does not end.
    public var mostEvents = 2_000_000
    /// Leaves out the calls that are made after everything has come to rest.
    public var skipsProbes = false
    @_spi(Testing) public var plant: PlantedFault?

    public static var defaultPacketFactor: Double { 1.1 }
    public static var defaultReplyFactor: Double { 3 }

    public init() {}
}

/// What came of one seed.
public struct SwarmOutcome: Sendable {
    public var seed: UInt64
    public var violation: Violation?
    public var calls = 0
    public var packets = 0
    /// Time that passed on the network's clock.
    public var nanoseconds: UInt64 = 0
    /// DATA packets sent for each that was needed; nil where that says nothing.
    public var packetFactor: Double?
    /// The most that any stranger was sent for a byte of its own; nil without strangers.
    public var replyFactor: Double?
    /// What the run was cut down to, so that it still breaks the rule.
    public var limits = SwarmLimits()
    /// The last events, one a line; empty unless asked for.
    public var trace: [String] = []

    /// The one command that repeats it.
    public var replay: String { "homa check swarm --seeds \(seed)\(limits.arguments) --trace" }
}

/// Many hosts under many faults, one seed after the other.
public enum Swarm {
    /// Runs one seed. The same arguments give the same outcome, on any machine and in any company.
    public static func run(
        seed: UInt64, limits: SwarmLimits = SwarmLimits(), settings: SwarmSettings = SwarmSettings(),
        keepsTrace: Bool = false
    ) -> SwarmOutcome {
        var outcome = SwarmOutcome(seed: seed)
        outcome.limits = limits
        let plan = SwarmPlan(seed: seed, limits: limits)
        do {
            let run = try SwarmRun(plan, settings)
            run.run()
            outcome.violation = run.violation
            outcome.calls = run.calls.count
            outcome.packets = run.packets
            outcome.nanoseconds = run.now
            outcome.packetFactor = run.packetFactor
            outcome.replyFactor = run.replyFactor
            if keepsTrace { outcome.trace = describe(plan) + run.trace.lines }
        } catch {
            outcome.violation = Violation(
                rule: .noTrap, seed: seed, nanoseconds: 0, rpc: 0, detail: "the run does not begin: \(error)")
        }
        return outcome
    }

    /// The run in words, before its trace.
    private static func describe(_ plan: SwarmPlan) -> [String] {
        var lines = [
            "seed \(plan.seed): \(plan.operations.count) operations, faults \(plan.faults.text), heals at "
                + "\(plan.length / 1000) µs, \(plan.delay / 1000) µs away"
        ]
        for (index, host) in plan.hosts.enumerated() {
            lines.append(
                "host \(index): \(host.shards) shards, \(host.isKernel ? "kernel dialect, " : "")"
                    + "\(host.regionLength >> 20) MB, link \(plan.rates[index] / 1_000_000) Mb/s, "
                    + "\(host.linkBytes) bytes, poll \(host.pollDelay / 1000) µs, service \(host.serviceTime / 1000) µs"
                    + (host.sendsTrains ? ", sends trains" : "") + (host.joinsTrains ? ", joins trains" : "")
                    + (host.forecasts ? ", forecasts" : "") + (host.bundles ? ", bundles" : ""))
        }
        for incident in plan.incidents {
            lines.append(
                "incident \(incident.kind) at \(incident.time / 1000) µs for \(incident.length / 1000) µs, host "
                    + "\(incident.host)")
        }
        return lines
    }

    /// Cuts a run down as long as it breaks the same rule.
    public static func shrink(_ outcome: SwarmOutcome, settings: SwarmSettings) -> SwarmOutcome {
        Seeds.shrink(outcome) { limits in
            RunSize(SwarmPlan(seed: outcome.seed, limits: limits))
        } run: { limits in
            run(seed: outcome.seed, limits: limits, settings: settings)
        }
    }

    /// Runs seeds on so many threads, each by itself, and hands over the outcomes as they come.
    /// - Parameters:
    ///   - until: no seed begins after it.
    ///   - handle: false ends the sweep, when the seeds that have begun are over.
    public static func sweep(
        _ seeds: ClosedRange<UInt64>, jobs: Int, limits: SwarmLimits = SwarmLimits(),
        settings: SwarmSettings = SwarmSettings(), until: ContinuousClock.Instant? = nil,
        handle: (SwarmOutcome) async throws -> Bool
    ) async rethrows {
        try await Seeds.sweep(
            seeds, jobs: jobs, until: until, run: { run(seed: $0, limits: limits, settings: settings) }, handle: handle)
    }
}

extension SwarmOutcome: SeedOutcome {
    package var brokenRule: String? { violation?.rule.rawValue }
}

extension RunSize {
    fileprivate init(_ plan: SwarmPlan) {
        self.init(
            faults: plan.faults, incidents: plan.incidents.count, hosts: plan.hosts.count, calls: plan.operations.count,
            length: plan.length)
    }
}
