// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("ACK fields")
struct AckFieldsTests {
    private func record(_ id: UInt64) -> AckRecord { AckRecord(clientID: RPCID(rawValue: id), serverPort: 4000) }

    @Test("none to five records come back as they were sent", arguments: 0...5)
    func counts(count: Int) throws {
        var fields = AckFields()
        for index in 0..<count { fields.append(record(UInt64(4 + 2 * index))) }
        let packet = encoded(Sample.client(.ack(fields)))
        #expect(packet.count == 80)
        #expect(try parsed(packet) == Sample.client(.ack(fields)))
    }

    @Test("more than five records are refused", arguments: [6, 255, 256, .max] as [UInt16])
    func tooMany(count: UInt16) {
        let packet = Sample.ack.replacing(at: 28, with: [UInt8(count >> 8), UInt8(count & 255)])
        #expect(refusal(packet) == .tooManyAcks)
    }

    @Test("records in use name a client's identifier and a port; the others are not looked at", arguments: 0..<5)
    func records(place: Int) throws {
        var fields = AckFields()
        for index in 0..<5 { fields.append(record(UInt64(4 + 2 * index))) }
        let packet = encoded(Sample.client(.ack(fields)))
        let odd = packet.replacing(at: 30 + 10 * place + 7, with: [5])
        #expect(refusal(odd) == .ackRecordIDOdd)
        #expect(refusal(packet.replacing(at: 30 + 10 * place + 8, with: [0, 0])) == .ackRecordPortZero)

        guard case .ack(let accepted) = try parsed(odd.replacing(at: 29, with: [UInt8(place)])).body else {
            return #expect(Bool(false))
        }
        #expect(accepted.count == place)
        for index in place..<5 { #expect(accepted.records[index] == .none) }
    }

    @Test("records not in use are written as empty")
    func unusedRecords() {
        let fields = AckFields(count: 1, records: InlineArray(repeating: record(6)))
        let packet = encoded(Sample.client(.ack(fields)))
        #expect(packet[40...].allSatisfy { $0 == 0 })
    }

    @Test("fields are equal when their records in use are")
    func equality() {
        let one = AckFields(count: 1, records: InlineArray(repeating: record(6)))
        var other = AckFields()
        #expect(one != other)
        other.append(record(6))
        #expect(one == other)
        other.records[0].serverPort = 1
        #expect(one != other)
    }
}
