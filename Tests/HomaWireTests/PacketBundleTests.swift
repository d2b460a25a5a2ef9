// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@Suite("Bundles of packets")
struct PacketBundleTests {
    /// What a receiver makes of a datagram: packets, and what is wrong with it.
    private static func unpack(_ datagram: [UInt8]) -> (packets: [[UInt8]], error: WireError?) {
        datagram.withUnsafeBytes { bytes in
            var packets: [[UInt8]] = []
            var position = PacketBundle.markByteCount
            do throws(WireError) {
                while let packet = try PacketBundle.next(in: bytes, at: &position) { packets.append(Array(packet)) }
            } catch {
                return (packets, error)
            }
            return (packets, nil)
        }
    }

    private static func isBundle(_ datagram: [UInt8]) -> Bool { datagram.withUnsafeBytes(PacketBundle.isBundle) }

    @Test("a bundle is its mark, and each packet after its length")
    func golden() {
        let busy = Sample.busy
        let wire = bytes("00 00 00 01 00 1c") + busy + bytes("00 1c") + busy
        #expect(Self.isBundle(wire))
        #expect(Self.unpack(wire).packets == [busy, busy])
        #expect(Self.unpack(wire).error == nil)
        var written = [UInt8](repeating: 0xAA, count: 6)
        written.withUnsafeMutableBytes {
            PacketBundle.writeMark(to: $0.baseAddress!)
            PacketBundle.writeLength(28, to: $0.baseAddress! + 4)
        }
        #expect(written == Array(wire[..<6]))
    }

    @Test("no packet is taken for a bundle, and no bundle for a packet")
    func distinct() {
        for type in PacketType.allCases { #expect(!Self.isBundle(Sample.packet(type))) }
        #expect(!Self.isBundle([]) && !Self.isBundle([0, 0, 0]) && !Self.isBundle([0, 0, 0, 2]))
        #expect(Self.isBundle([0, 0, 0, 1]))
        #expect(refusal(bytes("00 00 00 01 00 1c") + Sample.busy) != nil)
    }

    @Test("a length of nothing ends the bundle, and so does a lone last byte")
    func padding() {
        let packet: [UInt8] = [7, 8, 9]
        for tail in [[], [0], [0, 0], [0, 0, 1, 2, 3], [5]] as [[UInt8]] {
            let (packets, error) = Self.unpack([0, 0, 0, 1, 0, 3] + packet + tail)
            #expect(packets == [packet] && error == nil)
        }
        #expect(Self.unpack([0, 0, 0, 1]).packets.isEmpty)
    }

    @Test("a packet that would end after the datagram is refused, and those before it are not")
    func cut() {
        for length in [4, 255, 65_535] {
            let wire = [0, 0, 0, 1, 0, 1, 42, UInt8(length >> 8), UInt8(length & 255), 1, 2, 3]
            let (packets, error) = Self.unpack(wire)
            #expect(packets == [[42]] && error == .bundleEntryCut)
        }
    }

    @Test("any bytes are taken apart without harm", arguments: 0..<50 as Range<UInt64>)
    func anything(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let count = Int.random(in: 0...300, using: &random)
            let tail = (0..<count).map { _ in UInt8.random(in: 0...(seed % 2 == 0 ? 255 : 9), using: &random) }
            let packets = Self.unpack([0, 0, 0, 1] + tail).packets
            #expect(packets.reduce(0) { $0 + $1.count + 2 } <= count)
            #expect(packets.allSatisfy { !$0.isEmpty })
        }
    }
}
