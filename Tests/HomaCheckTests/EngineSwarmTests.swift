// SPDX-License-Identifier: Apache-2.0

import HomaCheck
@_spi(Testing) import HomaCore
@_spi(Testing) import HomaEngineCheck
import Testing

@Suite("Whole engines under seeds")
struct EngineSwarmTests {
    @Test("no seed breaks a rule", arguments: 31...33 as ClosedRange<UInt64>)
    func seeds(seed: UInt64) {
        let outcome = EngineSwarm.run(seed: seed)
        #expect(outcome.broken == nil, "\(outcome.text)")
        #expect(outcome[.calls] > 0 && outcome[.packets] > 0)
    }

    @Test("a seed gives the same run each time", arguments: [3, 4] as [UInt64])
    func repeats(seed: UInt64) {
        #expect(EngineSwarm.run(seed: seed).text == EngineSwarm.run(seed: seed).text)
    }

    @Test("a run that is cut down is named with its limits")
    func limits() {
        var limits = SwarmLimits()
        limits.hosts = 2
        limits.calls = 5
        let outcome = EngineSwarm.run(seed: 9, limits: limits)
        #expect(outcome.replay == "homa check swarm --engine --seeds 9 --hosts 2 --calls 5 --trace")
        #expect(outcome.broken == nil, "\(outcome.text)")
        // Those, and one from either host to the other when the network has healed.
        #expect(outcome[.calls] == 7)
    }

    @Test("the seeds together do what there is to do: trains, refusals, shards that pass on, sleep, bytes in place")
    func coverage() {
        var sum = EngineTally()
        var limits = SwarmLimits()
        limits.calls = 30
        for seed in 1...12 as ClosedRange<UInt64> { sum.add(EngineSwarm.run(seed: seed, limits: limits)) }
        for figure in [.joined, .refused, .passedOn, .sleeps, .bytesInPlace] as [EngineFigure] {
            #expect(sum[figure] > 0, "\(figure)")
        }
    }
}

/// A judge that never says no proves nothing, and neither does an incident that changes nothing.
@Suite("What happens to engines matters")
struct EngineIncidentTests {
    private static func limits(_ kinds: [FaultKind], calls: Int = 30) -> SwarmLimits {
        var limits = SwarmLimits()
        limits.faults = FaultSet(kinds)
        limits.calls = calls
        return limits
    }

    @Test(
        "each kind of incident leaves its marks",
        arguments: [
            (.pause, 158, [.rests, .interrupted, .waited]), (.sleep, 41, [.rests, .interrupted, .missed]),
            (.clock, 162, [.leaps]), (.restart, 188, [.restarts, .strayed]), (.end, 273, [.strayed]),
            (.move, 158, [.moves, .strayed]), (.partition, 158, [.cut]), (.narrowing, 106, [.tooLong]),
        ] as [(FaultKind, UInt64, [EngineFigure])])
    func marks(kind: FaultKind, seed: UInt64, figures: [EngineFigure]) {
        for kinds in [[kind], []] {
            let outcome = EngineSwarm.run(seed: seed, limits: Self.limits(kinds, calls: 10))
            #expect(outcome.broken == nil, "\(outcome.text)")
            for figure in figures { #expect((outcome[figure] > 0) == !kinds.isEmpty, "\(figure): \(outcome.text)") }
        }
    }

    /// Something that is wrong, what it breaks, and which kinds of incidents it takes, each of them.
    struct Fault: CustomTestStringConvertible, Sendable {
        var name: String
        var rule: EngineRule
        var kinds: [FaultKind]
        var seed: UInt64
        var settings = EngineSettings()
        var testDescription: String { "\(name) through \(kinds)" }

        init(
            _ name: String, _ rule: EngineRule, _ kinds: [FaultKind], seed: UInt64,
            _ change: (inout EngineSettings) -> Void
        ) {
            (self.name, self.rule, self.kinds, self.seed) = (name, rule, kinds, seed)
            change(&settings)
        }

        init(_ plant: PlantedFault, _ rule: EngineRule, _ kind: FaultKind, seed: UInt64) {
            self.init("\(plant)", rule, [kind], seed: seed) { $0.plant = plant }
        }
    }

    private static let faults: [Fault] = [
        Fault("clocks that stand still", .ranInTwoLives, [.restart, .sleep], seed: 2488) { $0.sleepStopsClocks = true },
        Fault("answers that are not kept", .picksUp, [.pause], seed: 47) {
            $0.change = { $0.responseRetention = .zero }
        },
    ]

    private static let planted: [Fault] = [
        Fault(.ignoresIdentity, .ranTwice, .move, seed: 70), Fault(.keepsLease, .regionFree, .partition, seed: 30),
    ]

    @Test("what is wrong with a host breaks its rule through what happens to hosts", arguments: faults)
    func found(fault: Fault) { expectFound(fault) }

    @Test(
        "what is planted in the core breaks its rule through what happens to hosts",
        .enabled(if: EndpointConfiguration.takesPlantedFaults), arguments: planted)
    func foundPlanted(fault: Fault) { expectFound(fault) }

    /// The rule is broken with the fault and the incidents, and not without any of them.
    private func expectFound(_ fault: Fault) {
        func run(_ kinds: [FaultKind], _ settings: EngineSettings) -> EngineOutcome {
            EngineSwarm.run(seed: fault.seed, limits: Self.limits(kinds), settings: settings)
        }
        let bad = run(fault.kinds, fault.settings)
        #expect(bad.broken == fault.rule, "\(bad.text)")
        for kind in fault.kinds {
            let calm = run(fault.kinds.filter { $0 != kind }, fault.settings)
            #expect(calm.broken != fault.rule, "\(calm.text)")
        }
        let good = run(fault.kinds, EngineSettings())
        #expect(good.broken == nil, "\(good.text)")
    }

    @Test("a run that breaks a rule is cut down, names its command, and tells what became of the RPC")
    func shrunk() {
        var settings = EngineSettings()
        settings.sleepStopsClocks = true
        var whole = EngineOutcome(seed: 2488, limits: Self.limits([.restart, .sleep], calls: 18))
        whole.broken = .ranInTwoLives
        let small = EngineSwarm.shrink(whole, settings: settings, most: 4, time: .seconds(600))
        #expect(small.broken == .ranInTwoLives && small.limits.incidents ?? .max < 10)
        #expect(small.replay.hasPrefix("homa check swarm --engine --seeds 2488 --"))
        #expect(small.replay.contains("--incidents ") && small.replay.hasSuffix(" --trace"))
        #expect(small.rpcTrace.contains { $0.contains("RPC_UNKNOWN") })
        #expect(small.text.contains(small.rpcTrace.first ?? "no trace") && small.json.contains("\"rpc_trace\":[\""))
        #expect(small.trace.contains { $0.contains("falls asleep") } && small.trace.contains { $0.contains("starts") })
    }
}
