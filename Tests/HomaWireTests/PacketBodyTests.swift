// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("Packet body")
struct PacketBodyTests {
    @Test("each body belongs to its own type", arguments: PacketType.allCases)
    func types(type: PacketType) throws {
        #expect(try parsed(Sample.packet(type)).body.type == type)
    }

    @Test("a header's type and length follow its body")
    func bodyChange() {
        var header = Sample.client(.busy)
        #expect(header.byteCount == 28)
        header.replaceBody(.ack(Sample.acks))
        #expect(header.common.type == .ack)
        #expect(header.byteCount == 80)
        #expect(encoded(header) == Sample.ack)
    }
}
