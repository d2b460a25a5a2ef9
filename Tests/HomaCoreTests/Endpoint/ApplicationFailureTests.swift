// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

/// Responses that say that the application failed.
@Suite("Failures of the application")
struct ApplicationFailureTests {
    private func answers(_ events: [EndpointEvent]) -> [Bool] {
        events.compactMap { if case .responseArrived(_, _, _, _, let isFailure) = $0 { isFailure } else { nil } }
    }

    @Test("every packet of such a response is marked, also what goes again")
    func marked() throws {
        let host = try LoneHost()
        let named = HeaderExtension(tag: 7)
        host.data(0..<10, of: 10, id: 2, extensions: named)
        let request = try #require(try host.requests().first)
        #expect(try host.fail(request.rpc, length: 3000))
        let packets = host.sent().filter { $0.payloadLength > 0 }
        #expect(packets.map(\.summary) == ["DATA 0..<1416", "DATA 1416..<2832", "DATA 2832..<3000"])
        #expect(packets.allSatisfy { $0.header.common.extensions.marks == .failed })
        host.receive(.resend(ResendFields(offset: 0, length: 100, priority: 7)), id: 2, extensions: named)
        #expect(host.sent().map(\.header.common.extensions.marks) == [.failed])
        #expect(host.endpoint.statistics.failuresSent == 1)
        host.receive(.ack(AckFields()), id: 2, extensions: named)
        #expect(host.endpoint.rpcCount == 0)
    }

    @Test("the client hears of it with the bytes; an ordinary response is none", arguments: [true, false])
    func heard(fails: Bool) throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.data(
            0..<10, of: 10, id: 1001, from: LoneHost.server, extensions: HeaderExtension(marks: fails ? .failed : []))
        #expect(answers(host.events()) == [fails])
        #expect(host.endpoint.statistics.failuresReceived == (fails ? 1 : 0))
    }

    @Test("a client without extensions would take the bytes for an answer, so the request is dropped instead")
    func kernelClient() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2, extensions: .none)
        let request = try #require(try host.requests().first)
        // Anybody may say so in its name.
        host.receive(.busy, id: 8)
        _ = host.sent()
        #expect(try !host.fail(request.rpc, length: 30))
        #expect(host.said().filter { $0.hasPrefix("DATA") }.isEmpty)
        #expect(host.endpoint.statistics.requestsDeclined == 1)
        host.pass(microseconds: 1_000_000)
        #expect(host.endpoint.rpcCount == 0)
    }

    @Test("a mark from a server without extensions means nothing")
    func kernelServer() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.data(
            0..<10, of: 10, id: 1001, from: LoneHost.server, extensions: HeaderExtension(version: 0, marks: .failed))
        #expect(answers(host.events()) == [false])
    }
}
