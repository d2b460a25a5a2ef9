// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("Ack record")
struct AckRecordTests {
    @Test("a record with identifier 0 is empty, whatever its port says")
    func empty() throws {
        #expect(AckRecord.none.isEmpty)
        #expect(!AckRecord(clientID: RPCID(rawValue: 2), serverPort: 1).isEmpty)
        let packet = Sample.data.replacing(at: 44, with: [1, 2])
        #expect(try parsed(packet) == parsed(Sample.data))
    }

    @Test("a record in DATA names a client's identifier and a port")
    func inData() throws {
        let packet = Sample.data.replacing(at: 36, with: [0, 0, 0, 0, 0, 0, 1, 4, 0x0F, 0xA0])
        guard case .data(let fields) = try parsed(packet).body else { return #expect(Bool(false)) }
        #expect(fields.ack == AckRecord(clientID: RPCID(rawValue: 260), serverPort: 4000))
        #expect(refusal(packet.replacing(at: 43, with: [5])) == .ackRecordIDOdd)
        #expect(refusal(packet.replacing(at: 44, with: [0, 0])) == .ackRecordPortZero)
    }

    @Test("the description gives identifier and port")
    func descriptions() {
        #expect(AckRecord(clientID: RPCID(rawValue: 6), serverPort: 99).description == "6 at port 99")
        #expect(AckRecord.none.description == "none")
    }
}
