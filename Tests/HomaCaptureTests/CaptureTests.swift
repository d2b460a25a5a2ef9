// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCapture
import HomaWire
import Testing

/// Builds frames and files byte by byte, as the standards have them.
enum Forge {
    static func big16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
    static func big32(_ value: UInt32) -> [UInt8] { big16(Int(value >> 16)) + big16(Int(value & 0xFFFF)) }
    static func number32(_ value: UInt32, _ isBig: Bool) -> [UInt8] { isBig ? big32(value) : big32(value).reversed() }
    static func number16(_ value: Int, _ isBig: Bool) -> [UInt8] { isBig ? big16(value) : big16(value).reversed() }

    static func packet(_ body: PacketBody, payload: [UInt8] = [], id: UInt64 = 2) -> [UInt8] {
        let header = PacketHeader(
            sourcePort: 32_768, destinationPort: 4000, senderID: RPCID(rawValue: id), extensions: .none, body: body)
        var bytes = [UInt8](repeating: 0, count: header.byteCount)
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        return bytes + payload
    }

    static let grant = packet(.grant(GrantFields(offset: 240_000, priority: 3)))

    static func data(_ offset: UInt32, _ count: Int) -> [UInt8] {
        packet(
            .data(
                DataFields(
                    messageLength: 5000, incoming: 5000, offset: offset, payloadLength: UInt32(count))),
            payload: [UInt8](repeating: 0xAB, count: count))
    }

    static func udp(_ payload: [UInt8]) -> [UInt8] {
        big16(5555) + big16(4000) + big16(8 + payload.count) + [0, 0] + payload
    }

    static func ipv4(_ number: UInt8, _ payload: [UInt8], options: Int = 0) -> [UInt8] {
        [0x45 + UInt8(options), 0xE0] + big16(20 + 4 * options + payload.count) + [0, 0, 0x40, 0, 64, number, 0, 0]
            + [10, 0, 0, 1, 10, 0, 0, 2] + [UInt8](repeating: 1, count: 4 * options) + payload
    }

    static func ipv6(_ number: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let address = [0xFD] + [UInt8](repeating: 0, count: 14)
        return [0x6C, 0, 0, 0] + big16(payload.count) + [number, 64] + address + [1] + address + [2] + payload
    }

    static func ethernet(_ payload: [UInt8], type: Int = 0x0800, vlans: [Int] = []) -> [UInt8] {
        [UInt8](repeating: 2, count: 12) + vlans.flatMap { big16($0) + [0x60, 5] } + big16(type) + payload
    }

    static func pcap(
        _ frames: [[UInt8]], link: UInt32 = 1, isBig: Bool = false, nanoseconds: Bool = false, keep: Int = .max
    ) -> [UInt8] {
        var file = number32(nanoseconds ? 0xA1B2_3C4D : 0xA1B2_C3D4, isBig)
        file += number16(2, isBig) + number16(4, isBig) + [UInt8](repeating: 0, count: 8)
        file += number32(65_535, isBig) + number32(link, isBig)
        for (index, frame) in frames.enumerated() {
            let kept = Array(frame.prefix(keep))
            file += number32(1000 + UInt32(index), isBig) + number32(500, isBig)
            file += number32(UInt32(kept.count), isBig) + number32(UInt32(frame.count), isBig) + kept
        }
        return file
    }

    static func pcapng(_ frames: [[UInt8]], isBig: Bool = false) -> [UInt8] {
        func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
            let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
            let length = number32(UInt32(12 + padded.count), isBig)
            return number32(type, isBig) + length + padded + length
        }
        var file = block(
            0x0A0D_0D0A,
            number32(0x1A2B_3C4D, isBig) + number16(1, isBig) + number16(0, isBig)
                + [UInt8](repeating: 0xFF, count: 8))
        // Times in nanoseconds (if_tsresol 9), and a block of a kind that nobody knows.
        file += block(
            1,
            number16(1, isBig) + [0, 0] + number32(0, isBig) + number16(9, isBig) + number16(1, isBig)
                + [9, 0, 0, 0] + [0, 0, 0, 0])
        file += block(0x0BAD, [1, 2, 3])
        for (index, frame) in frames.enumerated() {
            let time = UInt64(1000 + index) * 1_000_000_000 + 500
            file += block(
                6,
                number32(0, isBig) + number32(UInt32(time >> 32), isBig)
                    + number32(UInt32(truncatingIfNeeded: time), isBig) + number32(UInt32(frame.count), isBig)
                    + number32(UInt32(frame.count), isBig) + frame)
        }
        return file
    }
}

