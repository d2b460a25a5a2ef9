// SPDX-License-Identifier: Apache-2.0

/// SipHash-2-4 of Aumasson and Bernstein (2012), over whole 64-bit words: a short hash that nobody can foretell who
/// does not know the key. For what is told to others; tables use cheaper ones.
@frozen
public struct SipHash: Sendable, BitwiseCopyable {
    private var v0, v1, v2, v3: UInt64
    private var count: UInt64 = 0

    public init(key: (UInt64, UInt64)) {
        v0 = key.0 ^ 0x736F_6D65_7073_6575
        v1 = key.1 ^ 0x646F_7261_6E64_6F6D
        v2 = key.0 ^ 0x6C79_6765_6E65_7261
        v3 = key.1 ^ 0x7465_6462_7974_6573
    }

    /// Takes eight bytes more, the lowest first.
    public mutating func take(_ word: UInt64) {
        count += 1
        compress(word)
    }

    /// The hash of all that was taken.
    public consuming func finish() -> UInt64 {
        // The last word's top byte is the length in bytes, modulo 256.
        compress(count << 59)
        v2 ^= 0xFF
        for _ in 0..<4 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    private mutating func round() {
        v0 &+= v1
        v1 = Self.rotate(v1, 13) ^ v0
        v0 = Self.rotate(v0, 32)
        v2 &+= v3
        v3 = Self.rotate(v3, 16) ^ v2
        v0 &+= v3
        v3 = Self.rotate(v3, 21) ^ v0
        v2 &+= v1
        v1 = Self.rotate(v1, 17) ^ v2
        v2 = Self.rotate(v2, 32)
    }

    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }
}
