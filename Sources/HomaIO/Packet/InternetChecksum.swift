// SPDX-License-Identifier: Apache-2.0

/// The checksum of IP and UDP (RFC 1071). Sums are kept in the byte order of memory, which the algorithm permits:
/// a 16-bit field enters as it lies there, and a result is stored as it is.
enum InternetChecksum {
    /// The sum over `count` bytes; an odd last byte is followed by a zero.
    static func sum(_ bytes: UnsafeRawPointer, count: Int) -> UInt64 {
        var sum: UInt64 = 0
        var offset = 0
        while offset + 4 <= count {
            sum &+= UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            offset += 4
        }
        if offset + 2 <= count {
            sum &+= UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            offset += 2
        }
        if offset < count { sum &+= UInt64(UInt16(bytes.load(fromByteOffset: offset, as: UInt8.self)).littleEndian) }
        return sum
    }

    /// Sixteen bits of a sum, not yet complemented.
    @inline(__always)
    static func fold(_ sum: UInt64) -> UInt16 {
        var sum = (sum & 0xFFFF_FFFF) &+ (sum >> 32)
        sum = (sum & 0xFFFF) &+ (sum >> 16)
        sum = (sum & 0xFFFF) &+ (sum >> 16)
        sum = (sum & 0xFFFF) &+ (sum >> 16)
        return UInt16(truncatingIfNeeded: sum)
    }

    /// A number's contribution, as the two bytes it has in a packet.
    @inline(__always)
    static func term(_ value: UInt16) -> UInt64 { UInt64(value.bigEndian) }
}
