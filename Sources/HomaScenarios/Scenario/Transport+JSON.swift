// SPDX-License-Identifier: Apache-2.0

import HomaCore
public import HomaSim
import HomaWorkloads

extension TransportConfiguration {
    /// What `kind` of a transport may be.
    public static let kinds = ["homa", "aeolus", "tcp", "dctcp", "dcpim", "srpt-oracle"]

    /// From a kind's name or an object.
    /// - Parameter traffic: the published settings of `sigcomm2018` depend on its workload.
    init(_ json: JSONValue, _ traffic: TrafficConfiguration, _ problems: ProblemList) {
        let object = json.text.map { JSONValue.object([.init("kind", .string($0))]) } ?? json
        let isShort = json.text != nil
        let kind = object["kind"] ?? .string("homa")
        guard let name = kind.text, Self.kinds.contains(name) else {
            let near = kind.text.flatMap { Suggestion.nearest(to: $0, in: Self.kinds) }.map { "; did you mean \($0)?" }
            problems.add(
                isShort ? "transport" : "transport.kind", kind,
                "one of " + Self.kinds.joined(separator: ", ") + (near ?? ""))
            self = .srptOracle
            return
        }
        if name == "tcp" || name == "dctcp" {
            let reader = ObjectReader(object, path: "transport", keys: ScenarioKeys.tcp, problems: problems)
            self = .tcp(TCPConfiguration(reader, kind: name))
            return
        }
        if name == "dcpim" {
            let reader = ObjectReader(object, path: "transport", keys: ScenarioKeys.dcpim, problems: problems)
            self = .dcpim(DCPIMConfiguration(reader))
            return
        }
        guard name == "homa" || name == "aeolus" else {
            _ = ObjectReader(object, path: "transport", keys: ["kind"], problems: problems)
            self = .srptOracle
            return
        }
        let reader = ObjectReader(object, path: "transport", keys: ScenarioKeys.transport, problems: problems)
        var homa = HomaTransportConfiguration(reader, traffic)
        if name == "aeolus" {
            if reader.has("probes_unscheduled"), !homa.isAeolus {
                reader.wrong("probes_unscheduled", "true, as kind aeolus is kind homa with that")
            }
            homa.isAeolus = true
        }
        self = .homa(homa)
    }

    var json: JSONValue {
        if case .tcp(let tcp) = self { return tcp.json(kind: kind) }
        if case .dcpim(let dcpim) = self { return dcpim.json }
        guard case .homa(let homa) = self else { return .object([.init("kind", .string(kind))]) }
        let own: [JSONValue.Member] = [
            .init("kind", .string(kind)), .init("preset", .string(homa.preset.rawValue)),
            .init("scheduled_levels", JSONValue(homa.scheduledLevels)),
            .init("cutoffs", .string(homa.cutoffs.rawValue)),
        ]
        return .object(own + (JSONValue(settings: homa.endpoint).members ?? []))
    }
}

extension JSONValue {
    /// All settings of an endpoint, under the keys that scenario files have for them.
    init(settings endpoint: EndpointConfiguration) {
        self = .object(EndpointField.all.map { Member($0.key, $0.json(endpoint)) })
    }
}

extension HomaTransportConfiguration {
    /// Scheduled levels published for the workloads of the SIGCOMM 2018 paper (its section 5.2); 7 for others.
    static func publishedLevels(workload: String) -> Int { ["w1": 1, "w2": 3, "w3": 4][workload] ?? 7 }

    fileprivate init(_ reader: ObjectReader, _ traffic: TrafficConfiguration) {
        let presets = HomaPreset.allCases.map { ($0.rawValue, $0) }
        let preset = reader.choice("preset", presets, default: .default)
        let published = preset == .sigcomm2018 ? Self.publishedLevels(workload: traffic.sizes.name) : nil
        let levels = reader.integerOrNull("scheduled_levels", 1...7, default: published)
        self.init(preset: preset, scheduledLevels: levels)
        cutoffs = reader.choice("cutoffs", CutoffSource.allCases.map { ($0.rawValue, $0) }, default: cutoffs)
        for field in EndpointField.all { field.read(reader, into: &endpoint) }
    }
}
