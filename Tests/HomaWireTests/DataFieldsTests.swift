// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("DATA fields")
struct DataFieldsTests {
    private func fields(_ packet: [UInt8]) throws -> DataFields {
        guard case .data(let fields) = try parsed(packet).body else {
            Issue.record("not a DATA packet")
            throw WireError.unknownType
        }
        return fields
    }

    @Test("a segment offset of all ones means that the sequence holds the offset")
    func offsetInSequence() throws {
        let packet = Sample.data.replacing32(at: 28, with: 2000).replacing32(at: 4, with: 1424)
            .replacing32(at: 52, with: .max)
        #expect(try fields(packet).offset == 1424)
    }

    @Test("any other segment offset counts and the sequence does not, as in a train cut by software")
    func offsetInSegment() throws {
        let packet = Sample.data.replacing32(at: 28, with: 5000).replacing32(at: 4, with: 0)
            .replacing32(at: 52, with: 2848).replacing(at: 12, with: [0xD0])
        #expect(try fields(packet).offset == 2848)
    }

    @Test("the true offset is written in both places")
    func offsetWrittenTwice() {
        let header = Sample.client(
            .data(DataFields(messageLength: 900_000, incoming: 0, offset: 0x01_0203, payloadLength: 1)))
        let packet = encoded(header)
        #expect(packet[4..<8] == [0, 1, 2, 3])
        #expect(packet[52..<56] == [0, 1, 2, 3])
        #expect(packet[12] == 0xE0)
    }

    @Test("the payload's length is that of the packet less the header")
    func payloadLength() throws {
        let packet = Sample.data.replacing32(at: 28, with: 100_000) + [UInt8](repeating: 0, count: 1419)
        #expect(try fields(packet).payloadLength == 1424)
    }

    @Test("messages of 1 to 1 000 000 bytes are valid, no others")
    func messageLength() {
        #expect(refusal(Sample.data.replacing32(at: 28, with: 0)) == .messageEmpty)
        #expect(refusal(Sample.data.replacing32(at: 28, with: 1_000_000)) == nil)
        #expect(refusal(Sample.data.replacing32(at: 28, with: 1_000_001)) == .messageTooLong)
        #expect(refusal(Sample.data.replacing32(at: 28, with: .max)) == .messageTooLong)
        let single = Array(Sample.data.prefix(57)).replacing32(at: 28, with: 1).replacing32(at: 32, with: 1)
        #expect(refusal(single) == nil)
    }

    @Test("a packet without payload is refused")
    func noPayload() {
        #expect(refusal(Array(Sample.data.prefix(56))) == .payloadEmpty)
    }

    @Test("a segment lies inside its message", arguments: [5, 6, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE] as [UInt32])
    func offsetBeyond(offset: UInt32) {
        #expect(refusal(Sample.data.replacing32(at: 52, with: offset)) == .offsetBeyondMessage)
        let inSequence = Sample.data.replacing32(at: 52, with: .max).replacing32(at: 4, with: offset)
        #expect(refusal(inSequence) == .offsetBeyondMessage)
    }

    @Test("a segment does not go on after the end of its message")
    func payloadBeyond() {
        #expect(refusal(Sample.data.replacing32(at: 52, with: 1)) == .payloadBeyondMessage)
        #expect(refusal(Sample.data + [0]) == .payloadBeyondMessage)
    }

    @Test("no more can be incoming than the message has", arguments: [6, 0x8000_0000, .max] as [UInt32])
    func incomingBeyond(incoming: UInt32) {
        #expect(refusal(Sample.data.replacing32(at: 32, with: incoming)) == .incomingBeyondMessage)
    }

    @Test("any number but 0 in the retransmit byte marks a retransmission")
    func retransmission() throws {
        #expect(try !fields(Sample.data).isRetransmission)
        #expect(try fields(Sample.data.replacing(at: 48, with: [1])).isRetransmission)
        #expect(try fields(Sample.data.replacing(at: 48, with: [0x80])).isRetransmission)
    }

    @Test("the distance to the oldest unfinished RPC is bytes 50 and 51 of an extended packet")
    func oldestUnfinished() throws {
        let packet = Sample.data.replacing(at: 8, with: [1]).replacing(at: 50, with: [1, 2])
        #expect(try fields(packet).oldestUnfinishedDistance == 0x0102)
        #expect(encoded(try parsed(packet))[49..<52] == [0, 1, 2])
    }

    @Test("the time that is left is bytes 10 and 49 of an extended packet")
    func remaining() throws {
        let packet = Sample.data.replacing(at: 8, with: [1]).replacing(at: 10, with: [1]).replacing(at: 49, with: [2])
        #expect(try fields(packet).remaining.rawValue == 0x0102)
        let written = encoded(try parsed(packet))
        #expect(written[10] == 1 && written[49] == 2)
    }

    @Test("a distance of d + 1 reaches back d RPCs, and never past the first identifier")
    func oldestUnfinishedID() {
        var fields = DataFields(messageLength: 5, incoming: 5, offset: 0, payloadLength: 5)
        let id = RPCID(rawValue: 10)
        #expect(fields.oldestUnfinishedID(for: id) == nil)
        fields.oldestUnfinishedDistance = 1
        #expect(fields.oldestUnfinishedID(for: id) == id)
        #expect(fields.oldestUnfinishedID(for: id.peer) == id)
        fields.oldestUnfinishedDistance = 5
        #expect(fields.oldestUnfinishedID(for: id) == RPCID(rawValue: 2))
        fields.oldestUnfinishedDistance = 6
        #expect(fields.oldestUnfinishedID(for: id) == nil)
        fields.oldestUnfinishedDistance = .max
        #expect(fields.oldestUnfinishedID(for: id) == nil)
        #expect(fields.oldestUnfinishedID(for: RPCID(rawValue: .max)) == RPCID(rawValue: .max - 1 - 2 * 65_534))
    }
}
