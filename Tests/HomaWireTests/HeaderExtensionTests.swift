// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("Header extension")
struct HeaderExtensionTests {
    @Test("version and marks are bytes 8 and 9, the tag's halves bytes 4 to 7 and 14 to 17")
    func layout() throws {
        let extensions = HeaderExtension(marks: [.requestStale, .oneWay], tag: 0x0102_0304_0506_0708)
        let header = Sample.server(.rpcUnknown, extensions: extensions)
        let packet = encoded(header)
        #expect(packet[8...10] == [2, 6, 0])
        #expect(packet[4...7] == [1, 2, 3, 4] && packet[14...17] == [5, 6, 7, 8])
        #expect(try parsed(packet) == header)
    }

    @Test("a server's tag is a token, and how long its memory is: in steps of 10 µs, rounded down")
    func tokens() {
        let tag = HeaderExtension.tag(token: 0xABCD_0123, memory: 2_999_999)
        let extensions = HeaderExtension(tag: tag)
        #expect(extensions.token == 0xABCD_0123 && extensions.memory == 2_990_000)
        #expect(HeaderExtension(tag: HeaderExtension.tag(token: 1, memory: 0)).memory == 0)
        #expect(HeaderExtension(tag: HeaderExtension.tag(token: 1, memory: .max)).memory == 42_949_672_940_000)
        #expect(HeaderExtension(tag: HeaderExtension.tag(token: 1)).memory == nil)
    }

    @Test("a header of version 0 puts no extension on the wire")
    func versionZeroWritesZeros() {
        let mute = HeaderExtension(version: 0, marks: .oneWay, tag: 9 << 32 | 9)
        let fields = DataFields(
            messageLength: 9, incoming: 9, oldestUnfinishedDistance: 77, remaining: RemainingTime(rawValue: 0x1234),
            offset: 0, payloadLength: 9)
        let packet = encoded(
            PacketHeader(
                sourcePort: 1, destinationPort: 2, senderID: RPCID(rawValue: 8), extensions: mute, body: .data(fields)))
        #expect(packet[8...10] == [0, 0, 0])
        #expect(packet[4...7] == [0, 0, 0, 0] && packet[14...17] == [0, 0, 0, 0])
        #expect(packet[49...51] == [0, 0, 0] && packet[10] == 0)
    }

    @Test("extension bytes of a packet with version 0 mean nothing")
    func versionZeroReadsZeros() throws {
        let header = try parsed(Sample.data.replacing(at: 9, with: [0xFF, 0xFF]).replacing(at: 49, with: [1, 2, 3]))
        #expect(header == (try parsed(Sample.data)))
        #expect(header.common.extensions == .none)
    }

    @Test("a later version and marks not yet defined are kept")
    func laterVersion() throws {
        let extensions = try parsed(Sample.busy.replacing(at: 8, with: [9, 0xF1, 3])).common.extensions
        #expect(extensions.version == 9)
        #expect(extensions.marks.contains(.requestDropped))
        #expect(extensions.marks.rawValue == 0xF1)
    }

    @Test("each mark has its own bit, but for those that mean another thing in another packet")
    func marks() {
        #expect(HeaderExtension.Marks.failed == .requestDropped && HeaderExtension.Marks.cancelled == .failed)
        #expect(HeaderExtension.Marks.draining == .incast)
        let marks: [HeaderExtension.Marks] = [
            .requestDropped, .requestStale, .oneWay, .incast, .noSuchPort, .inService, .proof, .toFirst,
        ]
        #expect(marks.map(\.rawValue) == [1, 2, 4, 8, 16, 32, 64, 128])
    }

    @Test("the description names what is there")
    func descriptions() {
        #expect(HeaderExtension.none.description == "no extensions")
        #expect(HeaderExtension().description == "extensions v2")
        #expect(
            HeaderExtension(marks: [.requestDropped, .draining], tag: 0x7F).description
                == "extensions v2 marks requestDropped+draining tag 0x7f")
        #expect(HeaderExtension.Marks(rawValue: 0x86).description == "requestStale+oneWay+toFirst")
        #expect(HeaderExtension.Marks().description == "none")
    }
}
