// SPDX-License-Identifier: Apache-2.0

public import HomaSim
import HomaWorkloads

extension Scenario {
    /// Reads a scenario. docs/scenarios.md describes the form.
    ///
    /// Throws all that is wrong with it: unknown keys, wrong kinds, values out of range, and what cannot be run
    /// together.
    public init(json: JSONValue) throws(ScenarioFileError) {
        let problems = ProblemList()
        let reader = ObjectReader(json, path: "", keys: ScenarioKeys.top, problems: problems)
        let topology = TopologyConfiguration(reader.value("topology") ?? .string("fabric-10g"), problems)
        let traffic = TrafficConfiguration(reader.value("traffic") ?? .object([]), topology, problems)
        let scenario = Scenario(
            name: reader.text("name", default: "unnamed"), topology: topology,
            transport: TransportConfiguration(reader.value("transport") ?? .string("homa"), traffic, problems),
            traffic: traffic,
            measurement: MeasurementConfiguration(reader.value("measurement") ?? .object([]), problems),
            length: RunLength(reader.value("length") ?? .object([]), problems),
            seed: reader.seed("seed", default: 1))
        scenario.noteContradictions(of: json, in: problems)
        guard problems.problems.isEmpty else { throw ScenarioFileError(problems.problems) }
        self = scenario
    }

    /// Reads a scenario from the text of a file.
    public init(parsing text: String) throws {
        try self.init(json: JSONValue(parsing: text))
    }

    /// The whole configuration, nothing left to defaults. Equal scenarios give equal bytes.
    public var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("seed", .integer(seed)), .init("topology", topology.json),
            .init("transport", transport.json), .init("traffic", traffic.json), .init("length", length.json),
            .init("measurement", measurement.json),
        ])
    }

    /// Finds everything that the simulator would refuse.
    ///
    /// The simulator stops at the first such thing. Here each is noted and what it is about replaced by something
    /// harmless, until nothing is refused any more. Values are told as the file has them.
    private func noteContradictions(of json: JSONValue, in problems: ProblemList) {
        var copy = self
        for _ in 0..<32 {
            do {
                try copy.validated()
                return
            } catch {
                var found = copy.repaired(after: error)
                let path = found.error.field.split(separator: ".")
                let value = path.reduce(Optional(json)) { $0?[String($1)] }
                if let value { found.error.value = value.description }
                problems.add(.wrong(found.error))
                copy = found.scenario
            }
        }
    }

    /// The scenario without what the simulator complained about, and the complaint in the words of the file.
    private func repaired(after error: ScenarioError) -> (scenario: Scenario, error: ScenarioError) {
        var copy = self
        var error = error
        let parts = error.field.split(separator: ".").map(String.init)
        switch (parts.first ?? "", parts.dropFirst().first ?? "") {
        case ("topology", "leaf"): copy.topology.leafSwitch = SwitchConfiguration()
        case ("topology", "spine"): copy.topology.spineSwitch = SwitchConfiguration()
        case ("topology", _): copy.topology = .standard
        case ("transport", _):
            guard case .homa(var homa) = transport, let setting = parts.last,
                let field = EndpointField.all.first(where: { setting.hasPrefix($0.setting) })
            else {
                copy.transport = .srptOracle
                break
            }
            error.field = "transport.\(field.key)\(setting.dropFirst(field.setting.count))"
            field.copy(from: homa.preset.configuration(scheduledLevels: homa.scheduledLevels ?? 7), to: &homa.endpoint)
            // When the preset's own value is refused, another setting is at fault; the rest cannot be judged.
            copy.transport = homa == (copy.transport.homa ?? homa) ? .srptOracle : .homa(homa)
        case ("traffic", "active_hosts"): copy.traffic.activeHosts = nil
        case ("traffic", _):
            copy.traffic = TrafficConfiguration(sizes: .fixed(1000), activeHosts: traffic.activeHosts)
        case ("length", _): copy.length = RunLength()
        default: copy.measurement = MeasurementConfiguration()
        }
        return (copy, error)
    }
}

extension TransportConfiguration {
    var homa: HomaTransportConfiguration? { if case .homa(let homa) = self { homa } else { nil } }
}

extension RunLength {
    init(_ json: JSONValue, _ problems: ProblemList) {
        let reader = ObjectReader(json, path: "length", keys: ScenarioKeys.length, problems: problems)
        self.init(
            messages: reader.integerOrNull("messages", 1...(1 << 40), default: nil),
            duration: reader.durationOrNull("duration_ms", .milliseconds, default: nil),
            warmUp: reader.durationOrNull("warm_up_ms", .milliseconds, default: nil),
            drain: reader.duration("drain_ms", .milliseconds, default: RunLength().drain),
            loadsDrain: reader.flag("load_during_drain", default: RunLength().loadsDrain))
    }

    var json: JSONValue {
        .object([
            .init("messages", JSONValue(messages)), .init("duration_ms", JSONValue(duration, .milliseconds)),
            .init("warm_up_ms", JSONValue(warmUp, .milliseconds)), .init("drain_ms", JSONValue(drain, .milliseconds)),
            .init("load_during_drain", .bool(loadsDrain)),
        ])
    }
}

extension MeasurementConfiguration {
    init(_ json: JSONValue, _ problems: ProblemList) {
        let reader = ObjectReader(json, path: "measurement", keys: ScenarioKeys.measurement, problems: problems)
        self.init(
            sizeBins: reader.integer("size_bins", 1...100, default: MeasurementConfiguration().sizeBins),
            occupancySeriesInterval: reader.durationOrNull("occupancy_series_us", .microseconds, default: nil),
            perPort: reader.flag("per_port", default: false),
            ideal: reader.choice("ideal", IdealFrames.allCases.map { ($0.rawValue, $0) }, default: .automatic))
    }

    var json: JSONValue {
        .object([
            .init("size_bins", .integer(sizeBins)),
            .init("occupancy_series_us", JSONValue(occupancySeriesInterval, .microseconds)),
            .init("per_port", .bool(perPort)), .init("ideal", .string(ideal.rawValue)),
        ])
    }
}
