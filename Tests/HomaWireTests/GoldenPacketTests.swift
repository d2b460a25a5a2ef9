// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

/// A packet of known content, byte by byte.
struct GoldenPacket: CustomTestStringConvertible, Sendable {
    /// The header in words.
    let line: String
    /// The whole packet in hexadecimal.
    let wire: String
    let header: PacketHeader
    /// False for bytes that only the kernel module writes so.
    var isOurForm = true

    var testDescription: String { line }

    static let all = data + control

    private static let data = [
        GoldenPacket(
            line: "DATA 32768→4000 id 2 [0, 5) of 5 incoming 5 cutoffs v0",
            wire: """
                80 00 0f a0 00 00 00 00 00 00 00 10 e0 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 02 00 00 00 05
                00 00 00 05 00 00 00 00 00 00 00 00 00 00 00 00
                00 00 00 00 ff ff ff ff 68 65 6c 6c 6f
                """,
            header: Sample.client(.data(DataFields(messageLength: 5, incoming: 5, offset: 0, payloadLength: 5))),
            isOurForm: false),
        GoldenPacket(
            line: "DATA 4000→32768 id 3 [0, 5) of 5 incoming 5 cutoffs v1",
            wire: """
                0f a0 80 00 00 00 00 00 00 00 00 10 e0 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03 00 00 00 05
                00 00 00 05 00 00 00 00 00 00 00 00 00 00 00 01
                00 00 00 00 00 00 00 00 48 45 4c 4c 4f
                """,
            header: Sample.server(
                .data(DataFields(messageLength: 5, incoming: 5, cutoffVersion: 1, offset: 0, payloadLength: 5)))),
        GoldenPacket(
            line: "DATA 4000→32768 id 3 [1424, 2848) of 100000 incoming 2848 cutoffs v1 retransmission",
            wire: """
                0f a0 80 00 00 00 05 90 00 00 00 10 e0 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03 00 01 86 a0
                00 00 0b 20 00 00 00 00 00 00 00 00 00 00 00 01
                01 00 00 00 00 00 05 90

                """ + String(repeating: "5a ", count: 1424),
            header: Sample.server(
                .data(
                    DataFields(
                        messageLength: 100_000, incoming: 2848, cutoffVersion: 1, isRetransmission: true,
                        offset: 1424, payloadLength: 1424)))),
        GoldenPacket(
            line: "DATA 32768→4000 id 66 [3, 4) of 4 incoming 4 cutoffs v258 ack 4 at port 99 oldest unfinished −6"
                + " extensions v2 marks oneWay tag 0x1122334455667788",
            wire: """
                80 00 0f a0 11 22 33 44 02 04 00 10 e0 06 55 66
                77 88 b9 7d 00 00 00 00 00 00 00 42 00 00 00 04
                00 00 00 04 00 00 00 00 00 00 00 04 00 63 01 02
                00 00 00 04 00 00 00 03 21
                """,
            header: PacketHeader(
                sourcePort: 0x8000, destinationPort: 4000, senderID: RPCID(rawValue: 66),
                extensions: HeaderExtension(marks: .oneWay, tag: 0x1122_3344_5566_7788),
                body: .data(
                    DataFields(
                        messageLength: 4, incoming: 4, ack: AckRecord(clientID: RPCID(rawValue: 4), serverPort: 99),
                        cutoffVersion: 258, oldestUnfinishedDistance: 4, offset: 3, payloadLength: 1)))),
        GoldenPacket(
            line: "DATA 32768→4000 id 66 [0, 1) of 1 incoming 1 cutoffs v0 retransmission proof 0xcafe0001 unused +6"
                + " extensions v2 marks proof tag 0x9",
            wire: """
                80 00 0f a0 00 00 00 00 02 40 00 10 e0 06 00 00
                00 09 b9 7d 00 00 00 00 00 00 00 42 00 00 00 01
                00 00 00 01 ca fe 00 01 00 00 00 03 00 00 00 00
                01 00 00 00 00 00 00 00 21
                """,
            header: PacketHeader(
                sourcePort: 0x8000, destinationPort: 4000, senderID: RPCID(rawValue: 66),
                extensions: HeaderExtension(marks: .proof, tag: 9),
                body: .data(
                    DataFields(
                        messageLength: 1, incoming: 1, proof: 0xCAFE_0001, unusedDistance: 3, isRetransmission: true,
                        offset: 0, payloadLength: 1)))),
        GoldenPacket(
            line: "DATA 32768→4000 id 66 [0, 1) of 1 incoming 1 cutoffs v0 within 20480 µs extensions v2 tag 0x9",
            wire: """
                80 00 0f a0 00 00 00 00 02 00 25 10 e0 06 00 00
                00 09 b9 7d 00 00 00 00 00 00 00 42 00 00 00 01
                00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00
                00 00 00 00 00 00 00 00 21
                """,
            header: PacketHeader(
                sourcePort: 0x8000, destinationPort: 4000, senderID: RPCID(rawValue: 66),
                extensions: HeaderExtension(tag: 9),
                body: .data(
                    DataFields(
                        messageLength: 1, incoming: 1, remaining: RemainingTime(nanoseconds: 20_480_000), offset: 0,
                        payloadLength: 1)))),
        GoldenPacket(
            line: "DATA 4000→32768 id 3 [0, 1) of 1 incoming 1 cutoffs v0 extensions v2 marks failed",
            wire: """
                0f a0 80 00 00 00 00 00 02 01 00 10 e0 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03 00 00 00 01
                00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00
                00 00 00 00 00 00 00 00 21
                """,
            header: Sample.server(
                .data(DataFields(messageLength: 1, incoming: 1, offset: 0, payloadLength: 1)),
                extensions: HeaderExtension(marks: .failed))),
    ]

