// SPDX-License-Identifier: Apache-2.0

/// A name for a text that is the same in every process and on every machine: FNV-1a over 128 bits
/// (offset basis and prime from draft-eastlake-fnv-17, section 5).
///
/// It names points and sweeps; it protects nothing against intent.
public struct StableHash {
    private var state: UInt128 = 0x6C62_272E_07BB_0142_62B8_2175_6295_C58D

    mutating func add(_ text: String) {
        for byte in text.utf8 { state = (state ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013B }
        // An end mark that UTF-8 does not have, so that "ab", "c" differs from "a", "bc".
        state = (state ^ 0xFF) &* 0x0000_0000_0100_0000_0000_0000_0000_013B
    }

    /// 32 hexadecimal digits.
    var text: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }

    public static func of(_ text: String) -> String {
        var hash = StableHash()
        hash.add(text)
        return hash.text
    }
}
