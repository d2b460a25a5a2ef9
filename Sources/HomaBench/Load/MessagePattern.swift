// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase

/// Fills messages with known bytes and finds any byte that has changed, as fast as memory is compared.
///
/// A master buffer of pseudo-random bytes repeats with a prime period of 65 521; a message is a window into it
/// at `key mod period`. Bytes that belong elsewhere in the message match only when they are a multiple of the
/// prime away, which the boundaries of packets and pages are not. The master (128 kB) stays in the
/// second-level cache, so filling is one `memcpy` and checking one `memcmp`. Both ends make the same master.
///
/// Both work on any part of a message, so that a message can be checked as its pieces arrive, without
/// being put together first.
public final class MessagePattern: @unchecked Sendable {  // the master is never written after init
    /// The master's period in bytes: the largest prime below 65 536.
    public static let period = 65_521

    /// The pattern that all loads and servers use.
    public static let shared = MessagePattern()

    private let master: UnsafeMutableRawPointer

    /// Makes the master: two periods, so that a whole period can be read from any place in the first.
    public init() {
        var random = SeededRandom(seed: 0x484F_4D41)
        let words = 2 * Self.period / 8 + 1
        master = UnsafeMutableRawPointer.allocate(byteCount: words * 8, alignment: 64)
        for word in 0..<(Self.period / 8 + 1) {
            master.storeBytes(of: random.next().littleEndian, toByteOffset: 8 * word, as: UInt64.self)
        }
        memcpy(master + Self.period, master, Self.period)
    }

    deinit { master.deallocate() }

    /// Mixes a load's seed with a message's sequence number into the message's key.
    public static func key(seed: UInt64, sequence: UInt64) -> UInt64 {
        var random = SeededRandom(seed: seed &+ sequence &* 0xD134_2543_DE82_EF95)
        return random.next()
    }

    /// Writes a whole message.
    public func fill(_ buffer: UnsafeMutableRawBufferPointer, with message: PatternMessage) {
        precondition(buffer.count == message.length, "the buffer must have the message's length")
        write(message, from: 0, into: buffer)
    }

    /// Writes the bytes of a message that start at `position`, as many as fit into `buffer`.
    public func write(_ message: PatternMessage, from position: Int, into buffer: UnsafeMutableRawBufferPointer) {
        precondition(position >= 0 && position + buffer.count <= message.length, "outside the message")
        var done = 0
        while done < buffer.count {
            let target = buffer.baseAddress.unsafelyUnwrapped + done
            done += withPiece(of: message, at: position + done, limit: buffer.count - done) { piece in
                _ = memcpy(target, piece.baseAddress.unsafelyUnwrapped, piece.count)
                return piece.count
            }
        }
    }

    /// True when `bytes` are exactly the whole message.
    public func verify(_ bytes: UnsafeRawBufferPointer, is message: PatternMessage) -> Bool {
        bytes.count == message.length && matches(bytes, at: 0, of: message)
    }

    /// True when `bytes` are exactly the part of the message that starts at `position`.
    public func matches(_ bytes: UnsafeRawBufferPointer, at position: Int, of message: PatternMessage) -> Bool {
        guard position >= 0, position + bytes.count <= message.length else { return false }
        var done = 0
        while done < bytes.count {
            let actual = bytes.baseAddress.unsafelyUnwrapped + done
            let equal = withPiece(of: message, at: position + done, limit: bytes.count - done) { piece in
                done += piece.count
                return memcmp(actual, piece.baseAddress.unsafelyUnwrapped, piece.count) == 0
            }
            guard equal else { return false }
        }
        return true
    }

    /// Shows the message's bytes from `position` on: as many as lie together, at most `limit`, at least one.
    private func withPiece<R>(
        of message: PatternMessage, at position: Int, limit: Int, _ body: (UnsafeRawBufferPointer) -> R
    ) -> R {
        guard position < message.headerCount else { return body(bodyPiece(of: message, at: position, limit: limit)) }
        let length = UInt32(message.length).littleEndian
        let header =
            message.framing == .pattern
            ? (message.key.littleEndian, length, UInt32(message.responseLength).littleEndian)
            : (
                UInt64(littleEndian: UInt64(UInt32(message.length)) | message.key << 32),
                (UInt32(truncatingIfNeeded: message.key >> 32) & 0xFFFF | UInt32(message.flags) << 16).littleEndian, 0
            )
        return withUnsafeBytes(of: header) { bytes in
            let end = min(message.headerCount, position + limit)
            return body(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
        }
    }

    /// The pattern bytes of a message from `position` on, in the master: they live as long as the pattern.
    func bodyPiece(of message: PatternMessage, at position: Int, limit: Int) -> UnsafeRawBufferPointer {
        let period = UInt64(Self.period)
        let start = Int((message.key % period + UInt64(position) % period) % period)
        return UnsafeRawBufferPointer(start: master + start, count: min(limit, Self.period))
    }
}
