// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Acknowledgements")
struct AckTests {
    /// Completes one call of one packet each way.
    static func complete(_ host: LoneHost, id: UInt64) throws {
        try host.call(length: 10, cookie: id)
        host.data(0..<10, of: 10, id: id | 1, from: LoneHost.server)
    }

    static func acks(_ packets: [OutgoingPacket]) -> [AckRecord] {
        packets.compactMap {
            guard case .data(let data) = $0.header.body, !data.ack.isEmpty else { return nil }
            return data.ack
        }
    }

    @Test("an acknowledgement rides on the next DATA packet to that server, the latest first")
    func piggyback() throws {
        let host = try LoneHost()
        try Self.complete(host, id: 1000)
        #expect(Self.acks(host.sent()).isEmpty)
        try host.call(length: 10, to: LoneHost.client)
        #expect(Self.acks(host.sent()).isEmpty, "another server")
        try host.call(length: 10)
        #expect(Self.acks(host.sent()) == [AckRecord(clientID: RPCID(rawValue: 1000), serverPort: 99)])
        try host.call(length: 10)
        #expect(Self.acks(host.sent()).isEmpty, "once")
    }

    @Test("the sixth acknowledgement makes an ACK packet that carries all six")
    func sixth() throws {
        let host = try LoneHost()
        // Six calls at once, so that no request carries an acknowledgement.
        for call in 0..<6 as Range<UInt64> { try host.call(length: 10, cookie: call) }
        _ = host.sent()
        for call in 0..<6 as Range<UInt64> {
            host.data(0..<10, of: 10, id: 1001 + 2 * call, from: LoneHost.server)
            #expect(host.said() == (call == 5 ? ["ACK +5"] : []))
        }
    }

    @Test("NEED_ACK for a call that is over is answered with ACK, and with what else waits")
    func needAckUnknown() throws {
        let host = try LoneHost()
        for call in 0..<3 as Range<UInt64> { try host.call(length: 10, cookie: call) }
        for call in 0..<3 as Range<UInt64> { host.data(0..<10, of: 10, id: 1001 + 2 * call, from: LoneHost.server) }
        _ = host.sent()
        host.receive(.needAck, id: 1001, from: LoneHost.server)
        #expect(host.said() == ["ACK +3"])
        host.receive(.needAck, id: 5001, from: LoneHost.client)
        #expect(host.said() == ["ACK +0"], "even from a stranger: a kernel server asks a thousand times a second")
    }

    @Test("NEED_ACK for a call that waits for its response is answered with RESEND")
    func needAckIncomplete() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        host.receive(.needAck, id: 1001, from: LoneHost.server)
        #expect(host.said() == ["RESEND 0 all"])
        host.data(1000..<2000, of: 3000, id: 1001, from: LoneHost.server)
        host.receive(.needAck, id: 1001, from: LoneHost.server)
        #expect(host.said() == ["BUSY"], "the rest may be on its way")
        host.pass(microseconds: 5000)
        _ = host.sent()
        host.receive(.needAck, id: 1001, from: LoneHost.server)
        #expect(host.said() == ["RESEND 0..<1000", "RESEND 2000..<3000"])
    }

    @Test("NEED_ACK for a response that waits for buffers is answered with BUSY")
    func needAckStalled() throws {
        let host = try LoneHost(regionLength: 1 << 20)
        host.data(0..<1000, of: 1_000_000, id: 2, incoming: 1000)
        try host.call(length: 10)
        host.data(0..<1000, of: 100_000, id: 1001, incoming: 60_000, from: LoneHost.server)
        _ = host.sent()
        host.receive(.needAck, id: 1001, from: LoneHost.server)
        #expect(host.said() == ["BUSY"])
    }

    /// A server with six answered requests, 2 to 12.
    static func server() throws -> LoneHost {
        let host = try LoneHost()
        for id in stride(from: 2, through: 12, by: 2) as StrideThrough<UInt64> { host.data(0..<10, of: 10, id: id) }
        for request in try host.requests() { try host.respond(request.rpc, length: 10) }
        _ = host.sent()
        return host
    }

    @Test("an ACK ends the RPC of its header and those it lists")
    func header() throws {
        let host = try Self.server()
        var fields = AckFields()
        for id in [4, 6, 400] as [UInt64] {
            fields.append(AckRecord(clientID: RPCID(rawValue: id), serverPort: 99))
        }
        host.receive(.ack(fields), id: 2)
        #expect(host.endpoint.rpcCount == 3)
        for id in [2, 4, 6] as [UInt64] { #expect(host.data(0..<10, of: 10, id: id) == .dropped(.finishedBefore)) }
    }

    @Test("an acknowledgement on a DATA packet ends the RPC it names, after the data")
    func onData() throws {
        let host = try Self.server()
        host.data(0..<10, of: 10, id: 14, ack: AckRecord(clientID: RPCID(rawValue: 2), serverPort: 99))
        #expect(host.endpoint.rpcCount == 6)
        #expect(try host.requests().count == 1)
    }

    @Test("an acknowledgement counts only from the client itself and for the right port")
    func foreign() throws {
        let host = try Self.server()
        host.receive(.ack(AckFields()), id: 2, from: LoneHost.server)
        host.receive(.ack(AckFields()), id: 2, ports: (0x8000, 98))
        host.data(0..<10, of: 10, id: 500, ack: AckRecord(clientID: RPCID(rawValue: 2), serverPort: 98))
        host.data(
            0..<10, of: 10, id: 500, from: LoneHost.server, ack: AckRecord(clientID: RPCID(rawValue: 2), serverPort: 99)
        )
        #expect(host.endpoint.rpcCount == 8)
    }

    @Test("an acknowledgement of a request that is arriving or in service is ignored")
    func tooEarly() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 2000, id: 2)
        host.receive(.ack(AckFields()), id: 2)
        #expect(host.endpoint.rpcCount == 1)
        host.data(1000..<2000, of: 2000, id: 2)
        host.receive(.ack(AckFields()), id: 2)
        #expect(host.endpoint.rpcCount == 1)
        #expect(try host.respond(try #require(try host.requests().first).rpc, length: 10))
        host.receive(.ack(AckFields()), id: 2)
        #expect(host.endpoint.rpcCount == 0)
    }

    @Test("a request dropped unanswered is acknowledged, too")
    func declined() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        host.receive(
            .rpcUnknown, id: 1001, from: LoneHost.server,
            extensions: HeaderExtension(marks: .requestDropped))
        #expect(host.failures() == [.requestDropped])
        host.receive(.needAck, id: 1001, from: LoneHost.server)
        #expect(host.said() == ["ACK +1"])
    }
}
