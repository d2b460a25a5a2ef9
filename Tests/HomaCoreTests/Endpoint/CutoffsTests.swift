// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("CUTOFFS")
struct CutoffsTests {
    static func fields(_ values: [UInt32], version: UInt16) -> CutoffsFields {
        var cutoffs = InlineArray<8, UInt32>(repeating: 0)
        for level in 0..<8 { cutoffs[level] = values[level] }
        return CutoffsFields(cutoffs: cutoffs, version: version)
    }

    @Test("CUTOFFS go to a sender with another version, at most once a millisecond for each peer")
    func sent() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2, cutoffs: 1)
        #expect(host.said().isEmpty)
        host.data(0..<10, of: 10, id: 4, cutoffs: 0)
        host.data(0..<10, of: 10, id: 6, cutoffs: 0)
        #expect(host.said() == ["CUTOFFS"])
        host.data(0..<10, of: 10, id: 4, from: LoneHost.server, cutoffs: 7)
        #expect(host.said() == ["CUTOFFS"], "each peer for itself")
        host.pass(microseconds: 999)
        host.data(0..<10, of: 10, id: 8, cutoffs: 0)
        #expect(host.said().isEmpty)
        host.pass(microseconds: 1)
        host.data(0..<10, of: 10, id: 10, cutoffs: 0)
        let packets = host.sent()
        #expect(packets.map(\.summary) == ["CUTOFFS"])
        guard case .cutoffs(let fields) = packets[0].header.body else { return }
        #expect(fields.version == 1 && fields.cutoffs[5] == 15_000)
    }

    @Test("CUTOFFS are kept, decide the priority of calls, and their version is sent back")
    func stored() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        var first = try #require(host.sent().first)
        #expect(first.priority == 6, "nothing known yet")
        host.receive(
            .cutoffs(Self.fields([0, 0, 100_000, 10_000, 1000, 100, 0, 0], version: 9)), id: 1001, from: LoneHost.server
        )
        for (length, priority) in [
            (1, 5), (100, 5), (101, 4), (1000, 4), (1001, 3), (10_001, 2), (100_000, 2), (100_001, 0),
        ] {
            try host.call(length: length)
            first = try #require(host.sent().first)
            #expect(Int(first.priority) == priority, "\(length) bytes")
            guard case .data(let data) = first.header.body else { continue }
            #expect(data.cutoffVersion == 9)
        }
        try host.call(length: 10, to: LoneHost.client)
        #expect(host.sent().first?.priority == 6, "another peer")
    }

    @Test("CUTOFFS about no RPC are dropped, whoever's address they bear: anybody can have made them up")
    func forged() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        for address in [LoneHost.client, LoneHost.server] {
            let table = PacketBody.cutoffs(Self.fields([0, 0, 0, 0, 0, 0, 0, 9], version: 9))
            #expect(host.receive(table, id: 1003, from: address) == .dropped(.unknownRPC))
        }
        _ = host.sent()
        try host.call(length: 10)
        #expect(host.sent().first?.priority == 6)
    }
}
