// SPDX-License-Identifier: Apache-2.0

import HomaWire
import Testing

@Suite("CUTOFFS fields")
struct CutoffsFieldsTests {
    private func packet(_ cutoffs: [UInt32]) -> [UInt8] {
        var packet = Sample.cutoffsPacket
        for (level, cutoff) in cutoffs.enumerated() { packet = packet.replacing32(at: 28 + 4 * level, with: cutoff) }
        return packet
    }

    @Test(
        "tables whose used levels have smaller cutoffs the more urgent they are pass",
        arguments: [
            [0, 0, 0, 0, 1_000_000, 15_000, 2_800, 200],
            [0x7FFF_FFFF, 0, 0, 0, 1_000_000, 15_000, 2_800, 200],
            [0x7FFF_FFFF, 0, 0, 0, 0, 0, 0x7FFF_FFFF, 0],
            [0x7FFF_FFFF, 1_000_000, 200, 0, 0, 0, 0, 0],
            [0, 7, 7, 7, 7, 7, 7, 7],
            [0, 0, 900, 0, 0, 80, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
            [.max, 0, 0, 0, 0, 0, 0, 0],
        ] as [[UInt32]])
    func valid(cutoffs: [UInt32]) throws {
        guard case .cutoffs(let fields) = try parsed(packet(cutoffs)).body else { return #expect(Bool(false)) }
        #expect((0..<8).map { fields.cutoffs[$0] } == cutoffs)
    }

    @Test(
        "tables that give a more urgent level longer messages are refused",
        arguments: [
            [0, 0, 0, 0, 15_000, 1_000_000, 2_800, 200],
            [0, 1, 2, 3, 4, 5, 6, 7],
            [0, 0, 80, 0, 0, 900, 0, 0],
            [0, 0, 0, 0, 1_000_000, 15_000, 2_800, 2_801],
        ] as [[UInt32]])
    func rising(cutoffs: [UInt32]) {
        #expect(refusal(packet(cutoffs)) == .cutoffsRising)
    }

    @Test("cutoffs of levels 1 to 7 are at most the largest signed number", arguments: 1..<8)
    func tooLarge(level: Int) {
        var cutoffs = [UInt32](repeating: 0, count: 8)
        cutoffs[level] = 0x7FFF_FFFF
        #expect(refusal(packet(cutoffs)) == nil)
        cutoffs[level] = 0x8000_0000
        #expect(refusal(packet(cutoffs)) == .cutoffTooLarge)
    }

    @Test("tables are equal when all entries and the version are")
    func equality() {
        var other = Sample.cutoffs
        #expect(other == Sample.cutoffs)
        other.version = 2
        #expect(other != Sample.cutoffs)
        for level in 0..<8 {
            other = Sample.cutoffs
            other.cutoffs[level] += 1
            #expect(other != Sample.cutoffs)
        }
    }
}
