// SPDX-License-Identifier: Apache-2.0

/// Scenarios that can be asked for by name.
public struct BuiltInScenario: Sendable {
    public var name: String
    /// What it is for, in a line.
    public var about: String
    /// Its text, as a file would have it.
    public var text: String

    /// The text as JSON.
    public var document: JSONValue {
        get throws { try JSONValue(parsing: text) }
    }

    public static func named(_ name: String) -> BuiltInScenario? { all.first { $0.name == name } }

    /// All of them, simplest first.
    public static let all: [BuiltInScenario] = [quick] + published + [oracle, cluster, incast, smallBuffer]

    private static let quick = BuiltInScenario(
        name: "quick", about: "16 hosts at 10 Gb/s on two leaves, W3 at 60 %: a first look, in a second or two",
        text: #"""
            {"name": "quick", "topology": {"leaves": 2, "hosts_per_leaf": 8, "spines": 2},
             "transport": {"kind": "homa", "preset": "sigcomm2018"},
             "traffic": {"workload": "w3", "load": 0.6}, "length": {"messages": 20000}}
            """#)

    private static let published = (1...5).map { number in
        BuiltInScenario(
            name: "sigcomm2018-w\(number)", about: "W\(number) at 80 % as in the simulations of the SIGCOMM 2018 paper",
            text: #"""
                {"name": "sigcomm2018-w\#(number)", "topology": "fabric-10g",
                 "transport": {"kind": "homa", "preset": "sigcomm2018"},
                 "traffic": {"workload": "w\#(number)", "load": 0.8}}
                """#)
    }

    private static let oracle = BuiltInScenario(
        name: "oracle-w4", about: "W4 at 80 % under an all-knowing scheduler: how good it could be",
        text: #"""
            {"name": "oracle-w4", "topology": "fabric-10g", "transport": "srpt-oracle",
             "traffic": {"workload": "w4", "load": 0.8}, "measurement": {"ideal": "udp"}}
            """#)

    private static let cluster = BuiltInScenario(
        name: "cluster-w4", about: "RPCs of W4 at 80 % on 40 hosts and one SN2410, with the kernel's settings",
        text: #"""
            {"name": "cluster-w4", "topology": "cluster-25g", "transport": {"kind": "homa", "preset": "linux2026"},
             "traffic": {"workload": "w4", "truncated_to_bytes": 1000000, "load": 0.8, "mode": "rpc"}}
            """#)

    private static let incast = BuiltInScenario(
        name: "incast", about: "39 hosts send 10 KB each to one, all at once, again and again",
        text: #"""
            {"name": "incast", "topology": "cluster-25g",
             "traffic": {"workload": 10000, "load": 0.5, "pattern": "incast", "arrivals": "periodic"},
             "length": {"messages": 39000}}
            """#)

    private static let smallBuffer = BuiltInScenario(
        name: "small-buffer", about: "W4 at 80 % with 1 MB of buffer under a dynamic threshold",
        text: #"""
            {"name": "small-buffer",
             "topology": {"preset": "cluster-25g", "leaf": {"buffer": "dynamic", "alpha": 1, "buffer_bytes": 1000000}},
             "traffic": {"workload": "w4", "truncated_to_bytes": 1000000, "load": 0.8}}
            """#)
}
