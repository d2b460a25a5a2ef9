// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

/// A host that takes nothing new, since it is about to end.
@Suite("Drain")
struct DrainTests {
    @Test("a new request is refused, once, in a way that says that it has not run")
    func refused() throws {
        let host = try LoneHost()
        host.endpoint.beginDraining()
        #expect(host.data(0..<1000, of: 3000, id: 2) == .dropped(.draining))
        #expect(host.data(1000..<2000, of: 3000, id: 2) == .dropped(.draining))
        let packets = host.sent().filter { $0.header.common.type == .rpcUnknown }
        #expect(packets.map(\.header.common.extensions.marks) == [.draining])
        #expect(host.endpoint.rpcCount == 0 && host.dropped(.draining) == 2)
    }

    @Test("its client fails at once, and knows that it may ask elsewhere")
    func client() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: HeaderExtension(marks: .draining))
        #expect(host.failures() == [.serverDraining])
        #expect(!RPCFailure.serverDraining.mayHaveRun)
    }

    @Test("a one-way message is refused like a request")
    func message() throws {
        let host = try LoneHost()
        host.endpoint.beginDraining()
        #expect(host.data(0..<10, of: 10, id: 2, extensions: MessageTests.marked) == .dropped(.draining))
        let sender = try MessageTests.acquainted()
        _ = try MessageTests.send(sender, length: 10)
        sender.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: HeaderExtension(marks: .draining))
        #expect(sender.failures() == [.serverDraining])
    }

    @Test("a client without extensions is told nothing")
    func kernelClient() throws {
        let host = try LoneHost()
        host.endpoint.beginDraining()
        #expect(host.data(0..<10, of: 10, id: 2, cutoffs: 0, extensions: .none) == .dropped(.draining))
        #expect(host.said().filter { !$0.hasPrefix("CUTOFFS") }.isEmpty)
    }

    @Test("what has begun to arrive, waits or is answered goes on to its end")
    func begun() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 2000, id: 2)
        host.data(0..<10, of: 10, id: 4)
        let waiting = try #require(try host.requests().first)
        host.data(0..<10, of: 10, id: 6)
        try host.respond(try #require(try host.requests().first).rpc, length: 10)
        host.endpoint.beginDraining()
        expect(host, unanswered: 2, unacknowledged: 1)
        host.data(1000..<2000, of: 2000, id: 2)
        let late = try #require(try host.requests().first)
        #expect(try host.respond(waiting.rpc, length: 10))
        #expect(try host.respond(late.rpc, length: 10))
        expect(host, unanswered: 0, unacknowledged: 3)
        for id in [2, 4, 6] as [UInt64] { host.receive(.ack(AckFields()), id: id) }
        expect(host, unanswered: 0, unacknowledged: 0)
    }

    private func expect(_ host: LoneHost, unanswered: Int, unacknowledged: Int) {
        let work = host.endpoint.unfinishedWork
        #expect(work.unanswered == unanswered && work.unacknowledged == unacknowledged)
        #expect(work.isNone == (unanswered + unacknowledged == 0))
    }

    @Test("a request that ran is not called one that did not: a duplicate that comes late is dropped")
    func duplicate() throws {
        let host = try LoneHost()
        #expect(try host.serve(id: 2))
        host.endpoint.beginDraining()
        _ = host.sent()
        #expect(host.data(0..<100, of: 100, id: 2) == .dropped(.finishedBefore))
        #expect(host.said().isEmpty)
        // Nor where its port has been closed since.
        host.endpoint.closePort(99)
        #expect(host.data(0..<100, of: 100, id: 2) == .dropped(.finishedBefore))
        #expect(host.said().isEmpty)
    }

    @Test("a server whose memory is young asks for the token first, since the request may have run in its former life")
    func young() throws {
        var configuration = EndpointConfiguration.small
        configuration.memoryProbation = .seconds(30)
        let host = try LoneHost(configuration)
        host.endpoint.beginDraining()
        #expect(
            host.data(0..<10, of: 10, id: 2, extensions: HeaderExtension(tag: 7)) == .dropped(.unprovenClient))
        let packets = host.sent().filter { $0.header.common.type == .rpcUnknown }
        #expect(packets.map(\.header.common.extensions.marks) == [.toFirst])
    }

    @Test(
        "what completes at a port that was closed meanwhile is refused, and not acknowledged",
        arguments: [false, true], [HeaderExtension.Marks(), .oneWay])
    func closedMeanwhile(drains: Bool, marks: HeaderExtension.Marks) throws {
        let host = try LoneHost()
        let client = HeaderExtension(marks: marks, tag: 7)
        host.data(0..<1000, of: 2000, id: 2, extensions: client)
        if drains { host.endpoint.beginDraining() }
        host.endpoint.closePort(99)
        _ = host.sent()
        host.data(1000..<2000, of: 2000, id: 2, extensions: client)
        let sent = host.sent()
        #expect(sent.map(\.header.common.type) == [.rpcUnknown])
        #expect(sent.first?.header.common.extensions.marks == (drains ? .draining : .noSuchPort))
        #expect(try host.requests().isEmpty)
        #expect(host.endpoint.rpcCount == 0)
        #expect(host.pool.statistics.leasesLive == 0)
        host.endpoint.checkInvariants()
    }

    @Test("calls of a host that drains go on, for handlers may need them")
    func ownCalls() throws {
        let host = try LoneHost()
        host.endpoint.beginDraining()
        try host.call(length: 10)
        host.data(0..<10, of: 10, id: 1001, from: LoneHost.server)
        #expect(host.events().contains { if case .responseArrived = $0 { true } else { false } })
    }

    @Test("at its end a host tells the servers of its calls that nobody waits")
    func cancellations() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        try host.call(length: 10, cookie: 2)
        _ = host.sent()
        host.endpoint.sendCancellations()
        #expect(host.said() == ["RPC_UNKNOWN", "RPC_UNKNOWN"])
        #expect(host.endpoint.rpcCount == 2, "they end when everything does")
    }
}
