// SPDX-License-Identifier: Apache-2.0

import HomaWire
import Testing

@Suite("RESEND fields")
struct ResendFieldsTests {
    private func packet(offset: UInt32, length: Int32) -> [UInt8] {
        Sample.resend.replacing32(at: 28, with: offset).replacing32(at: 32, with: UInt32(bitPattern: length))
    }

    @Test("length −1 asks for everything sent so far, from any offset")
    func everything() throws {
        #expect(try parsed(Sample.resend) == Sample.client(.resend(.init(offset: 0, length: -1, priority: 7))))
        #expect(refusal(packet(offset: 1_000_000, length: -1)) == nil)
    }

    @Test("length 0 and lengths below −1 are refused")
    func lengths() {
        #expect(refusal(packet(offset: 0, length: 0)) == .resendEmpty)
        #expect(refusal(packet(offset: 0, length: -2)) == .resendLengthNegative)
        #expect(refusal(packet(offset: 0, length: .min)) == .resendLengthNegative)
    }

    @Test("the range ends at 1 000 000 at the latest and its end cannot overflow")
    func ends() {
        #expect(refusal(packet(offset: 0, length: 1_000_000)) == nil)
        #expect(refusal(packet(offset: 999_999, length: 1)) == nil)
        #expect(refusal(packet(offset: 999_999, length: 2)) == .resendEndTooFar)
        #expect(refusal(packet(offset: 1_000_000, length: .max)) == .resendEndTooFar)
        #expect(refusal(packet(offset: 1_000_001, length: 1)) == .resendOffsetTooFar)
        #expect(refusal(packet(offset: .max, length: .max)) == .resendOffsetTooFar)
    }

    @Test("only priorities 0 to 7 exist")
    func priority() {
        for priority in UInt8.min ... .max {
            let expected: WireError? = priority <= 7 ? nil : .priorityOutOfRange
            #expect(refusal(Sample.resend.replacing(at: 36, with: [priority])) == expected)
        }
    }
}
