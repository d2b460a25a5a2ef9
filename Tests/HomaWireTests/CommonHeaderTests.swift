// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("Common header")
struct CommonHeaderTests {
    @Test("it can be read by itself from a packet of any type", arguments: PacketType.allCases)
    func alone(type: PacketType) throws {
        let packet = Sample.packet(type)
        let common = try CommonHeader(parsing: packet.span.bytes)
        #expect(common == (try parsed(packet)).common)
        #expect(common.type == type)
    }

    @Test("fields that carry nothing for Homa are not looked at", arguments: PacketType.allCases)
    func ignoredFields(type: PacketType) throws {
        let packet = Sample.packet(type)
        let odd = packet.replacing(at: 12, with: [0xD0, 0, 1, 2, 3, 4, 5, 6])
        #expect(try parsed(odd) == parsed(packet))
    }

    @Test("port 0 is refused", arguments: PacketType.allCases)
    func ports(type: PacketType) {
        #expect(refusal(Sample.packet(type).replacing(at: 0, with: [0, 0])) == .sourcePortZero)
        #expect(refusal(Sample.packet(type).replacing(at: 2, with: [0, 0])) == .destinationPortZero)
    }

    @Test("identifiers 0 and 1 are refused", arguments: PacketType.allCases)
    func ids(type: PacketType) {
        for low in [0, 1] as [UInt8] {
            let packet = Sample.packet(type).replacing(at: 20, with: [0, 0, 0, 0, 0, 0, 0, low])
            #expect(refusal(packet) == .idZero)
        }
    }

    @Test("NEED_ACK comes from servers only, and ACK from clients and from servers with extensions")
    func directions() {
        #expect(refusal(Sample.needAck.replacing(at: 27, with: [2])) == .needAckFromClient)
        let ack = Sample.ack.replacing(at: 27, with: [3])
        #expect(refusal(ack.replacing(at: 8, with: [0])) == .ackFromServer)
        #expect(refusal(ack.replacing(at: 8, with: [1])) == nil)
    }
}
