// SPDX-License-Identifier: Apache-2.0

import HomaCheck
import Testing

/// Few and small runs of the swarm; `homa check swarm` makes many and large ones.
@Suite("A swarm of hosts keeps the rules")
struct SwarmTests {
    /// Runs seeds with no faults but these, and expects that no rule is broken.
    private func expectGood(_ faults: [FaultKind], seeds: Range<UInt64> = 0..<8) {
        var limits = SwarmLimits()
        limits.faults = FaultSet(faults)
        limits.calls = 40
        for seed in seeds {
            let outcome = Swarm.run(seed: seed, limits: limits)
            #expect(outcome.violation == nil, "\(outcome.text)")
        }
    }

    @Test("on a network without faults every call is answered, and nothing is left behind")
    func calm() { expectGood([]) }

    @Test("calls end once and with the right bytes though packets are lost, doubled, late and out of order")
    func packets() { expectGood([.loss, .duplication, .reordering, .lateness]) }

    @Test("packets that are cut short are believed as far as they go")
    func truncation() { expectGood([.truncation, .reordering]) }

    @Test("hosts that stand still, and clocks that leap, cost time and nothing else")
    func pauses() { expectGood([.pause, .clock, .stall]) }

    @Test("ways that are cut, slow or too narrow let calls fail, but not hang")
    func ways() { expectGood([.partition, .slow, .narrowing]) }

    @Test("strangers who claim, grant and ask for what they like disturb no call")
    func strangers() { expectGood([.strangers, .stall]) }

    @Test("a seed gives the same outcome every time, and a shorter list of faults leaves the rest as it is")
    func determinism() {
        for seed in 3..<6 as Range<UInt64> {
            let first = Swarm.run(seed: seed, keepsTrace: true)
            let second = Swarm.run(seed: seed, keepsTrace: true)
            #expect(first.packets == second.packets && first.nanoseconds == second.nanoseconds)
            #expect(first.trace == second.trace)
            var limits = SwarmLimits()
            limits.faults = FaultSet([])
            #expect(Swarm.run(seed: seed, limits: limits).calls == first.calls)
        }
    }

    @Test("many seeds at once give what each gives alone")
    func sweep() async {
        var packets: [UInt64: Int] = [:]
        await Swarm.sweep(0...7, jobs: 4) { outcome in
            packets[outcome.seed] = outcome.packets
            return true
        }
        for seed in 0...7 as ClosedRange<UInt64> { #expect(packets[seed] == Swarm.run(seed: seed).packets) }
    }
}

@Suite("One part of the core by itself")
struct PartTests {
    @Test("every packet that the parser accepts reads the same when it is written again")
    func packets() {
        var check = PacketCheck(seed: 5)
        check.run(50_000)
        #expect(check.problem == nil)
        #expect(check.packets == 50_000 && check.accepted > 10_000)
    }

    @Test("an endpoint that is told to let go keeps nothing, whatever was done to it before")
    func endpoint() {
        var check = EndpointCheck(seed: 5)
        check.run(40_000)
        #expect(check.problem == nil)
        #expect(check.lives == 10 && check.packets > 10_000)
    }
}

/// A judge that never says no proves nothing.
@Suite("Faults in the core are found", .enabled(if: PlantedCheck.isPossible))
struct PlantedFaultTests {
    @Test("every planted fault breaks its rule in one of the first seeds", arguments: PlantedCheck.faults)
    func found(fault: String) throws {
        // Some are seldom seen, such as one for which a restart must be neither too quick nor too slow.
        let rare: [String: UInt64] = ["ignoresRestart": 840, "ignoresRemaining": 110, "runsRefused": 30]
        let first = rare[fault] ?? 1
        let outcome = try #require(PlantedCheck.find(fault, from: first, most: 200))
        #expect(outcome.seed != nil, "\(outcome.text)")
    }

    @Test("a run that breaks a rule is cut down to one that still does, and says how to repeat it")
    func shrunk() throws {
        let fault = try #require(PlantedCheck.faults.first { $0 == "keepsLease" })
        let small = try #require(PlantedCheck.shrunk(fault, seed: 1))
        #expect(small.violation?.rule == .regionFree)
        #expect(small.replay.hasPrefix("homa check swarm --seeds 1 --"))
        #expect(small.calls < Swarm.run(seed: 1).calls)
    }
}
