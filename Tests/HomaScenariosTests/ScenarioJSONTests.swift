// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
@testable import HomaScenarios
import HomaSim
import HomaWorkloads
import Testing

@Suite("Scenario files")
struct ScenarioJSONTests {
    @Test("every scenario written as JSON is read back equal", arguments: seeds(0..<400))
    func roundTrip(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let scenario = try RandomScenario.make(using: &random)
        let text = scenario.json.description
        let again = try Scenario(parsing: text)
        #expect(again == scenario)
        #expect(again.json.description == text)
        #expect(try Scenario(parsing: scenario.json.pretty()) == scenario)
    }

    @Test("an empty file is a scenario of defaults, and says them all")
    func defaults() throws {
        let scenario = try Scenario(parsing: "{}")
        #expect(scenario.topology == TopologyConfiguration.named("fabric-10g"))
        #expect(scenario.transport == .homa(HomaTransportConfiguration(preset: .default)))
        #expect(scenario.traffic == TrafficConfiguration(sizes: .w4))
        #expect(scenario.length == RunLength())
        #expect(scenario.measurement == MeasurementConfiguration())
        for (path, keys) in ScenarioKeys.sections where path.isEmpty || path == "transport" || path == "length" {
            let object = path.isEmpty ? scenario.json : scenario.json[path]
            #expect(object?.members?.map(\.key) == keys)
        }
    }

