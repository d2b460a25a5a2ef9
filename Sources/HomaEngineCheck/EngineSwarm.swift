// SPDX-License-Identifier: Apache-2.0

import HomaBase
public import HomaCheck

@_spi(Testing) public import HomaCore

/// What runs of whole engines may be given beside their seed.
@_spi(Testing)
public struct EngineSettings: Sendable {
    /// Put into every endpoint.
    public var plant: PlantedFault?
    /// The clocks of machines that sleep stand still, as CLOCK_MONOTONIC does and the clock of engines does not.
    public var sleepStopsClocks = false
    /// What is changed in every host's configuration.
    public var change: @Sendable (inout EndpointConfiguration) -> Void = { _ in }

    public init() {}
}

/// Whole engines, with shards, trains, inboxes and sleep, under many faults, one seed after the other.
public enum EngineSwarm {
    /// Runs one seed. The same arguments give the same outcome, on any machine and in any company.
    public static func run(
        seed: UInt64, limits: SwarmLimits = SwarmLimits(), keepsTrace: Bool = false
    ) -> EngineOutcome {
        run(seed: seed, limits: limits, settings: EngineSettings(), keepsTrace: keepsTrace)
    }

    @_spi(Testing)
    public static func run(
        seed: UInt64, limits: SwarmLimits = SwarmLimits(), settings: EngineSettings, keepsTrace: Bool = false
    ) -> EngineOutcome {
        var outcome = EngineOutcome(seed: seed, limits: limits)
        do {
            let run = try EngineRun(EnginePlan(seed: seed, limits: limits), settings, keepsTrace: keepsTrace)
            run.run()
            run.report(&outcome)
            if outcome.broken == nil, let left = run.unreleased() {
                outcome.broken = .released
                outcome.detail = left
            }
        } catch {
            outcome.broken = .noTrap
            outcome.detail = "the run does not begin: \(error)"
        }
        return outcome
    }

    /// Cuts a run down as long as it breaks the same rule, and tells the last events of the RPC concerned.
    public static func shrink(_ outcome: EngineOutcome) -> EngineOutcome { shrink(outcome, settings: EngineSettings()) }

    @_spi(Testing)
    public static func shrink(
        _ outcome: EngineOutcome, settings: EngineSettings, most: Int = 80, time: Duration = .seconds(10)
    ) -> EngineOutcome {
        let small = Seeds.shrink(outcome, most: most, time: time) { limits in
            RunSize(EnginePlan(seed: outcome.seed, limits: limits))
        } run: { limits in
            run(seed: outcome.seed, limits: limits, settings: settings)
        }
        guard small.broken != nil else { return small }
        return run(seed: small.seed, limits: small.limits, settings: settings, keepsTrace: true)
    }

    /// Runs seeds on so many threads, each by itself, and hands over the outcomes as they come.
    ///
    /// - Parameters:
    ///   - until: no seed begins after it.
    ///   - handle: false ends the sweep, when the seeds that have begun are over.
    public static func sweep(
        _ seeds: ClosedRange<UInt64>, jobs: Int, limits: SwarmLimits = SwarmLimits(),
        until: ContinuousClock.Instant? = nil, handle: (EngineOutcome) async throws -> Bool
    ) async rethrows {
        try await Seeds.sweep(
            seeds, jobs: jobs, until: until, run: { run(seed: $0, limits: limits) }, handle: handle)
    }
}

extension RunSize {
    fileprivate init(_ plan: EnginePlan) {
        self.init(
            faults: plan.faultSet, incidents: plan.incidents.count, hosts: plan.hosts.count,
            calls: plan.operations.count, length: plan.heals.nanoseconds)
    }
}
