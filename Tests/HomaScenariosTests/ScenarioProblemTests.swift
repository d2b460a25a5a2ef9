// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import HomaSim
import Testing

@Suite("What is wrong with a scenario file")
struct ScenarioProblemTests {
    private func problems(_ text: String) throws -> [ScenarioProblem] {
        let json = try JSONValue(parsing: text)
        do {
            _ = try Scenario(json: json)
            return []
        } catch {
            return error.problems
        }
    }

    @Test(
        "a wrong value names its key, itself and what is permitted",
        arguments: [
            (#"{"seed": -1}"#, "seed", "-1"), (#"{"seed": 1.5}"#, "seed", "1.5"), (#"{"name": 7}"#, "name", "7"),
            (#"{"topology": {"hosts": 0}}"#, "topology.hosts", "0"),
            (#"{"topology": {"leaves": 0}}"#, "topology.leaves", "0"),
            (#"{"topology": {"leaves": 9, "hosts": 4}}"#, "topology.hosts", "4"),
            (#"{"topology": {"preset": "cluster-25g", "leaves": 4, "spines": 1}}"#, "topology.hosts_per_leaf", "null"),
            (#"{"topology": {"leaves": 1, "hosts_per_leaf": 1}}"#, "topology.leaves × hosts_per_leaf", "1"),
            (#"{"topology": {"host_gbps": 0}}"#, "topology.host_gbps", "0"),
            (#"{"topology": {"host_gbps": "10"}}"#, "topology.host_gbps", "\"10\""),
            (#"{"topology": {"link_delay_ns": -1}}"#, "topology.link_delay_ns", "-1"),
            (#"{"topology": {"switching": "fast"}}"#, "topology.switching", "\"fast\""),
            (#"{"topology": 5}"#, "topology", "5"), (#"{"topology": "fabric"}"#, "topology", "\"fabric\""),
            (#"{"topology": {"leaf": {"buffer": "shared"}}}"#, "topology.leaf.buffer_bytes", "null"),
            (#"{"topology": {"leaf": {"buffer_bytes": 1000}}}"#, "topology.leaf.buffer_bytes", "1000"),
            (#"{"topology": {"leaf": {"alpha": 1}}}"#, "topology.leaf.alpha", "1"),
            (#"{"topology": {"leaf": {"chip": "tomahawk9"}}}"#, "topology.leaf.chip", "\"tomahawk9\""),
            (#"{"topology": {"spine": {"cell_bytes": 0}}}"#, "topology.spine.cell_bytes", "0"),
            (#"{"transport": "home"}"#, "transport", "\"home\""),
            (#"{"transport": {"kind": "udp"}}"#, "transport.kind", "\"udp\""),
            (#"{"transport": {"preset": "2018"}}"#, "transport.preset", "\"2018\""),
            (#"{"transport": {"unscheduled_bytes": 0}}"#, "transport.unscheduled_bytes", "0"),
            (#"{"transport": {"unscheduled_cutoffs_bytes": [1]}}"#, "transport.unscheduled_cutoffs_bytes", "[1]"),
            (#"{"transport": {"scheduled_levels": 8}}"#, "transport.scheduled_levels", "8"),
            (#"{"transport": {"resend_after_us": 0.5}}"#, "transport.resend_after_us", "0.5"),
            (#"{"transport": {"kind": "srpt-oracle", "preset": "default"}}"#, "transport.preset", "\"default\""),
            (#"{"traffic": {"load": 1.2}}"#, "traffic.load", "1.2"),
            (#"{"traffic": {"load": 0}}"#, "traffic.load", "0"),
            (#"{"traffic": {"load": 101, "allow_overload": true}}"#, "traffic.load", "101"),
            (#"{"traffic": {"workload": "w6"}}"#, "traffic.workload", "\"w6\""),
            (#"{"traffic": {"senders": 5}}"#, "traffic.senders", "5"),
            (#"{"traffic": {"pattern": "incast", "senders": 144}}"#, "traffic.senders", "144"),
            (#"{"traffic": {"active_hosts": 145}}"#, "traffic.active_hosts", "145"),
            (#"{"traffic": {"response_bytes": 5}}"#, "traffic.response_bytes", "5"),
            (#"{"length": {"messages": 0}}"#, "length.messages", "0"),
            (#"{"length": {"drain_ms": null}}"#, "length.drain_ms", "null"),
            (#"{"length": {"duration_ms": 1e9}}"#, "length.duration_ms", "1e9"),
            (#"{"measurement": {"size_bins": 0}}"#, "measurement.size_bins", "0"), ("[]", "scenario", "[]"),
        ])
    func wrong(_ text: String, _ field: String, _ value: String) throws {
        let found = try problems(text)
        #expect(found.map(\.field) == [field], "\(found)")
        if case .wrong(let error)? = found.first {
            #expect(error.value == value)
            #expect(!error.permitted.isEmpty)
        }
    }

    @Test("load above 1 is permitted when the file says that it knows")
    func overload() throws {
        #expect(try problems(#"{"traffic": {"load": 1.2, "allow_overload": true}}"#).isEmpty)
    }

    @Test(
        "an unknown key is told with what was probably meant",
        arguments: [
            (#"{"traffic": {"laod": 0.5}}"#, "traffic.laod", "load"), (#"{"sede": 1}"#, "sede", "seed"),
            (#"{"topology": {"leaf": {"bufer_bytes": 1}}}"#, "topology.leaf.bufer_bytes", "buffer_bytes"),
            (#"{"load": 0.5}"#, "load", "traffic.load"), (#"{"laod": 0.5}"#, "laod", "traffic.load"),
            (#"{"traffic": {"messages": 5}}"#, "traffic.messages", "length.messages"),
            (#"{"transport": {"seed": 5}}"#, "transport.seed", "seed at the top"), (#"{"zzzz": 1}"#, "zzzz", nil),
        ])
    func unknown(_ text: String, _ field: String, _ suggestion: String?) throws {
        let found = try problems(text)
        #expect(found.map(\.field) == [field])
        guard case .unknownKey(_, _, let meant, let known)? = found.first else {
            Issue.record("\(found)")
            return
        }
        #expect(meant == suggestion)
        #expect(!known.isEmpty)
        let words = "\(found[0])"
        #expect(words.contains(field) && (suggestion.map { words.contains("did you mean \($0)?") } ?? true))
    }

    @Test("all problems are told at once")
    func many() throws {
        let text = #"""
            {"seed": "x", "nme": "a",
             "topology": {"preset": "fabric-10g", "leaf": {"buffer_bytes": 10}, "spine": {"buffer_bytes": 10}},
             "transport": {"overcommitment": 0, "priority_levels": 9, "timeout_us": 1},
             "traffic": {"load": 2, "pattern": "incast", "senders": 500},
             "length": {"messages": -1}, "measurement": {"size_bins": 1000}}
            """#
        #expect(
            Set(try problems(text).map(\.field)) == [
                "seed", "nme", "topology.leaf.buffer_bytes", "topology.spine.buffer_bytes", "transport.overcommitment",
                "transport.priority_levels", "transport.timeout_us", "traffic.load", "traffic.senders",
                "length.messages", "measurement.size_bins",
            ])
    }
}
