// SPDX-License-Identifier: Apache-2.0

/// How messages are told apart in a TCP stream: each is preceded by its length in bytes, as four bytes, most
/// significant first.
enum TCPFrame {
    /// Bytes of the length in front of a message.
    static let prefixLength = 4

    /// Puts the prefix of a message of `length` bytes at the start of `buffer`.
    @inline(__always)
    static func writePrefix(_ length: Int, into buffer: UnsafeMutableRawPointer) {
        buffer.storeBytes(of: UInt32(length).bigEndian, as: UInt32.self)
    }

    /// The length announced by the four bytes at the start of `buffer`.
    @inline(__always)
    static func readPrefix(_ buffer: UnsafeRawPointer) -> Int {
        Int(UInt32(bigEndian: buffer.loadUnaligned(as: UInt32.self)))
    }
}
