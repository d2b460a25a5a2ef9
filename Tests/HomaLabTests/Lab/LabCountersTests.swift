// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaLab

@Suite("What the kernel counted in a lab")
struct LabCountersTests {
    /// As iproute2 6.1 prints it, cut to what matters.
    private let output = """
        [{"kind":"htb","handle":"1:","dev":"port1","root":true,"bytes":9,"packets":9,"drops":99},
        {"kind":"bfifo","handle":"17:","dev":"port1","parent":"1:17","bytes":1000,"packets":10,"drops":1},
        {"kind":"pfifo","handle":"10:","dev":"port1","parent":"1:10","bytes":500,"packets":5,"drops":2},
        {"kind":"bfifo","handle":"17:","dev":"port2","parent":"1:17","bytes":100,"packets":1,"drops":0},
        {"kind":"noqueue","handle":"0:","dev":"lo","root":true,"bytes":7,"packets":7,"drops":7}]
        """

    @Test("queues are told apart by priority, ports are added up, and nothing else counts")
    func queues() throws {
        let counters = try QueueCounters(tcOutput: output)
        #expect(counters.queues[7] == .init(packets: 11, bytes: 1100, drops: 1))
        #expect(counters.queues[0] == .init(packets: 5, bytes: 500, drops: 2))
        #expect(counters.queues[1...6].allSatisfy { $0 == .init() })
        #expect(counters.drops == 3)
    }

    @Test("what was counted before is taken off")
    func difference() throws {
        let counters = try QueueCounters(tcOutput: output)
        #expect(counters.since(counters) == QueueCounters())
        #expect(counters.since(QueueCounters()) == counters)
    }

    @Test("output that is none is an error", arguments: ["", "Cannot find device", "{}"])
    func noOutput(text: String) { #expect(throws: LabError.self) { try QueueCounters(tcOutput: text) } }

    @Test("the counters of a packet filter are added up")
    func rules() {
        let text = """
            {"nftables": [{"chain": {"family": "bridge"}}, {"rule": {"expr": [{"match": {"op": "<", "right": 100}},
            {"counter": {"packets": 41, "bytes": 7}}, {"drop": null}]}},
            {"rule": {"expr": [{"counter": {"packets": 1}}]}}]}
            """
        #expect(LabCounters.countedPackets(inRules: text) == 42)
        #expect(LabCounters.countedPackets(inRules: "") == 0)
    }

    @Test("full receive buffers count in both families, and TCP's resent segments")
    func snmp() {
        let snmp = """
            Tcp: RtoAlgorithm RetransSegs InErrs
            Tcp: 1 12 0
            Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
            Udp: 9 8 7 6 5 4
            UdpLite: InDatagrams RcvbufErrors
            UdpLite: 1 1000
            """
        let counters = HostNetworkCounters(snmp: snmp, snmp6: "Ip6InReceives 3\nUdp6RcvbufErrors \t 2\n")
        #expect(counters.receiveBufferErrors == 7 && counters.segmentsResent == 12)
        let none = HostNetworkCounters(snmp: "", snmp6: "")
        #expect(none.receiveBufferErrors == 0 && none.segmentsResent == 0)
    }

    @Test("softnet drops are the hexadecimal second column of every core")
    func softnet() {
        #expect(SoftnetCounters.drops(in: "00000010 0000000a 00000001\n00000010 00000010 0\n") == 26)
        #expect(SoftnetCounters.drops(in: "") == 0)
    }
}