/// All packets of a file with the frames they were in, and the finder's counts.
private func decode(_ file: [UInt8]) throws -> (lines: [String], foreign: Int, unreadable: Int) {
    try file.withUnsafeBytes { bytes in
        var capture = try CaptureFile(bytes)
        var finder = PacketFinder()
        var lines: [String] = []
        while let frame = try capture.next() {
            for packet in finder.packets(in: frame) {
                lines.append(packet.line(frame: frame, since: 1_000_000_000_000))
                #expect(packet.jsonLine(frame: frame).hasPrefix("{\"time_ns\":"))
            }
        }
        return (lines, finder.foreignFrames, finder.unreadableFrames)
    }
}

@Suite("Captures")
struct CaptureTests {
    private static let said = "GRANT 32768→4000 id 2"

    @Test("a packet is found in each carriage, family and link")
    func encapsulations() throws {
        let (grant, ends) = (Forge.grant, "10.0.0.1:5555 > 10.0.0.2:4000 udp p7 \(Self.said)")
        let four = "10.0.0.1 > 10.0.0.2"
        let six = "[fd00:0:0:0:0:0:0:1]:5555 > [fd00:0:0:0:0:0:0:2]:4000 udp p6 \(Self.said)"
        let hopByHop: [UInt8] = [17, 0, 1, 4, 0, 0, 0, 0]
        let cases: [(link: UInt32, frame: [UInt8], line: String)] = [
            (1, Forge.ethernet(Forge.ipv4(17, Forge.udp(grant))), ends),
            (1, Forge.ethernet(Forge.ipv4(17, Forge.udp(grant)) + [0, 0, 0]), ends),
            (1, Forge.ethernet(Forge.ipv4(17, Forge.udp(grant), options: 2), vlans: [0x8100]), ends),
            (1, Forge.ethernet(Forge.ipv4(17, Forge.udp(grant)), vlans: [0x88A8, 0x8100]), ends),
            (1, Forge.ethernet(Forge.ipv4(146, grant)), "\(four) ip146 p7 \(Self.said)"),
            (1, Forge.ethernet(Forge.ipv4(6, grant)), "\(four) tcp p7 \(Self.said)"),
            (1, Forge.ethernet(Forge.ipv6(17, Forge.udp(grant)), type: 0x86DD), six),
            (1, Forge.ethernet(Forge.ipv6(0, hopByHop + Forge.udp(grant)), type: 0x86DD), six),
            (101, Forge.ipv6(146, grant), "[fd00:0:0:0:0:0:0:1] > [fd00:0:0:0:0:0:0:2] ip146 p6 \(Self.said)"),
            (12, Forge.ipv4(17, Forge.udp(grant)), ends), (228, Forge.ipv4(17, Forge.udp(grant)), ends),
            (0, [2, 0, 0, 0] + Forge.ipv4(17, Forge.udp(grant)), ends),
            (113, [UInt8](repeating: 0, count: 14) + [8, 0] + Forge.ipv4(17, Forge.udp(grant)), ends),
            (276, [8, 0] + [UInt8](repeating: 0, count: 18) + Forge.ipv4(17, Forge.udp(grant)), ends),
        ]
        for (link, frame, line) in cases {
            let found = try decode(Forge.pcap([frame], link: link))
            #expect(found.lines.count == 1 && found.foreign == 0)
            #expect(found.lines.first?.hasPrefix("0.000500000 \(line)") == true, "\(found.lines)")
        }
    }

