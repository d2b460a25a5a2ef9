// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("Header extension")
struct HeaderExtensionTests {
    @Test("version, marks and incarnation are bytes 8 to 10")
    func layout() throws {
        let extensions = HeaderExtension(marks: [.requestStale, .oneWay], incarnation: 0x5C)
        let header = Sample.server(.rpcUnknown, extensions: extensions)
        let packet = encoded(header)
        #expect(packet[8...10] == [2, 6, 0x5C])
        #expect(try parsed(packet) == header)
    }

    @Test("a header of version 0 puts no extension on the wire")
    func versionZeroWritesZeros() {
        let mute = HeaderExtension(version: 0, marks: .oneWay, incarnation: 9)
        let fields = DataFields(
            messageLength: 9, incoming: 9, oldestUnfinishedDistance: 77, offset: 0, payloadLength: 9)
        let packet = encoded(
            PacketHeader(
                sourcePort: 1, destinationPort: 2, senderID: RPCID(rawValue: 8), extensions: mute, body: .data(fields)))
        #expect(packet[8...10] == [0, 0, 0])
        #expect(packet[49...51] == [0, 0, 0])
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
        #expect(extensions.incarnation == 3)
    }

    @Test("each mark has its own bit")
    func marks() {
        let marks: [HeaderExtension.Marks] = [.requestDropped, .requestStale, .oneWay, .incast]
        #expect(marks.map(\.rawValue) == [1, 2, 4, 8])
    }

    @Test("the description names what is there")
    func descriptions() {
        #expect(HeaderExtension.none.description == "no extensions")
        #expect(HeaderExtension().description == "extensions v2")
        #expect(
            HeaderExtension(marks: [.requestDropped, .incast], incarnation: 7).description
                == "extensions v2 marks requestDropped+incast incarnation 7")
        #expect(HeaderExtension.Marks(rawValue: 0x46).description == "requestStale+oneWay+0x40")
        #expect(HeaderExtension.Marks().description == "none")
    }
}