    private static let control = [
        GoldenPacket(
            line: "GRANT 4000→32768 id 3 up to 240000 at priority 3",
            wire: """
                0f a0 80 00 00 00 00 00 00 00 00 11 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03 00 03 a9 80
                03
                """,
            header: Sample.server(.grant(GrantFields(offset: 240_000, priority: 3)))),
        GoldenPacket(
            line: "RESEND 32768→4000 id 2 everything from 0 at priority 7",
            wire: """
                80 00 0f a0 00 00 00 00 00 00 00 12 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 02 00 00 00 00
                ff ff ff ff 07
                """,
            header: Sample.client(.resend(ResendFields(offset: 0, length: ResendFields.everything, priority: 7)))),
        GoldenPacket(
            line: "RESEND 4000→32768 id 3 [1424, 2848) at priority 6",
            wire: """
                0f a0 80 00 00 00 00 00 00 00 00 12 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03 00 00 05 90
                00 00 05 90 06
                """,
            header: Sample.server(.resend(ResendFields(offset: 1424, length: 1424, priority: 6)))),
        GoldenPacket(
            line: "RPC_UNKNOWN 4000→32768 id 3 extensions v2 marks draining",
            wire: """
                0f a0 80 00 00 00 00 00 02 08 00 13 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03
                """,
            header: Sample.server(.rpcUnknown, extensions: HeaderExtension(marks: .draining))),
        GoldenPacket(
            line: "RPC_UNKNOWN 32768→4000 id 2 extensions v2 marks cancelled tag 0x9",
            wire: """
                80 00 0f a0 00 00 00 00 02 01 00 13 50 06 00 00
                00 09 b9 7d 00 00 00 00 00 00 00 02
                """,
            header: PacketHeader(
                sourcePort: 0x8000, destinationPort: 4000, senderID: RPCID(rawValue: 2),
                extensions: HeaderExtension(marks: .cancelled, tag: 9), body: .rpcUnknown)),
        GoldenPacket(
            line: "RPC_UNKNOWN 4000→32768 id 3 extensions v2 marks requestDropped",
            wire: """
                0f a0 80 00 00 00 00 00 02 01 00 13 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03
                """,
            header: Sample.server(.rpcUnknown, extensions: HeaderExtension(marks: .requestDropped))),
        GoldenPacket(
            line: "BUSY 4000→32768 id 3",
            wire: """
                0f a0 80 00 00 00 00 00 00 00 00 14 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03
                """,
            header: Sample.server(.busy)),
        GoldenPacket(
            line: "CUTOFFS 4000→32768 id 3 v1 0 0 0 0 1000000 15000 2800 200",
            wire: """
                0f a0 80 00 00 00 00 00 00 00 00 15 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03 00 00 00 00
                00 00 00 00 00 00 00 00 00 00 00 00 00 0f 42 40
                00 00 3a 98 00 00 0a f0 00 00 00 c8 00 01
                """,
            header: Sample.server(.cutoffs(Sample.cutoffs))),
        GoldenPacket(
            line: "FREEZE 32768→4000 id 2",
            wire: """
                80 00 0f a0 00 00 00 00 00 00 00 16 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 02
                """,
            header: Sample.client(.freeze)),
        GoldenPacket(
            line: "NEED_ACK 4000→32768 id 3",
            wire: """
                0f a0 80 00 00 00 00 00 00 00 00 17 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 03
                """,
            header: Sample.server(.needAck)),
        GoldenPacket(
            line: "ACK 32768→4000 id 2 and 4 at port 4000",
            wire: """
                80 00 0f a0 00 00 00 00 00 00 00 18 50 06 00 00
                00 00 b9 7d 00 00 00 00 00 00 00 02 00 01 00 00
                00 00 00 00 00 04 0f a0 00 00 00 00 00 00 00 00
                00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
                00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
                """,
            header: Sample.client(.ack(Sample.acks))),
    ]
}

@Suite("Golden packets")
struct GoldenPacketTests {
    @Test("known bytes are read as the header they stand for", arguments: GoldenPacket.all)
    func reading(golden: GoldenPacket) throws {
        #expect(try parsed(bytes(golden.wire)) == golden.header)
    }

    @Test("the header is written as the known bytes", arguments: GoldenPacket.all.filter(\.isOurForm))
    func writing(golden: GoldenPacket) {
        let wire = bytes(golden.wire)
        #expect(encoded(golden.header, payload: Array(wire.dropFirst(golden.header.byteCount))) == wire)
    }

    @Test("our form of a request differs from the kernel's in the segment offset only")
    func ourForm() {
        let golden = GoldenPacket.all[0]
        let wire = bytes(golden.wire)
        #expect(encoded(golden.header, payload: Array("hello".utf8)) == wire.replacing32(at: 52, with: 0))
    }

    @Test("every type is among the known packets")
    func everyType() {
        #expect(Set(GoldenPacket.all.map(\.header.common.type)) == Set(PacketType.allCases))
    }

    @Test("a header describes itself in one line", arguments: GoldenPacket.all)
    func description(golden: GoldenPacket) {
        #expect(golden.header.description == golden.line)
    }
}