    @Test("files of either byte order, time unit and format say the same")
    func formats() throws {
        let frames = [
            Forge.ethernet(Forge.ipv4(17, Forge.udp(Forge.grant))), Forge.ethernet(Forge.ipv4(146, Forge.grant)),
        ]
        let lines = try decode(Forge.pcap(frames)).lines
        #expect(lines.count == 2 && lines[1].hasPrefix("1.000500000 "))
        #expect(try decode(Forge.pcap(frames, isBig: true)).lines == lines)
        let fine = lines.map { $0.replacing(".000500000", with: ".000000500") }
        #expect(try decode(Forge.pcap(frames, isBig: true, nanoseconds: true)).lines == fine)
        for isBig in [false, true] { #expect(try decode(Forge.pcapng(frames, isBig: isBig)).lines == fine) }
    }

    @Test("a train that was captured whole, and a bundle, are taken apart")
    func trains() throws {
        let train = Forge.data(0, 1000) + Forge.data(1000, 1000) + Forge.data(2000, 300)
        let bundle =
            [0, 0, 0, 1] + [Forge.data(0, 40), Forge.grant].flatMap { Forge.big16($0.count) + $0 } + [0, 0, 0]
            as [UInt8]
        let lines = try decode(
            Forge.pcap([train, bundle, bundle + bundle].map { Forge.ipv4(17, Forge.udp($0)) }, link: 101)
        ).lines
        #expect(lines.count == 3 + 2 + 4)
        #expect(lines[0].contains("[0, 1000) of 5000") && lines[2].contains("[2000, 2300) of 5000"))
        #expect(lines[3].contains("udp bundle p7 DATA") && lines[3].contains("[0, 40) of 5000"))
        #expect(lines[4].contains("udp bundle p7 GRANT") && lines[8].contains("GRANT"))
    }

    @Test("a frame of which only the beginning was kept says how long it was")
    func snapped() throws {
        let frame = Forge.ethernet(Forge.ipv4(17, Forge.udp(Forge.data(1000, 1400))))
        let lines = try decode(Forge.pcap([frame], keep: 100)).lines
        #expect(lines.count == 1 && lines[0].contains("[1000, 2400) of 5000"))
    }

    @Test("what is no Homa is passed over, and what is not whole is counted")
    func foreign() throws {
        let syn =
            Forge.big16(1000) + Forge.big16(80) + [UInt8](repeating: 0, count: 9) + [2]
            + [UInt8](repeating: 9, count: 16)
        var fragment = Forge.ipv4(17, Forge.udp(Forge.grant))
        fragment[7] = 1
        let found = try decode(
            Forge.pcap([
                Forge.ethernet(Forge.ipv4(6, syn)), Forge.ethernet(Forge.ipv4(17, Forge.udp([1, 2, 3]))),
                Forge.ethernet([0, 1, 2, 3], type: 0x0806), Forge.ethernet(fragment), [1, 2, 3],
                Forge.ethernet(Forge.ipv4(146, [1, 2, 3])),
            ]))
        #expect(found.foreign == 4 && found.unreadable == 1)
        #expect(found.lines.count == 1 && found.lines[0].contains("malformed: "))
    }

    @Test("what is no capture says so, with the value and the place")
    func errors() {
        let good = Forge.pcap([Forge.ethernet(Forge.ipv4(17, Forge.udp(Forge.grant)))])
        let cases: [(file: [UInt8], words: String)] = [
            ([], "0 bytes"), (Array("GET / HTTP/1.1\r\nHost: x\r\n".utf8), "0x47455420"),
            (Array(good.dropLast()), "ends within frame 1"), (Array(good.prefix(30)), "a record's header"),
            (Forge.pcap([[1, 2, 3]], link: 195), "link type 195"),
            (Array(Forge.pcapng([[1, 2]]).dropLast(3)), "the block at byte"),
        ]
        for (file, words) in cases {
            #expect { try decode(file) } throws: { "\($0)".contains(words) }
        }
    }

    @Test("no file whatever stops the program", arguments: 0..<8)
    func hostile(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let frames = [
            Forge.ethernet(Forge.ipv4(17, Forge.udp(Forge.data(0, 100) + Forge.data(100, 50))), vlans: [0x8100]),
            Forge.ethernet(Forge.ipv6(146, Forge.grant), type: 0x86DD),
            Forge.ethernet(Forge.ipv4(17, Forge.udp([0, 0, 0, 1] + Forge.big16(Forge.grant.count) + Forge.grant))),
        ]
        for file in [Forge.pcap(frames), Forge.pcapng(frames), Forge.pcap(frames, isBig: true)] {
            for count in 0...file.count { _ = try? decode(Array(file.prefix(count))) }
            for _ in 0..<500 {
                var spoilt = file
                for _ in 0..<1 + random.next() % 4 {
                    spoilt[Int(random.next() % UInt64(spoilt.count))] = UInt8(truncatingIfNeeded: random.next())
                }
                _ = try? decode(spoilt)
            }
        }
    }
}
