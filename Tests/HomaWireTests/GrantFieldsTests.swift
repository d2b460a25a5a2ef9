// SPDX-License-Identifier: Apache-2.0

import HomaWire
import Testing

@Suite("GRANT fields")
struct GrantFieldsTests {
    @Test("a grant covers 1 to 1 000 000 bytes")
    func offset() {
        #expect(refusal(Sample.grant.replacing32(at: 28, with: 0)) == .grantEmpty)
        #expect(refusal(Sample.grant.replacing32(at: 28, with: 1)) == nil)
        #expect(refusal(Sample.grant.replacing32(at: 28, with: 1_000_000)) == nil)
        #expect(refusal(Sample.grant.replacing32(at: 28, with: 1_000_001)) == .grantTooFar)
        #expect(refusal(Sample.grant.replacing32(at: 28, with: .max)) == .grantTooFar)
    }

    @Test("only priorities 0 to 7 exist: others would index past the tables of levels")
    func priority() {
        for priority in UInt8.min ... .max {
            let expected: WireError? = priority <= 7 ? nil : .priorityOutOfRange
            #expect(refusal(Sample.grant.replacing(at: 32, with: [priority])) == expected)
        }
    }
}
