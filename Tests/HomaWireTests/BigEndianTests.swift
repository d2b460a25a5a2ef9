// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaWire

@Suite("Big-endian numbers")
struct BigEndianTests {
    @Test("numbers are read most significant byte first, at any alignment", arguments: 0..<8)
    func reading(offset: Int) {
        let memory = [UInt8](repeating: 0xFF, count: offset) + [1, 2, 3, 4, 5, 6, 7, 8]
        let span = memory.span.bytes
        #expect(span.byte(at: offset) == 1)
        #expect(span.bigEndian16(at: offset) == 0x0102)
        #expect(span.bigEndian32(at: offset) == 0x0102_0304)
        #expect(span.bigEndian64(at: offset) == 0x0102_0304_0506_0708)
    }

    @Test("numbers are written most significant byte first and touch no other byte", arguments: 1..<9)
    func writing(offset: Int) {
        var memory = [UInt8](repeating: 0, count: 24)
        memory.withUnsafeMutableBytes { buffer in
            let start = buffer.baseAddress!
            start.put(0x0102_0304_0506_0708 as UInt64, at: offset)
            start.put(0x090A_0B0C as UInt32, at: offset + 8)
            start.put(0x0D0E as UInt16, at: offset + 12)
            start.put(0x0F as UInt8, at: offset + 14)
        }
        let expected = [UInt8](repeating: 0, count: offset) + Array(1...15)
        #expect(memory == expected + [UInt8](repeating: 0, count: 24 - expected.count))
    }
}
