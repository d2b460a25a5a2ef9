// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWire
import Testing

@Suite("Answers of clients that fell silent")
struct RetentionTests {
    private static func host(bytes: Int = 1_000_000) throws -> LoneHost {
        var configuration = EndpointConfiguration.small
        configuration.responseRetention = .seconds(5)
        configuration.retainedResponseBytes = bytes
        return try LoneHost(configuration)
    }

    /// A request that has been answered; its client says nothing any more.
    private func answer(_ host: LoneHost, id: UInt64, length: Int) throws {
        host.data(0..<10, of: 10, id: id)
        try host.respond(try #require(try host.requests().first).rpc, length: length)
        _ = host.sent()
    }

    private func pass(_ host: LoneHost, milliseconds: Int) {
        for _ in 0..<milliseconds / 20 {
            host.pass(microseconds: 20_000)
            host.endpoint.checkInvariants()
        }
    }

    @Test("a client that was suspended for two seconds is sent the rest of its answer", arguments: [1000, 300_000])
    func suspended(length: Int) throws {
        let host = try Self.host()
        try answer(host, id: 2, length: length)
        pass(host, milliseconds: 2_000)
        #expect(host.endpoint.rpcCount == 1)
        #expect(host.endpoint.statistics.responsesRetained == 1)
        #expect(host.sent().last?.header.common.type == .needAck, "and it was asked")
        pass(host, milliseconds: 200)
        #expect(host.sent().isEmpty, "while it is taken for dead nobody asks it")
        host.receive(.resend(ResendFields(offset: 0, length: 1000, priority: 7)), id: 2)
        #expect(host.sent().contains { $0.payloadLength > 0 && $0.payloadOffset == 0 })
        // It lives, and is asked for the acknowledgement as ever.
        pass(host, milliseconds: 200)
        #expect(length > 1000 || host.sent().contains { $0.header.common.type == .needAck })
        host.receive(.ack(AckFields(count: 0, records: .init(repeating: .none))), id: 2)
        #expect(host.endpoint.rpcCount == 0)
        host.endpoint.checkInvariants()
    }

    @Test("an answer is given up five seconds after its client was last heard, and its request never runs again")
    func end() throws {
        let host = try Self.host()
        try answer(host, id: 2, length: 10)
        pass(host, milliseconds: 4_900)
        #expect(host.endpoint.rpcCount == 1)
        pass(host, milliseconds: 200)
        #expect(host.endpoint.rpcCount == 0 && host.endpoint.nextDeadline == nil)
        #expect(host.endpoint.statistics.clientsLost == 1)
        #expect(host.data(0..<10, of: 10, id: 2) == .dropped(.finishedBefore))
    }

    @Test("the oldest make room where the bytes kept would be more than permitted, and the longest is not kept at all")
    func bytes() throws {
        let host = try Self.host(bytes: 25_000)
        for (index, length) in [10_000, 10_000, 10_000, 30_000].enumerated() {
            try answer(host, id: UInt64(2 + 2 * index), length: length)
            pass(host, milliseconds: 20)
        }
        pass(host, milliseconds: 1_500)
        #expect(host.endpoint.rpcCount == 2)
        #expect(host.endpoint.statistics.responsesRetained == 3)
        host.receive(.resend(ResendFields(offset: 0, length: 1000, priority: 7)), id: 6)
        #expect(host.sent().contains { $0.payloadLength > 0 })
        #expect(host.data(0..<10, of: 10, id: 2) == .dropped(.finishedBefore))
    }

    @Test("an answer about which a living client says nothing is kept as long as that lives")
    func aliveElsewhere() throws {
        let host = try Self.host()
        try answer(host, id: 2, length: 10)
        host.data(0..<10, of: 20, id: 4)
        for _ in 0..<400 {
            host.receive(.busy, id: 4)
            pass(host, milliseconds: 20)
        }
        #expect(host.endpoint.statistics.responsesRetained == 1 && host.endpoint.statistics.clientsLost == 0)
    }

    @Test("an eighth of the records are kept so at most")
    func records() throws {
        let host = try Self.host()
        for number in 0..<60 { try answer(host, id: UInt64(2 + 2 * number), length: 10) }
        pass(host, milliseconds: 2_000)
        #expect(host.endpoint.rpcCount == 256 / 8)
    }

    @Test("answers that are kept keep nobody from asking their client about others")
    func others() throws {
        let host = try Self.host()
        for number in 0..<60 { try answer(host, id: UInt64(2 + 2 * number), length: 10) }
        pass(host, milliseconds: 2_000)
        _ = host.sent()
        try host.call(length: 10, to: LoneHost.client)
        pass(host, milliseconds: 100)
        #expect(host.said().contains("RESEND 0 all"))
    }

    @Test("a host that ends waits for nobody who is taken for dead")
    func draining() throws {
        let host = try Self.host()
        try answer(host, id: 2, length: 10)
        #expect(host.endpoint.awaitsAcks && host.endpoint.unfinishedWork.unacknowledged == 1)
        pass(host, milliseconds: 1_500)
        #expect(!host.endpoint.awaitsAcks && host.endpoint.unfinishedWork.isNone)
        #expect(host.endpoint.rpcCount == 1)
        host.endpoint.beginDraining()
        try answer2(host)
        pass(host, milliseconds: 1_500)
        #expect(host.endpoint.unfinishedWork.isNone)
    }

    /// One whose request came before the end began would be answered; here there is none.
    private func answer2(_ host: LoneHost) throws {
        #expect(host.data(0..<10, of: 10, id: 40) == .dropped(.draining))
    }
}
