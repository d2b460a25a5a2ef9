// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@Suite("SipHash")
struct SipHashTests {
    /// Key 00 … 0f and input nothing, 00 … 07 and 00 … 0f: vectors 0, 8 and 16 of the reference implementation's table.
    @Test("gives the values of its authors")
    func vectors() {
        var hash = SipHash(key: (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908))
        #expect(hash.finish() == 0x726F_DB47_DD0E_0E31)
        hash.take(0x0706_0504_0302_0100)
        #expect(hash.finish() == 0x93F5_F579_9A93_2462)
        hash.take(0x0F0E_0D0C_0B0A_0908)
        #expect(hash.finish() == 0x3F2A_CC7F_57C2_9BDB)
    }
}
