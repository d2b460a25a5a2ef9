// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaCore

/// The trace tells what happened to an RPC.
@Suite struct TraceTests {
    private func lossyNet(loss: Double) throws -> TestNet {
        let hosts = try (0..<2).map { try TestHost(number: $0, seed: UInt64($0)) }
        return TestNet(hosts: hosts, faults: Faults(loss: loss), seed: 7)
    }

    @Test func `a call that lost packets shows its states, its retransmissions and its end, in order`() throws {
        let net = try lossyNet(loss: 0.1)
        for host in net.hosts { host.endpoint.startTrace(keeping: 4096) }
        try net.call(from: 0, to: 1, length: 300_000, cookie: 1)
        try net.run(until: Instant(nanoseconds: 5_000_000_000))
        let client = net.hosts[0].endpoint.traceEvents()
        let id = try #require(client.first { $0.kind == .sent }?.rpc)
        let call = net.hosts[0].endpoint.traceEvents(of: id)
        #expect(call.contains { $0.kind == .retransmitted })
        #expect(call.map(\.time) == call.map(\.time).sorted())
        let states = call.filter { $0.kind == .state }.map { $0.detail }
        #expect(states == [RPC.State.incoming.rawValue])
        #expect(call.filter { $0.kind == .ended }.count == 1)
        // Its beginning has no identifier yet.
        #expect(client.first?.kind == .state && client.first?.rpc.rawValue == 0)
        let server = net.hosts[1].endpoint.traceEvents(of: id).filter { $0.kind == .state }.map(\.detail)
        #expect(server == [RPC.State.incoming, .inService, .outgoing].map(\.rawValue))
        #expect(net.hosts[1].endpoint.traceEvents(of: id).contains { $0.kind == .granted })
        for event in call { #expect(!event.description.isEmpty) }
    }

    @Test func `only the last events are kept, and none while it is off`() throws {
        let net = try lossyNet(loss: 0)
        try net.call(from: 0, to: 1, length: 1000, cookie: 1)
        #expect(net.hosts[0].endpoint.traceEvents().isEmpty)
        net.hosts[0].endpoint.startTrace(keeping: 5)
        for cookie in 2..<20 as Range<UInt64> { try net.call(from: 0, to: 1, length: 1000, cookie: cookie) }
        #expect(net.hosts[0].endpoint.traceEvents().count == 8)
        net.hosts[0].endpoint.startTrace(keeping: 0)
        #expect(net.hosts[0].endpoint.traceEvents().isEmpty)
    }
}
