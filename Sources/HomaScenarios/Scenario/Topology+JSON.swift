// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaSim

extension TopologyConfiguration {
    /// What a scenario that names no preset starts from.
    static var standard: Self { named("fabric-10g")! }

    private static let keys = ScenarioKeys.topology

    /// From a preset's name or an object.
    init(_ json: JSONValue, _ problems: ProblemList) {
        if let name = json.text {
            self = Self.preset(name, field: "topology", problems)
            return
        }
        let reader = ObjectReader(json, path: "topology", keys: Self.keys, problems: problems)
        let preset = reader.text("preset", default: "fabric-10g")
        self = Self.preset(preset, field: "topology.preset", problems)
        readShape(reader)
        hostRate = reader.rate("host_gbps", default: hostRate)
        uplinkRate = reader.rate("uplink_gbps", default: uplinkRate)
        linkDelay = reader.duration("link_delay_ns", .nanoseconds, default: linkDelay)
        switchDelay = reader.duration("switch_delay_ns", .nanoseconds, default: switchDelay)
        hostSendDelay = reader.duration("host_send_delay_ns", .nanoseconds, default: hostSendDelay)
        hostReceiveDelay = reader.duration("host_receive_delay_ns", .nanoseconds, default: hostReceiveDelay)
        nicDelay = reader.duration("nic_delay_ns", .nanoseconds, default: nicDelay)
        hostCopyRate = reader.rateOrNull("host_copy_gbps", default: hostCopyRate)
        hostCopies = reader.choice("host_copies", HostCopies.allCases.map { ($0.rawValue, $0) }, default: hostCopies)
        switching = reader.choice("switching", Switching.allCases.map { ($0.rawValue, $0) }, default: switching)
        pathChoice = reader.choice("path_choice", PathChoice.allCases.map { ($0.rawValue, $0) }, default: pathChoice)
        if let leaf = reader.value("leaf") { leafSwitch.read(leaf, path: "topology.leaf", problems) }
        if let spine = reader.value("spine") { spineSwitch.read(spine, path: "topology.spine", problems) }
    }

    private static func preset(_ name: String, field: String, _ problems: ProblemList) -> Self {
        if let found = named(name) { return found }
        let near = Suggestion.nearest(to: name, in: presetNames).map { "; did you mean \($0)?" } ?? ""
        problems.add(field, .string(name), "one of " + presetNames.joined(separator: ", ") + near)
        return standard
    }

    private mutating func readShape(_ reader: ObjectReader) {
        let fabric = ["leaves", "hosts_per_leaf", "spines"].filter(reader.has)
        if reader.has("hosts") {
            if !fabric.isEmpty {
                reader.wrong("hosts", "left out beside \(fabric.joined(separator: ", ")): hosts makes a single switch")
            }
            let old = if case .singleSwitch(let hosts) = shape { hosts } else { 2 }
            shape = .singleSwitch(hosts: reader.integer("hosts", 2...4096, default: old))
        } else if !fabric.isEmpty {
            var (leaves, hosts, spines): (Int?, Int?, Int?) = (nil, nil, nil)
            if case .leafSpine(let a, let b, let c) = shape { (leaves, hosts, spines) = (a, b, c) }
            for key in ["leaves", "hosts_per_leaf", "spines"] where leaves == nil && !reader.has(key) {
                reader.wrong(key, "given, since the preset is a single switch: 1 … 1024")
            }
            shape = .leafSpine(
                leaves: reader.integer("leaves", 1...1024, default: leaves ?? 2),
                hostsPerLeaf: reader.integer("hosts_per_leaf", 1...1024, default: hosts ?? 2),
                spines: reader.integer("spines", 1...1024, default: spines ?? 1))
        }
    }

    /// The whole topology; no preset is left to look up.
    var json: JSONValue {
        var members: [JSONValue.Member]
        switch shape {
        case .singleSwitch(let hosts): members = [.init("hosts", .integer(hosts))]
        case .leafSpine(let leaves, let hosts, let spines):
            members = [
                .init("leaves", .integer(leaves)), .init("hosts_per_leaf", .integer(hosts)),
                .init("spines", .integer(spines)),
            ]
        }
        members += [
            .init("host_gbps", JSONValue(gigabits: hostRate)), .init("uplink_gbps", JSONValue(gigabits: uplinkRate)),
            .init("link_delay_ns", JSONValue(linkDelay, .nanoseconds)),
            .init("switch_delay_ns", JSONValue(switchDelay, .nanoseconds)),
            .init("host_send_delay_ns", JSONValue(hostSendDelay, .nanoseconds)),
            .init("host_receive_delay_ns", JSONValue(hostReceiveDelay, .nanoseconds)),
            .init("nic_delay_ns", JSONValue(nicDelay, .nanoseconds)),
            .init("host_copy_gbps", hostCopyRate.map { JSONValue(gigabits: $0) } ?? .null),
            .init("host_copies", .string(hostCopies.rawValue)),
            .init("switching", .string(switching.rawValue)), .init("path_choice", .string(pathChoice.rawValue)),
            .init("leaf", leafSwitch.json), .init("spine", spineSwitch.json),
        ]
        return .object(members)
    }
}