    @Test("presets by name and as the base of an object", arguments: TopologyConfiguration.presetNames)
    func topologies(_ name: String) throws {
        let plain = try Scenario(parsing: #"{"topology": "\#(name)"}"#)
        #expect(plain.topology == TopologyConfiguration.named(name))
        let changed = try Scenario(parsing: #"{"topology": {"preset": "\#(name)", "nic_delay_ns": 1.5}}"#)
        #expect(changed.topology.nicDelay == .picoseconds(1500))
        #expect(changed.topology.shape == plain.topology.shape)
    }

    @Test("the published levels belong to the published preset, and follow the workload")
    func levels() throws {
        for (workload, levels) in [("w1", 1), ("w2", 3), ("w3", 4), ("w4", 7), ("w5", 7), ("5000", 7)] {
            let scenario = try Scenario(
                parsing: #"{"transport": {"preset": "sigcomm2018"}, "traffic": {"workload": "\#(workload)"}}"#)
            let homa = try #require(scenario.transport.homa)
            #expect(homa.scheduledLevels == levels)
            #expect(homa.endpoint == .sigcomm2018(scheduledLevels: levels))
        }
        let other = try Scenario(
            parsing: #"{"transport": {"preset": "sigcomm2018", "scheduled_levels": 2, "overcommitment": 5}}"#)
        #expect(other.transport.homa?.scheduledLevels == 2)
        #expect(other.transport.homa?.endpoint.overcommitment == 5)
        #expect(other.transport.homa?.endpoint.window == 10_000)
    }

    @Test("TCP and DCTCP by name, with defaults, and with every setting under one key")
    func tcp() throws {
        let tcp = try Scenario(parsing: #"{"transport": "tcp"}"#)
        #expect(tcp.transport == .tcp(TCPConfiguration(congestionControl: .cubic)))
        #expect(tcp.json["transport"]?.members?.map(\.key) == ScenarioKeys.tcp)
        #expect(Mirror(reflecting: TCPConfiguration()).children.count == ScenarioKeys.tcp.count - 1)
        let dctcp = try Scenario(
            parsing: #"{"transport": {"kind": "dctcp", "minimum_rto_us": 10000, "connections_per_pair": 4}}"#)
        guard case .tcp(let settings) = dctcp.transport else {
            Issue.record("no TCP")
            return
        }
        #expect(settings.congestionControl == .dctcp)
        #expect(settings.minimumRTO == .milliseconds(10))
        #expect(settings.effectiveDelayedAck == .milliseconds(2))
        #expect(settings.connectionsPerPair == 4)
        #expect(throws: ScenarioFileError.self) {
            try Scenario(parsing: #"{"transport": {"kind": "dctcp", "congestion_control": "cubic"}}"#)
        }
        #expect(throws: ScenarioFileError.self) {
            try Scenario(parsing: #"{"transport": {"kind": "tcp", "delayed_ack_us": 200000}}"#)
        }
        #expect(throws: ScenarioFileError.self) {
            try Scenario(parsing: #"{"transport": {"overcommitment": 8, "kind": "tcp"}}"#)
        }
    }

    @Test("dcPIM by name, with defaults, and with every setting under one key")
    func dcpim() throws {
        let plain = try Scenario(parsing: #"{"transport": "dcpim"}"#)
        #expect(plain.transport == .dcpim(DCPIMConfiguration()))
        #expect(plain.json["transport"]?.members?.map(\.key) == ScenarioKeys.dcpim)
        #expect(Mirror(reflecting: DCPIMConfiguration()).children.count == ScenarioKeys.dcpim.count - 1)
        let other = try Scenario(
            parsing: #"{"transport": {"kind": "dcpim", "rounds": 3, "channels": 8, "frames": "sigcomm2022"}}"#)
        guard case .dcpim(let settings) = other.transport else {
            Issue.record("no dcPIM")
            return
        }
        #expect(settings.rounds == 3 && settings.channels == 8)
        #expect(settings.frame.fullWireBytes == 1500)
        #expect(throws: ScenarioFileError.self) {
            try Scenario(parsing: #"{"transport": {"kind": "dcpim", "data_phase_ratio": 0.5}}"#)
        }
    }

    @Test("Aeolus is Homa with probes, by either name")
    func aeolus() throws {
        let aeolus = try Scenario(parsing: #"{"transport": {"kind": "aeolus", "preset": "sigcomm2018"}}"#)
        let homa = try #require(aeolus.transport.homa)
        #expect(homa.endpoint.probesUnscheduled && homa.preset == .sigcomm2018)
        #expect(aeolus.transport.kind == "aeolus")
        #expect(aeolus.json["transport"]?["kind"] == .string("aeolus"))
        let other = #"{"transport": {"kind": "homa", "preset": "sigcomm2018", "probes_unscheduled": true}}"#
        #expect(try Scenario(parsing: other) == aeolus)
        #expect(try Scenario(parsing: #"{"transport": "aeolus"}"#).transport.homa?.isAeolus == true)
        #expect(try Scenario(parsing: #"{"transport": "homa"}"#).transport.homa?.isAeolus == false)
        #expect(throws: ScenarioFileError.self) {
            try Scenario(parsing: #"{"transport": {"kind": "aeolus", "probes_unscheduled": false}}"#)
        }
    }

    @Test("a switch with memory and no policy shares it; a chip brings its memory")
    func switches() throws {
        let shared = try Scenario(parsing: #"{"topology": {"leaf": {"buffer_bytes": 1e6}}}"#)
        #expect(shared.topology.leafSwitch == SwitchConfiguration(buffer: .shared, bufferBytes: 1_000_000))
        let chip = try Scenario(
            parsing: #"{"topology": {"leaf": {"chip": "tomahawk", "buffer": "groups", "ports_per_group": 5}}}"#)
        #expect(chip.topology.leafSwitch == SwitchConfiguration(buffer: .groups(ports: 5), bufferBytes: 16_000_000))
        let dynamic = try Scenario(
            parsing: #"{"topology": {"preset": "cluster-25g", "leaf": {"buffer": "dynamic", "alpha": 0.5}}}"#)
        #expect(dynamic.topology.leafSwitch.buffer == .dynamicThreshold(alpha: 0.5))
        #expect(dynamic.topology.leafSwitch.bufferBytes == 13_200_000)
    }

    @Test("a table of one's own is a workload")
    func ownTable() throws {
        let scenario = try Scenario(
            parsing: #"{"traffic": {"workload": {"name": "mine", "rows": [[10, 0], [20, 0.5], [1000, 1]]}}}"#)
        #expect(scenario.traffic.sizes.name == "mine")
        #expect(scenario.traffic.sizes.rows.map(\.bytes) == [10, 20, 1000])
        #expect(try Scenario(json: scenario.json) == scenario)
        for rows in ["[]", "[[1,0]]", "[[1,0],[2,0.5]]", "[[2,0],[1,1]]", "[[0,0],[1,1]]", "[[1,0],[2]]", "7"] {
            #expect(throws: ScenarioFileError.self, "\(rows)") {
                try Scenario(parsing: #"{"traffic": {"workload": {"rows": \#(rows)}}}"#)
            }
        }
    }

    @Test("every setting of an endpoint can be written in a file, under one key")
    func endpointSettings() {
        // What tests plant is no setting; only debug builds have it.
        let settings = Mirror(reflecting: EndpointConfiguration()).children.compactMap(\.label)
            .filter { $0 != "plantedFault" }
        #expect(settings.count > 30)
        #expect(EndpointField.all.map(\.setting).sorted() == settings.sorted())
        #expect(Set(EndpointField.all.map(\.key)).count == settings.count)
    }

    @Test("no property of a scenario is missing in its file")
    func properties() {
        func names(_ value: Any) -> Set<String> { Set(Mirror(reflecting: value).children.compactMap(\.label)) }
        // A property that is not in these lists is new: the JSON, RandomScenario and docs/scenarios.md want it, too.
        let aSwitch = SwitchConfiguration()
        #expect(
            names(aSwitch) == [
                "buffer", "bufferBytes", "cellBytes", "reservedBytesPerQueue", "ecnThresholdBytes",
                "selectiveDropThresholdBytes",
            ])
        #expect(
            names(TopologyConfiguration.standard) == [
                "shape", "hostRate", "uplinkRate", "linkDelay", "switchDelay", "hostSendDelay", "hostReceiveDelay",
                "nicDelay", "hostCopyRate", "hostCopies", "switching", "pathChoice", "leafSwitch", "spineSwitch",
            ])
        let homa = HomaTransportConfiguration(preset: .default)
        #expect(names(homa) == ["preset", "endpoint", "cutoffs", "scheduledLevels"])
        #expect(
            names(TrafficConfiguration(sizes: .w1)) == [
                "sizes", "sizesTruncatedTo", "load", "allowsOverload", "pattern", "arrivals", "mode", "activeHosts",
            ])
        #expect(names(RunLength()) == ["messages", "duration", "warmUp", "drain", "loadsDrain"])
        #expect(
            names(MeasurementConfiguration()) == ["sizeBins", "occupancySeriesInterval", "perPort", "ideal"])
        let scenario = Scenario(
            topology: .standard, transport: .homa(homa), traffic: TrafficConfiguration(sizes: .w1))
        #expect(
            names(scenario) == ["name", "topology", "transport", "traffic", "measurement", "length", "seed"])
    }

    @Test("the name of a scenario's settings is the same everywhere and changes with any of them")
    func key() throws {
        let scenario = try Scenario(parsing: "{}")
        #expect(scenario.key == StableHash.of(scenario.json.description))
        // FNV-1a 128 of the empty text, then of the end mark: fixed, so that stores outlive this build.
        #expect(StableHash().text == "6c62272e07bb014262b821756295c58d")
        var other = scenario
        other.seed = 2
        #expect(other.key != scenario.key)
    }
}

extension Duration {
    fileprivate static func picoseconds(_ count: Int128) -> Duration { Duration(attoseconds: count * 1_000_000) }
}
