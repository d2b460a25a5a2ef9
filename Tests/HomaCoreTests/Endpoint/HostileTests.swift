// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

/// Weaknesses found in the kernel implementation by reading it; here each must be closed.
@Suite("Hostile packets")
struct HostileTests {
    static let stranger = PeerAddress(ipv4: 0x0A00_00FF, port: 4000)

    /// Feeds in raw bytes; nil when they do not parse.
    static func raw(_ host: LoneHost, _ bytes: [UInt8], from: PeerAddress = LoneHost.client) -> Disposition? {
        guard let header = try? bytes.withUnsafeBytes({ try PacketHeader.parse($0) }) else { return nil }
        defer { host.drain() }
        return host.endpoint.receive(header, from: from, at: host.now)
    }

    static func bytes(_ body: PacketBody, id: UInt64, payload: Int = 0) -> [UInt8] {
        let header = PacketHeader(
            sourcePort: id & 1 == 0 ? 0x8000 : 99, destinationPort: id & 1 == 0 ? 99 : 0x8000,
            senderID: RPCID(rawValue: id), body: body)
        var bytes = [UInt8](repeating: 0, count: header.byteCount + payload)
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        return bytes
    }

    @Test("S1: a priority above 7 in GRANT or RESEND is not believed", arguments: [8, 100, 255] as [UInt8])
    func priorityByte(priority: UInt8) throws {
        let host = try LoneHost()
        try host.call(length: 100_000)
        _ = host.sent()
        let grant = Self.bytes(.grant(GrantFields(offset: 90_000, priority: priority)), id: 1001)
        let resend = Self.bytes(.resend(ResendFields(offset: 0, length: 10, priority: priority)), id: 1001)
        #expect(
            Self.raw(host, grant, from: LoneHost.server) == nil && Self.raw(host, resend, from: LoneHost.server) == nil)
        #expect(host.said().isEmpty)
    }

    @Test("S2: DATA of a message without bytes creates nothing")
    func emptyMessage() throws {
        let host = try LoneHost()
        let packet = Self.bytes(
            .data(DataFields(messageLength: 0, incoming: 0, offset: 0, payloadLength: 10)), id: 2, payload: 10)
        #expect(Self.raw(host, packet) == nil)
        #expect(host.endpoint.rpcCount == 0 && host.endpoint.peerCount == 0)
    }

    @Test("S3: only the server that was called can touch a call, with the right ports")
    func foreignPackets() throws {
        let host = try LoneHost()
        try host.call(length: 100_000)
        _ = host.sent()
        let bodies: [PacketBody] = [
            .grant(GrantFields(offset: 100_000, priority: 0)), .busy, .rpcUnknown,
            .resend(ResendFields(offset: 0, length: -1, priority: 0)), .needAck,
        ]
        host.pass(microseconds: 399_000)
        _ = host.sent()
        for body in bodies {
            host.receive(body, id: 1001, from: Self.stranger)
            host.receive(body, id: 1001, from: LoneHost.server, ports: (98, 0x8000))
            host.receive(body, id: 1001, from: LoneHost.server, ports: (99, 0x8001))
        }
        #expect(host.data(0..<10, of: 10, id: 1001, from: Self.stranger) == .dropped(.unknownRPC))
        #expect(host.data(0..<10, of: 10, id: 1001, from: LoneHost.server, ports: (98, 0x8000)) == .dropped(.wrongPeer))
        #expect(
            host.sent().allSatisfy { $0.payloadLength == 0 && $0.peer == Self.stranger }, "no byte is sent, no restart")
        // What comes from the server's address may make the host seem alive, but for this call only its answers count.
        for _ in 0..<200 {
            host.receive(.busy, id: 1001, from: LoneHost.server, ports: (98, 0x8000))
            host.pass(microseconds: 5000)
        }
        #expect(host.failures() == [.timedOut], "and nobody's word keeps the call alive")
    }

    @Test("S4: a response that claims more than 1 000 000 bytes leaves the call as it was")
    func longResponse() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        let packet = Self.bytes(
            .data(DataFields(messageLength: 1_000_001, incoming: 10, offset: 0, payloadLength: 10)), id: 1001,
            payload: 10)
        #expect(Self.raw(host, packet, from: LoneHost.server) == nil)
        host.pass(microseconds: 500_000)
        #expect(host.failures() == [.timedOut])
    }

    @Test("S5: CUTOFFS change only what we send to the host they come from")
    func cutoffs() throws {
        let host = try LoneHost()
        try host.call(length: 10, to: LoneHost.client)
        var none = InlineArray<8, UInt32>(repeating: 0)
        none[0] = 5
        host.receive(.cutoffs(CutoffsFields(cutoffs: none, version: 7)), id: 1001, from: LoneHost.client)
        host.receive(.cutoffs(CutoffsFields(cutoffs: none, version: 7)), id: 1001, from: Self.stranger)
        _ = host.sent()
        try host.call(length: 10)
        try host.call(length: 1_000_000, to: LoneHost.client)
        let packets = host.sent()
        #expect(packets.first?.priority == 6)
        #expect(packets.last?.priority == 0, "every message still has a level")
    }

    @Test("S6: neither ACK nor a stranger's RPC_UNKNOWN ends a request in service")
    func inService() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2)
        let request = try #require(try host.requests().first)
        host.receive(.ack(AckFields()), id: 2)
        host.receive(.rpcUnknown, id: 2, from: Self.stranger)
        host.receive(.rpcUnknown, id: 2, ports: (0x8001, 99))
        #expect(try host.respond(request.rpc, length: 10))
    }

    @Test("S7: claims of bytes on their way block other senders no longer than the first silence")
    func falseClaims() throws {
        let host = try LoneHost()
        for number in 0..<30 as Range<UInt32> {
            host.data(
                0..<1, of: 1_000_000, id: 2, incoming: 999_999, from: PeerAddress(ipv4: 0x0B00_0000 + number, port: 1))
        }
        host.pass(microseconds: 5000)
        _ = host.sent()
        host.data(0..<1000, of: 400_000, id: 4, incoming: 1000)
        let grant = host.sent().first { $0.header.common.senderID.rawValue == 5 }
        #expect(grant?.summary.hasPrefix("GRANT") == true)
        let negative = Self.bytes(
            .data(DataFields(messageLength: 100, incoming: .max, offset: 0, payloadLength: 1)), id: 8, payload: 1)
        #expect(Self.raw(host, negative) == nil)
    }

    @Test(
        "S8: RESEND ranges that overflow are not believed",
        arguments: [(UInt32.max, 1), (1_000_001, 1), (999_999, 2), (1, .max), (0, .min), (0, -2), (5, 0)]
            as [(UInt32, Int32)])
    func resendOverflow(offset: UInt32, length: Int32) throws {
        let host = try LoneHost()
        try host.call(length: 100_000)
        _ = host.sent()
        let packet = Self.bytes(.resend(ResendFields(offset: offset, length: length, priority: 0)), id: 1001)
        #expect(Self.raw(host, packet, from: LoneHost.server) == nil)
        #expect(host.said().isEmpty)
    }

    @Test("S9: a packet with any byte changed is refused or harmless", arguments: 0..<80)
    func corruption(position: Int) throws {
        let host = try LoneHost()
        try host.call(length: 3000)
        host.data(0..<1000, of: 5000, id: 2)
        _ = host.sent()
        let data = DataFields(messageLength: 5000, incoming: 5000, cutoffVersion: 1, offset: 1000, payloadLength: 1000)
        let bodies: [(PacketBody, UInt64)] = [
            (.data(data), 2), (.grant(GrantFields(offset: 3000, priority: 1)), 1001),
            (.resend(ResendFields(offset: 0, length: 3000, priority: 1)), 1001), (.ack(AckFields()), 2),
            (.needAck, 1001),
        ]
        for (body, id) in bodies {
            var bytes = Self.bytes(body, id: id, payload: body.type == .data ? 1000 : 0)
            guard position < bytes.count else { continue }
            for flip in 0..<8 {
                bytes[position] ^= 1 << flip
                _ = Self.raw(host, bytes, from: id == 2 ? LoneHost.client : LoneHost.server)
                bytes[position] ^= 1 << flip
            }
        }
        host.pass(microseconds: 3_000_000)
        #expect(host.endpoint.rpcCount <= 8, "only what came in whole waits for the application")
        #expect(host.endpoint.incomingBytes == 0 && host.endpoint.rangesInUse == 0)
    }

    @Test("S10: gaps, requests and peers have limits")
    func limits() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumServerRPCsPerHost = 20
        configuration.maximumRPCs = 50
        configuration.maximumPeers = 8
        let host = try LoneHost(configuration)
        for start in stride(from: 1, to: 20_000, by: 2) { host.data(start..<start + 1, of: 20_000, id: 2) }
        #expect(host.endpoint.rangesInUse == 128)
        #expect(host.dropped(.tooManyGaps) == 10_000 - 128)
        for id in 2..<100 as Range<UInt64> { host.data(0..<1, of: 2, id: id * 2) }
        #expect(host.endpoint.rpcCount == 20)
        for peer in 0..<100 as Range<UInt32> {
            for id in 1..<100 as Range<UInt64> {
                host.data(0..<1, of: 2, id: id * 2, from: PeerAddress(ipv4: peer, port: 1))
            }
        }
        #expect(host.endpoint.rpcCount == 50 && host.endpoint.peerCount <= 8)
        #expect(throws: EndpointError.tooManyRPCs(limit: 50)) { try host.call(length: 1, to: LoneHost.client) }
        host.pass(microseconds: 1_000_000)
        #expect(host.endpoint.rpcCount == 0 && host.endpoint.rangesInUse == 0)
        #expect(host.pool.statistics.leasesLive == 0)
    }

    @Test("S11: no prefix of a packet is taken for a packet")
    func truncated() throws {
        let host = try LoneHost()
        let bodies: [PacketBody] = [
            .data(DataFields(messageLength: 10, incoming: 10, offset: 0, payloadLength: 10)),
            .grant(GrantFields(offset: 1, priority: 0)), .resend(ResendFields(offset: 0, length: -1, priority: 0)),
            .ack(AckFields()), .cutoffs(Tuning(.default).cutoffs),
        ]
        for body in bodies {
            let bytes = Self.bytes(body, id: 2)
            for length in 0..<bytes.count { #expect(Self.raw(host, Array(bytes.prefix(length))) == nil) }
        }
    }

    @Test("S12: FREEZE is ignored")
    func freeze() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        #expect(host.receive(.freeze, id: 1001, from: LoneHost.server) == .dropped(.freezeIgnored))
        #expect(host.said().isEmpty && host.endpoint.rpcCount == 1)
    }

    @Test("S13: a forged report of an unreachable host must name an RPC of ours with it")
    func unreachable() throws {
        let host = try LoneHost()
        try host.call(length: 10, cookie: 1)
        try host.call(length: 10, to: LoneHost.client, cookie: 2)
        host.endpoint.unreachable(
            LoneHost.server, because: Refusal(.hostUnreachable, .final), offending: RPCID(rawValue: 4000), at: host.now)
        host.endpoint.unreachable(
            Self.stranger, because: Refusal(.hostUnreachable, .final), offending: RPCID(rawValue: 1000), at: host.now)
        #expect(host.failures() == [])
        host.endpoint.unreachable(
            LoneHost.server, because: Refusal(.portUnreachable, .final), offending: RPCID(rawValue: 1000), at: host.now)
        #expect(host.failures() == [.portUnreachable])
        #expect(host.endpoint.rpcCount == 1)
    }

    @Test("S14: a flood of control packets makes no memory grow and starves nobody")
    func controlFlood() throws {
        let host = try LoneHost()
        for number in 0..<20_000 as Range<UInt64> {
            let header = PacketHeader(
                sourcePort: 0x8000, destinationPort: 99, senderID: RPCID(rawValue: 2 + 2 * number),
                body: .resend(ResendFields(offset: 0, length: -1, priority: 0)))
            _ = host.endpoint.receive(header, from: LoneHost.client, at: host.now)
        }
        #expect(host.sent().count == 8192)
        #expect(host.endpoint.rpcCount == 0 && host.endpoint.peerCount == 0)
        try host.call(length: 10)
        #expect(host.said() == ["DATA 0..<10"])
    }

    @Test(
        "S15: a request that ran does not run again, however late its duplicate",
        arguments: [1, 1000, 100_000, 9_000_000] as [UInt64])
    func duplicate(microseconds: UInt64) throws {
        let host = try LoneHost()
        #expect(try host.serve(id: 2, extensions: .none))
        host.pass(microseconds: microseconds)
        #expect(host.data(0..<100, of: 100, id: 2, extensions: .none) == .dropped(.finishedBefore))
        host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 0)), id: 2, extensions: LoneHost.ours)
        let answer = try #require(host.sent().last)
        #expect(answer.header.body.type == .rpcUnknown)
        #expect(answer.header.common.extensions.marks == .requestStale, "tells the client to stop trying")
    }

    @Test("an RPC in use by one message length refuses another")
    func lengthMismatch() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 100, id: 2)
        #expect(host.data(10..<20, of: 99, id: 2) == .dropped(.lengthMismatch))
        #expect(host.data(10..<20, of: 1_000_000, id: 2) == .dropped(.lengthMismatch))
    }

    @Test("a client that names enormous identifiers harms nobody but itself")
    func enormousIdentifiers() throws {
        let host = try LoneHost()
        #expect(try host.serve(id: .max - 1))
        host.data(0..<10, of: 10, id: .max - 3, oldest: 1)
        host.data(0..<10, of: 10, id: 2, oldest: .max)
        #expect(try host.serve(id: 2, from: Self.stranger))
    }

    @Test("S15: requests begun and never finished do not keep a long honest request from the memory")
    func unfinishedFlood() throws {
        let host = try LoneHost(regionLength: 2 << 20)
        var id: UInt64 = 2
        // A long request of an honest client arrives when memory and waiting queue are full of shorter ones.
        for _ in 0..<200 {
            host.data(0..<1, of: 400_000, id: id, incoming: 1, from: Self.stranger)
            id += 2
        }
        host.data(0..<1000, of: 1_000_000, id: 2, incoming: 60_000)
        var granted = false
        for _ in 0..<200 where !granted {
            host.pass(microseconds: 1000)
            for _ in 0..<20 {
                host.data(0..<1, of: 400_000, id: id, incoming: 1, from: Self.stranger)
                id += 2
            }
            // The honest client answers every question.
            host.receive(.busy, id: 2)
            granted = host.sent().contains { $0.peer == LoneHost.client && $0.summary == "RESEND 0..<60000" }
        }
        #expect(granted, "its memory did not come within 200 ms")
        #expect(host.dropped(.distrustedPeer) > 0)
        #expect(host.endpoint.statistics.requestsEvicted > 0)
        host.pass(microseconds: 100_000)
        #expect(host.endpoint.rpcCount <= 5, "of the stranger's, only the share of a distrusted peer is left")
    }

    @Test("S15: a distrusted peer is served when its requests come in one packet, and trusted again")
    func trustRegained() throws {
        let host = try LoneHost()
        for id in 1...100 as ClosedRange<UInt64> { host.data(0..<1, of: 2, id: id * 2) }
        host.pass(microseconds: 1_000_000)
        #expect(host.endpoint.rpcCount == 0)
        for id in 101...110 as ClosedRange<UInt64> { host.data(0..<1, of: 2, id: id * 2) }
        #expect(host.endpoint.rpcCount == 4 && host.dropped(.distrustedPeer) == 6)
        for id in 200...202 as ClosedRange<UInt64> { #expect(try host.serve(id: id * 2)) }
        for id in 210...229 as ClosedRange<UInt64> { host.data(0..<1, of: 2, id: id * 2) }
        #expect(host.endpoint.rpcCount == 24 && host.dropped(.distrustedPeer) == 6)
    }

    @Test("S15: without shortage a silent sender keeps the whole time-out")
    func patienceWithRoom() throws {
        let host = try LoneHost()
        host.data(0..<1, of: 2, id: 2)
        host.pass(microseconds: 399_000)
        #expect(host.endpoint.rpcCount == 1)
        host.pass(microseconds: 25_000)
        #expect(host.endpoint.rpcCount == 0 && host.endpoint.statistics.requestsEvicted == 0)
    }
}
