// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaIO

struct ReceivedFrameTests {
    private func frame(isIPv6: Bool) -> TestFrame {
        var frame = TestFrame(isIPv6: isIPv6, payload: pattern(1, count: 100))
        frame.complete()
        return frame
    }

    private func fault(_ frame: TestFrame, isTrusted: Bool = false, interface: UInt32 = 3) -> FrameFault? {
        do throws(FrameFault) {
            _ = try frame.parsed(isTrusted: isTrusted, interface: interface)
            return nil
        } catch { return error }
    }

    @Test(arguments: [false, true])
    func `Padding behind the datagram is ignored`(isIPv6: Bool) throws {
        var padded = frame(isIPv6: isIPv6)
        padded.bytes += [1, 2, 3]
        #expect(try padded.parsed().bytes == padded.payload)
    }

    @Test(arguments: [false, true])
    func `A frame cut anywhere is malformed`(isIPv6: Bool) {
        let whole = frame(isIPv6: isIPv6)
        for count in 0..<whole.bytes.count {
            var cut = whole
            cut.bytes = Array(whole.bytes.prefix(count))
            #expect(fault(cut) == .malformed, "\(count) bytes")
        }
    }

    @Test(arguments: [false, true])
    func `Any single wrong byte is noticed`(isIPv6: Bool) {
        let whole = frame(isIPv6: isIPv6)
        // IPv6 has no checksum over its traffic class, flow label and hop limit.
        let unprotected: Set<Int> = isIPv6 ? [0, 1, 2, 3, 7] : []
        for index in whole.bytes.indices where !unprotected.contains(index) {
            var wrong = whole
            wrong.bytes[index] ^= 0x10
            #expect(fault(wrong) != nil, "byte \(index)")
        }
    }

    @Test func `A missing checksum is accepted with IPv4 and refused with IPv6`() {
        for isIPv6 in [false, true] {
            var bare = frame(isIPv6: isIPv6)
            let transport = isIPv6 ? 40 : 20
            bare.bytes[transport + 6] = 0
            bare.bytes[transport + 7] = 0
            #expect(fault(bare) == (isIPv6 ? .badChecksum : nil))
            #expect(fault(bare, isTrusted: true) == (isIPv6 ? .badChecksum : nil))
        }
    }

    @Test(arguments: [false, true])
    func `A checksum that the device has seen to is not worked out again`(isIPv6: Bool) {
        var wrong = frame(isIPv6: isIPv6)
        wrong.bytes[wrong.bytes.count - 1] ^= 1
        #expect(fault(wrong) == .badChecksum)
        #expect(fault(wrong, isTrusted: true) == nil)
    }

    @Test(arguments: [0x7F00_0001, 0xE000_0001, 0xFFFF_FFFF, 0x0000_0001] as [UInt32])
    func `Sources that cannot be answered are foreign`(address: UInt32) {
        var spoofed = frame(isIPv6: false)
        for i in 0..<4 { spoofed.bytes[12 + i] = UInt8(truncatingIfNeeded: address >> (24 - 8 * i)) }
        spoofed.bytes[10] = 0
        spoofed.bytes[11] = 0
        let sum = ~InternetChecksum.fold(
            spoofed.bytes.withUnsafeBytes { InternetChecksum.sum($0.baseAddress!, count: 20) })
        withUnsafeBytes(of: sum) {
            spoofed.bytes[10] = $0[0]
            spoofed.bytes[11] = $0[1]
        }
        #expect(fault(spoofed, isTrusted: true) == .foreign)
        #expect(fault(spoofed, isTrusted: true, interface: 1) == (address == 0x7F00_0001 ? nil : .foreign))
    }

    @Test func `IPv6 sources of a link carry the interface`() throws {
        var local = frame(isIPv6: true)
        local.bytes[8] = 0xFE
        local.bytes[9] = 0x80
        #expect(try local.parsed(isTrusted: true, interface: 5).source.scope == 5)
        local.bytes[8] = 0xFF
        #expect(fault(local, isTrusted: true) == .foreign)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `Random and mutated frames never lead outside their bytes`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for round in 0..<4000 {
            var hostile = frame(isIPv6: round % 2 == 0)
            if round % 3 == 0 {
                hostile.bytes = (0..<Int(random.next() % 120)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            } else {
                for _ in 0..<(1 + random.next() % 4) {
                    let index = Int(random.next() % UInt64(hostile.bytes.count))
                    hostile.bytes[index] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            // The payload is copied out of memory that ends with the frame: the sanitizer would see a step outside.
            if let parsed = try? hostile.parsed(isTrusted: round % 5 != 0) {
                #expect(parsed.bytes.count + (hostile.isIPv6 ? 48 : 28) <= hostile.bytes.count)
            }
        }
    }

    @Test func `The checksum is that of RFC 1071`() {
        let bytes: [UInt8] = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]
        let sum = bytes.withUnsafeBytes { InternetChecksum.fold(InternetChecksum.sum($0.baseAddress!, count: 8)) }
        #expect(UInt16(bigEndian: sum) == 0xDDF2)
        let odd = bytes.withUnsafeBytes { InternetChecksum.fold(InternetChecksum.sum($0.baseAddress!, count: 7)) }
        #expect(UInt16(bigEndian: odd) == 0xDCFB)
    }
}
