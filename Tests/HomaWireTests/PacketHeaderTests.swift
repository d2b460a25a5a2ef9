// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("Packet header")
struct PacketHeaderTests {
    @Test("any valid header comes back from the wire unchanged", arguments: 0..<64 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<40 {
            let header = random.header()
            var payload = 0
            if case .data(let fields) = header.body { payload = Int(fields.payloadLength) }
            let packet = encoded(header, payload: [UInt8](repeating: 0x5A, count: payload))
            #expect(packet.count == header.byteCount + payload)
            #expect(try parsed(packet) == header)
            expectDocumentedRanges(header, byteCount: packet.count)
        }
    }

    @Test("a packet cut short anywhere is an error", arguments: PacketType.allCases)
    func truncation(type: PacketType) {
        let packet = Sample.packet(type).prefix(type.headerByteCount)
        for length in 0..<packet.count {
            let expected: WireError = length < 28 ? .shorterThanCommonHeader : .shorterThanTypeHeader
            #expect(refusal(Array(packet.prefix(length))) == expected)
        }
    }

    @Test("bytes after a control packet are ignored", arguments: PacketType.allCases.filter { $0 != .data })
    func trailingBytes(type: PacketType) throws {
        let packet = Sample.packet(type)
        #expect(try parsed(packet + [1, 2, 3]) == parsed(packet))
    }

    @Test("writing touches exactly the bytes it reports", arguments: PacketType.allCases)
    func writtenBytes(type: PacketType) throws {
        let header = try parsed(Sample.packet(type))
        var low = [UInt8](repeating: 0x00, count: 100)
        var high = [UInt8](repeating: 0xFF, count: 100)
        #expect(low.withUnsafeMutableBytes { header.write(into: $0) } == header.byteCount)
        #expect(high.withUnsafeMutableBytes { header.write(into: $0) } == header.byteCount)
        #expect(low[..<header.byteCount] == high[..<header.byteCount])
        #expect(low[header.byteCount...].allSatisfy { $0 == 0 })
        #expect(high[header.byteCount...].allSatisfy { $0 == 0xFF })
    }

    @Test("no header is longer than the longest")
    func maximum() {
        #expect(PacketType.allCases.map(\.headerByteCount).max() == PacketHeader.maximumByteCount)
    }

    @Test("a packet can be read from a driver's memory, at any alignment", arguments: 0..<8)
    func unaligned(shift: Int) throws {
        let memory = [UInt8](repeating: 0xEE, count: shift) + Sample.data
        let header = try memory.withUnsafeBytes { buffer in
            try PacketHeader.parse(UnsafeRawBufferPointer(rebasing: buffer[shift...]))
        }
        #expect(header == (try parsed(Sample.data)))
    }

    @Test("no bytes at all are a short packet")
    func noBytes() {
        #expect(refusal([]) == .shorterThanCommonHeader)
        #expect(throws: WireError.shorterThanCommonHeader) {
            try PacketHeader.parse(UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }
}

@Suite("Hostile packets")
struct HostilePacketTests {
    /// Method: packets of random length and content; in most of them the type byte is a valid one, for else
    /// nearly all would end at the first checks.
    @Test("random bytes never crash, and what passes is in range", arguments: 0..<64 as Range<UInt64>)
    func randomBytes(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var accepted = 0
        for _ in 0..<150 {
            var packet = (0..<Int.random(in: 0...96, using: &random)).map { _ in
                UInt8.random(in: 0 ... .max, using: &random) & UInt8.random(in: 0 ... .max, using: &random)
            }
            if packet.count > 11, random.next() % 8 != 0 { packet[11] = .random(in: 0x10...0x18, using: &random) }
            if check(packet) { accepted += 1 }
        }
        #expect(1..<150 ~= accepted, "the method no longer reaches both outcomes")
    }

    /// Method: a valid packet with one to four bytes replaced, often by an extreme value, and sometimes cut or grown.
    @Test("damaged packets never crash, and what passes is in range", arguments: 0..<64 as Range<UInt64>)
    func damagedPackets(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var accepted = 0
        let extremes: [UInt8] = [0, 1, 2, 7, 8, 0x7F, 0x80, 0xFE, 0xFF]
        for _ in 0..<150 {
            var packet = Sample.packet(PacketType.allCases.randomElement(using: &random)!)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<packet.count, using: &random)
                packet[place] =
                    Bool.random(using: &random)
                    ? extremes.randomElement(using: &random)! : .random(in: 0 ... .max, using: &random)
            }
            switch random.next() % 8 {
            case 0: packet.removeLast(Int.random(in: 0...packet.count, using: &random))
            case 1: packet += [UInt8](repeating: 0xFF, count: Int.random(in: 0...20, using: &random))
            default: break
            }
            if check(packet) { accepted += 1 }
        }
        #expect(1..<150 ~= accepted, "the method no longer reaches both outcomes")
    }

    /// True when the packet is accepted; then its fields are in range and it survives a round trip.
    private func check(_ packet: [UInt8]) -> Bool {
        guard let header = try? parsed(packet) else { return false }
        expectDocumentedRanges(header, byteCount: packet.count)
        let payload = header.common.type == .data ? Array(packet.dropFirst(56)) : []
        #expect((try? parsed(encoded(header, payload: payload))) == header)
        return true
    }
}
