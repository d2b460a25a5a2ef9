// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaSim
import HomaWorkloads
import Testing

@Suite struct ScenarioValidationTests {
    private func scenario(_ change: (inout Scenario) -> Void = { _ in }) -> Scenario {
        var scenario = Scenario(
            topology: .named("fabric-10g")!, transport: .homa(HomaTransportConfiguration(preset: .sigcomm2018)),
            traffic: TrafficConfiguration(sizes: .w4))
        change(&scenario)
        return scenario
    }

    private func refusal(_ change: (inout Scenario) -> Void) -> ScenarioError? {
        do {
            try scenario(change).validated()
            return nil
        } catch { return error }
    }

    @Test(arguments: TopologyConfiguration.presetNames, HomaPreset.allCases)
    func `every topology preset is valid with every Homa preset`(name: String, preset: HomaPreset) throws {
        let one = scenario {
            $0.topology = .named(name)!
            $0.transport = .homa(HomaTransportConfiguration(preset: preset))
        }
        try one.validated()
    }

    @Test func `a load above one needs leave, and names both`() {
        let error = refusal { $0.traffic.load = 1.2 }
        #expect(error?.field == "traffic.load")
        #expect(error?.value == "1.2")
        #expect(error?.permitted.contains("allow_overload") == true)
        #expect(
            refusal {
                $0.traffic.load = 1.2
                $0.traffic.allowsOverload = true
            } == nil)
        #expect(refusal { $0.traffic.load = .nan }?.field == "traffic.load")
    }

    @Test func `a load so small that simulated time would end first is refused`() {
        for load in [1e-12, 1e-300, Double.leastNonzeroMagnitude] {
            let error = refusal { $0.traffic.load = load }
            #expect(error?.field == "traffic.load" && error?.permitted.contains("at least") == true)
            #expect(
                refusal {
                    $0.traffic.load = load
                    $0.length.duration = .milliseconds(1)
                }?.field == "traffic.load")
        }
        #expect(refusal { $0.traffic.load = 1e-4 } == nil)
        #expect(refusal { $0.length.messages = 1 << 40 }?.field == "traffic.load")
    }

    @Test(arguments: [0, -1, Int.max, Int.min])
    func `settings that cutoffs are worked out from are looked at first`(value: Int) {
        func change(_ set: (inout EndpointConfiguration) -> Void) -> String? {
            var homa = HomaTransportConfiguration(preset: .sigcomm2018)
            homa.cutoffs = .fromWorkload
            set(&homa.endpoint)
            return refusal { $0.transport = .homa(homa) }?.field
        }
        #expect(change { $0.priorityLevels = value } == "transport.endpoint.priorityLevels")
        #expect(change { $0.segmentBytes = value } == "transport.endpoint.segmentBytes")
    }

    @Test func `there must be hosts`() {
        #expect(refusal { $0.topology.shape = .singleSwitch(hosts: 0) }?.field == "topology.hosts")
        let spineless = refusal { $0.topology.shape = .leafSpine(leaves: 2, hostsPerLeaf: 2, spines: 0) }
        #expect(spineless?.field == "topology.spines")
    }

    @Test func `a buffer smaller than a packet is refused, and the least is named`() {
        let error = refusal {
            $0.topology.leafSwitch = SwitchConfiguration(buffer: .shared, bufferBytes: 1000)
        }
        #expect(error?.field == "topology.leaf.buffer_bytes")
        #expect(error?.permitted.contains("at least 1518") == true)
        // 20 ports with a pool each.
        let parts = refusal {
            $0.topology.leafSwitch = SwitchConfiguration(buffer: .perPort, bufferBytes: 20_000)
        }
        #expect(parts?.permitted.contains("at least \(20 * 1518)") == true)
    }

    @Test func `an endpoint setting that cannot work is named with its path`() {
        let error = refusal {
            var homa = HomaTransportConfiguration(preset: .default)
            homa.endpoint.overcommitment = 0
            $0.transport = .homa(homa)
        }
        #expect(error?.field == "transport.endpoint.overcommitment")
    }

    @Test func `more senders than other hosts are refused`() {
        #expect(refusal { $0.traffic.pattern = .incast(senders: 144) }?.field == "traffic.senders")
        #expect(refusal { $0.traffic.activeHosts = 1 }?.field == "traffic.active_hosts")
    }

    @Test func `chips are found by name and know their microseconds`() throws {
        let chip = try #require(SwitchChip.named("Tomahawk3"))
        #expect(chip.microseconds == 40)
        #expect(chip.bufferBytes == 64_000_000)
        #expect(SwitchChip.named("abacus") == nil)
    }
}
