// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("RESEND")
struct ResendTests {
    // MARK: Asking

    @Test("every gap is asked for, and one packet of what should have come after the last")
    func perGap() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 9000, id: 2, incoming: 8000)
        host.data(2000..<3000, of: 9000, id: 2, incoming: 8000)
        host.data(4000..<5000, of: 9000, id: 2, incoming: 8000)
        _ = host.sent()
        host.pass(microseconds: 5000)
        // The rest was granted with the first packet.
        let said = ["RESEND 1000..<2000", "RESEND 3000..<4000", "GRANT 9000 p0", "RESEND 5000..<6416"]
        #expect(host.said() == said, "the grant may be lost as well")
    }

    @Test("what left before a packet that was asked for again, and has not come, is lost")
    func tail() throws {
        let host = try LoneHost()
        func again(_ range: Range<Int>, incoming: Int) {
            host.receive(
                .data(
                    DataFields(
                        messageLength: 50_000, incoming: UInt32(incoming), cutoffVersion: 1, isRetransmission: true,
                        offset: UInt32(range.lowerBound), payloadLength: UInt32(range.count))), id: 2)
        }
        host.data(0..<1000, of: 50_000, id: 2, incoming: 50_000)
        host.pass(microseconds: 5000)
        #expect(host.said() == ["RESEND 1000..<2416"])
        again(1000..<2000, incoming: 2000)
        #expect(host.said() == ["RESEND 2000..<50000"])
        // Two packets of those, of which the second is the last to go again.
        again(2000..<3000, incoming: 4000)
        again(3000..<4000, incoming: 4000)
        #expect(host.said().isEmpty, "once for each probe")
        host.pass(microseconds: 5000)
        #expect(host.said() == ["RESEND 4000..<5416"])
        host.data(4000..<5000, of: 50_000, id: 2, incoming: 50_000)
        again(4000..<5000, incoming: 5000)
        #expect(host.said().isEmpty, "it was late, and so may be what follows")
    }

    @Test("what was asked for and has come, but is not all, says nothing of what follows it", arguments: [true, false])
    func tailInPart(isAll: Bool) throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 50_000, id: 2, incoming: 50_000)
        host.pass(microseconds: 5000)
        #expect(host.said() == ["RESEND 1000..<2416"])
        // The packet that was asked for goes again in two, as the way has become narrow: the first is not the last.
        host.receive(
            .data(
                DataFields(
                    messageLength: 50_000, incoming: isAll ? 1800 : 2416, cutoffVersion: 1, isRetransmission: true,
                    offset: 1000, payloadLength: 800)), id: 2)
        #expect(host.said() == (isAll ? ["RESEND 1800..<50000"] : []))
    }

    @Test("a packet sent again that fills a gap says nothing of what follows the last")
    func gapFilled() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 50_000, id: 2, incoming: 50_000)
        host.data(2000..<3000, of: 50_000, id: 2, incoming: 50_000)
        host.pass(microseconds: 5000)
        #expect(host.said() == ["RESEND 1000..<2000", "RESEND 3000..<4416"])
        host.receive(
            .data(
                DataFields(
                    messageLength: 50_000, incoming: 2000, cutoffVersion: 1, isRetransmission: true, offset: 1000,
                    payloadLength: 1000)), id: 2)
        #expect(host.said().isEmpty)
    }

    @Test("a message of which one packet came that was sent again is asked for at once")
    func headAlone() throws {
        let host = try LoneHost()
        host.receive(
            .data(
                DataFields(
                    messageLength: 50_000, incoming: 1000, cutoffVersion: 1, isRetransmission: true, offset: 0,
                    payloadLength: 1000)), id: 2)
        #expect(host.said() == ["RESEND 1000..<50000"])
    }

    @Test("nothing is asked for while all that was granted is here")
    func nothingMissing() throws {
        var configuration = EndpointConfiguration.small
        configuration.window = 5000
        configuration.grantIncrement = 5000
        configuration.activeMessagesPerHost = 1
        let host = try LoneHost(configuration)
        host.data(0..<1000, of: 300_000, id: 2, incoming: 20_000)
        host.data(0..<1000, of: 400_000, id: 4, incoming: 1000)
        _ = host.sent()
        for start in stride(from: 1000, to: 13_000, by: 600) {
            // The other keeps its place, as it brings something.
            host.data(start..<start + 600, of: 300_000, id: 2, incoming: 20_000)
            host.pass(microseconds: 1000)
        }
        #expect(host.sent().allSatisfy { $0.header.common.senderID.rawValue != 5 })
        #expect(host.endpoint.rpcCount == 2)
    }

    @Test("a client that has heard nothing asks for everything")
    func nothingReceived() throws {
        let host = try LoneHost()
        try host.call(length: 100)
        _ = host.sent()
        host.pass(microseconds: 5000)
        #expect(host.said() == ["RESEND 0 all"])
    }

    @Test("a message without buffers is not asked for, and when it has some, from the start")
    func withoutBuffers() throws {
        let host = try LoneHost(regionLength: 1 << 20)
        host.data(0..<1000, of: 1_000_000, id: 2, incoming: 1000)
        let granted = host.data(0..<1000, of: 500_000, id: 4, incoming: 60_000)
        #expect(granted == .dropped(.noBuffers))
        _ = host.sent()
        host.pass(microseconds: 3000)
        #expect(host.sent().allSatisfy { $0.header.common.senderID.rawValue == 3 })
        host.receive(.rpcUnknown, id: 2)
        let said = host.sent().filter { $0.header.common.senderID.rawValue == 5 }
        #expect(said.first?.summary == "RESEND 0..<60000")
        guard case .resend(let fields) = said.first?.header.body else { return }
        #expect(fields.priority == 6)
    }

    @Test("a message waits for all that was on its way from its peer when its last bytes came, and for no more")
    func behindOthers() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 60_000, id: 2)
        host.data(0..<1000, of: 3000, id: 4)
        _ = host.sent()
        for start in stride(from: 1000, to: 60_000, by: 1000) {
            host.pass(microseconds: 200)
            host.data(start..<start + 1000, of: 60_000, id: 2)
        }
        #expect(host.said().isEmpty)
        host.pass(microseconds: 60_000)
        #expect(host.said().first == "RESEND 1000..<2416", "the way is idle")
    }

    @Test("a hundred gaps are asked for sixteen at a time")
    func manyGaps() throws {
        let host = try LoneHost()
        for gap in 0..<100 { host.data(gap * 20 + 10..<gap * 20 + 20, of: 2000, id: 2) }
        _ = host.sent()
        host.pass(microseconds: 5000)
        #expect(host.said().count == 16)
    }

    // MARK: Being asked

    /// A client's call of 150 000 bytes of which the first 60 888 went unscheduled.
    static func sendingHost(length: Int = 150_000) throws -> LoneHost {
        let host = try LoneHost()
        try host.call(length: length)
        _ = host.sent()
        return host
    }

    struct Row: CustomTestStringConvertible, Sendable {
        var name: String
        var offset: UInt32
        var length: Int32
        /// First and last byte of what goes again; nil: nothing.
        var again: Range<Int>?
        var busy: Bool
        /// Highest byte sent afterwards.
        var sentUpTo = 60_888
        var testDescription: String { name }
    }

    static let rows = [
        Row(name: "one packet", offset: 0, length: 1416, again: 0..<1416, busy: false),
        Row(name: "part of a packet", offset: 100, length: 1, again: 0..<1416, busy: false),
        Row(name: "over a boundary", offset: 1415, length: 2, again: 0..<2832, busy: false),
        Row(name: "everything, as nothing has come", offset: 0, length: -1, again: 0..<1416, busy: false),
        Row(name: "everything from the middle", offset: 14_160, length: -1, again: 14_160..<60_888, busy: false),
        Row(name: "more than was sent, but granted", offset: 59_472, length: 1416, again: 59_472..<60_888, busy: false),
        Row(
            name: "beyond the grant: a GRANT was lost", offset: 59_472, length: 10_000, again: 59_472..<60_888,
            busy: false, sentUpTo: 69_472),
        Row(
            name: "nothing of it sent yet, and now granted", offset: 60_888, length: 1000, again: nil, busy: true,
            sentUpTo: 61_888),
        Row(name: "everything from what was never sent", offset: 60_888, length: -1, again: nil, busy: true),
        Row(name: "beyond the end of the message", offset: 150_000, length: 1000, again: nil, busy: false),
        Row(
            name: "over the end of the message", offset: 0, length: 1_000_000, again: 0..<60_888, busy: false,
            sentUpTo: 150_000),
    ]

    @Test("what is sent again, what is sent anew, and when the answer is BUSY", arguments: rows)
    func answer(_ row: Row) throws {
        let host = try Self.sendingHost()
        host.receive(
            .resend(ResendFields(offset: row.offset, length: row.length, priority: 5)), id: 1001, from: LoneHost.server)
        let packets = host.sent()
        #expect(packets.contains { $0.summary == "BUSY" } == row.busy)
        let data = packets.filter { $0.payloadLength > 0 }
        let again = data.filter { $0.payloadOffset < 60_888 }
        #expect(again.first?.payloadOffset == row.again?.lowerBound)
        #expect(again.last.map { $0.payloadOffset + $0.payloadLength } == row.again?.upperBound)
        #expect(again.reduce(0) { $0 + $1.payloadLength } == row.again?.count ?? 0)
        let end = data.map { $0.payloadOffset + $0.payloadLength }.max() ?? 0
        #expect(max(end, 60_888) >= row.sentUpTo && max(end, 60_888) < row.sentUpTo + 1416)
    }

    @Test(
        "a RESEND for an unknown RPC is answered with RPC_UNKNOWN, ports exchanged", arguments: [2, 1001] as [UInt64])
    func unknown(id: UInt64) throws {
        let host = try LoneHost()
        host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 0)), id: id)
        let packets = host.sent()
        #expect(packets.map(\.summary) == ["RPC_UNKNOWN"])
        #expect(packets[0].header.common.senderID == RPCID(rawValue: id).peer)
        #expect(packets[0].header.common.sourcePort == (id & 1 == 0 ? 99 : 0x8000))
        #expect(packets[0].peer == LoneHost.client)
    }

    @Test("a server that still receives or runs the request says BUSY")
    func serverBusy() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 2000, id: 2)
        host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 0)), id: 2)
        #expect(host.said() == ["BUSY"])
        host.data(1000..<2000, of: 2000, id: 2)
        host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 0)), id: 2)
        #expect(host.said() == ["BUSY"])
    }

    @Test("who has nothing gets one packet each time that it asks, and waits longer for each")
    func nothingHasCome() throws {
        let host = try Self.sendingHost()
        var packets: [Int] = []
        for wait in [5, 5, 1, 9, 5, 15, 15, 25, 60, 45, 35] as [UInt64] {
            host.now = host.now.advanced(byNanoseconds: wait * 1_000_000)
            host.receive(
                .resend(ResendFields(offset: 0, length: -1, priority: 5)), id: 1001, from: LoneHost.server)
            // The fifth time it goes in two, since the path may swallow it.
            packets.append(host.sent().count { $0.payloadLength > 0 })
        }
        #expect(packets == [1, 1, 0, 1, 0, 1, 0, 1, 2, 0, 2])
    }

    @Test("while no round trip is known, the same goes again after twice as long each time, though more is leaving")
    func againWhileLeaving() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .megabitsPerSecond(10)
        let host = try LoneHost(configuration)
        try host.call(length: 60_000)
        var packets: [Int] = []
        // All of it takes 50 ms to leave.
        for _ in 0..<8 {
            host.pass(microseconds: 5_000)
            _ = host.sent()
            host.receive(
                .resend(ResendFields(offset: 0, length: 1000, priority: 5)), id: 1001, from: LoneHost.server)
            host.pass(microseconds: 0)
            packets.append(host.sent().count { $0.header.common.type == .busy })
        }
        #expect(packets == [0, 0, 1, 0, 1, 1, 0, 1])
    }

    @Test("of what is asked for beyond what has left only what has left goes again")
    func unsentTail() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .megabitsPerSecond(1)
        let host = try LoneHost(configuration)
        try host.call(length: 2000)
        host.pass(microseconds: 1000)
        #expect(host.said() == ["DATA 0..<1416"])
        host.receive(.resend(ResendFields(offset: 0, length: 2000, priority: 0)), id: 1001, from: LoneHost.server)
        host.pass(microseconds: 60_000)
        #expect(host.said().filter { $0.hasPrefix("DATA") } == ["DATA 0..<1416", "DATA 1416..<2000"])
        #expect(host.endpoint.statistics.bytesRetransmitted == 1416)
    }

    @Test("of a packet that a narrow path had cut only what has left goes again when the path is wide")
    func cutPacket() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .megabitsPerSecond(1)
        let host = try LoneHost(configuration)
        try host.call(length: 10_000)
        host.endpoint.setMaximumPacket(bytes: 1000 + DataFields.byteCount, for: LoneHost.server)
        host.pass(microseconds: 15_000)
        #expect(host.said() == ["DATA 0..<1416", "DATA 1416..<2416"])
        host.endpoint.setMaximumPacket(bytes: 1476, for: LoneHost.server)
        host.receive(.resend(ResendFields(offset: 1416, length: 1000, priority: 0)), id: 1001, from: LoneHost.server)
        host.pass(microseconds: 15_000)
        #expect(host.said().first == "DATA 1416..<2416")
        #expect(host.endpoint.statistics.bytesRetransmitted == 1000)
    }

    @Test("where the path has become narrow exactly what is missing goes again")
    func exactRange() throws {
        let host = try Self.sendingHost()
        host.endpoint.setMaximumPacket(bytes: 1000, for: LoneHost.server)
        host.receive(.resend(ResendFields(offset: 100, length: 500, priority: 0)), id: 1001, from: LoneHost.server)
        #expect(host.said() == ["DATA 100..<600"])
    }

    @Test("a server sends its response again")
    func serverResponse() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 1000, id: 2)
        try host.respond(try #require(try host.requests().first).rpc, length: 3000)
        _ = host.sent()
        host.receive(.resend(ResendFields(offset: 0, length: 3000, priority: 7)), id: 2)
        #expect(host.said() == ["DATA 0..<1416", "DATA 1416..<2832", "DATA 2832..<3000"])
    }

    @Test("a client sends its request again even when the response has begun")
    func clientReceiving() throws {
        let host = try Self.sendingHost(length: 3000)
        host.data(0..<1000, of: 5000, id: 1001, from: LoneHost.server)
        host.receive(.resend(ResendFields(offset: 0, length: 3000, priority: 7)), id: 1001, from: LoneHost.server)
        #expect(host.said() == ["DATA 0..<1416", "DATA 1416..<2832", "DATA 2832..<3000"])
    }

    @Test("the same range asked for twice before it leaves goes once")
    func overlapping() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .megabitsPerSecond(1)
        let host = try LoneHost(configuration)
        try host.call(length: 1416)
        host.pass(microseconds: 1000)
        #expect(host.said() == ["DATA 0..<1416"])
        for _ in 0..<5 {
            host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 1)), id: 1001, from: LoneHost.server)
        }
        host.pass(microseconds: 40_000)
        #expect(host.said().filter { $0.hasPrefix("DATA") } == ["DATA 0..<1416"])
    }

    // MARK: RPC_UNKNOWN, BUSY

    @Test(
        "a client whose request is unknown sends again its first packet, and to the kernel module all it has sent",
        arguments: [LoneHost.ours, HeaderExtension.none])
    func restart(extensions: HeaderExtension) throws {
        let host = try Self.sendingHost()
        host.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: extensions)
        let packets = host.sent()
        #expect(packets.first?.payloadOffset == 0)
        #expect(packets.reduce(0) { $0 + $1.payloadLength } == (extensions.version == 0 ? 60_888 : 1416))
        #expect(packets.allSatisfy { $0.priority == 6 }, "the unscheduled level")
    }

    @Test("RPC_UNKNOWN means nothing once the response has begun")
    func unknownLate() throws {
        let host = try Self.sendingHost(length: 100)
        host.data(0..<1000, of: 5000, id: 1001, from: LoneHost.server)
        #expect(host.receive(.rpcUnknown, id: 1001, from: LoneHost.server) == .dropped(.wrongState))
        #expect(host.endpoint.rpcCount == 1)
    }

    @Test("RPC_UNKNOWN from a client ends its request in every state", arguments: 0..<3)
    func clientGone(state: Int) throws {
        let host = try LoneHost()
        host.data(0..<1000, of: state == 0 ? 2000 : 1000, id: 2)
        if state == 2 { try host.respond(try #require(try host.requests().first).rpc, length: 10) }
        host.receive(.rpcUnknown, id: 2)
        #expect(host.endpoint.rpcCount == 0)
        let abandoned = host.events().contains { if case .requestAbandoned = $0 { true } else { false } }
        #expect(abandoned == (state == 1))
    }

    @Test("BUSY is a sign of life")
    func busy() throws {
        let host = try Self.sendingHost(length: 100)
        for _ in 0..<20 {
            host.pass(microseconds: 100_000)
            host.receive(.busy, id: 1001, from: LoneHost.server)
        }
        #expect(host.endpoint.rpcCount == 1)
        host.pass(microseconds: 410_000)
        #expect(host.failures() == [.timedOut])
    }

    @Test("RPC_UNKNOWN, RESEND and NEED_ACK do not keep a call alive for ever", arguments: 0..<2)
    func noSignOfLife(kind: Int) throws {
        let host = try Self.sendingHost(length: 100)
        for _ in 0..<800 {
            host.pass(microseconds: 10_000)
            host.receive(kind == 0 ? .rpcUnknown : .needAck, id: 1001, from: LoneHost.server)
        }
        #expect(host.failures() == [.timedOut])
    }
}
