// SPDX-License-Identifier: Apache-2.0

import HomaWire
import Testing

@Suite("Packet type")
struct PacketTypeTests {
    @Test("the nine types have the kernel module's numbers, names and header lengths")
    func table() {
        let expected: [(PacketType, UInt8, String, Int)] = [
            (.data, 0x10, "DATA", 56), (.grant, 0x11, "GRANT", 33), (.resend, 0x12, "RESEND", 37),
            (.rpcUnknown, 0x13, "RPC_UNKNOWN", 28), (.busy, 0x14, "BUSY", 28), (.cutoffs, 0x15, "CUTOFFS", 62),
            (.freeze, 0x16, "FREEZE", 28), (.needAck, 0x17, "NEED_ACK", 28), (.ack, 0x18, "ACK", 80),
        ]
        #expect(PacketType.allCases == expected.map(\.0))
        for (type, number, name, length) in expected {
            #expect(type.rawValue == number)
            #expect(type.description == name)
            #expect(type.headerByteCount == length)
        }
    }

    @Test("every other number is an unknown type")
    func unknown() {
        for number in UInt8.min ... .max where !(0x10...0x18 ~= number) {
            #expect(refusal(Sample.busy.replacing(at: 11, with: [number])) == .unknownType)
        }
    }
}
