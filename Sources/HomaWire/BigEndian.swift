// SPDX-License-Identifier: Apache-2.0

// Homa sends every integer most significant byte first, and no field is aligned: the payload of an
// IP packet starts wherever the driver's buffer happens to put it.

extension RawSpan {
    /// The byte at `offset`. Traps outside the span.
    @inlinable
    func byte(at offset: Int) -> UInt8 { unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self) }

    /// The 16-bit number that starts at `offset`. Traps outside the span.
    @inlinable
    func bigEndian16(at offset: Int) -> UInt16 {
        UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// The 32-bit number that starts at `offset`. Traps outside the span.
    @inlinable
    func bigEndian32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The 64-bit number that starts at `offset`. Traps outside the span.
    @inlinable
    func bigEndian64(at offset: Int) -> UInt64 {
        UInt64(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension UnsafeMutableRawPointer {
    /// Stores one byte at `offset`. The caller has checked the capacity.
    @inlinable
    func put(_ value: UInt8, at offset: Int) { storeBytes(of: value, toByteOffset: offset, as: UInt8.self) }

    /// Stores two bytes from `offset` on. The caller has checked the capacity.
    @inlinable
    func put(_ value: UInt16, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }

    /// Stores four bytes from `offset` on. The caller has checked the capacity.
    @inlinable
    func put(_ value: UInt32, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Stores eight bytes from `offset` on. The caller has checked the capacity.
    @inlinable
    func put(_ value: UInt64, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }
}
