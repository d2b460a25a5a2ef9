// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Collects the frames of several requests for one `sendmsg`, without allocating.
///
/// The prefix and the first bytes of each message are written into scratch memory; the rest of a long
/// message is sent from where the pattern lies.
final class TCPGather {
    private static let inlineLimit = 4096
    private static let scratchSize = 131_072
    private static let maximumVectors = 256
    /// One call is asked to take no more than about this many bytes.
    private static let maximumBytes = 1_048_576

    private let scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchSize, alignment: 64)
    private let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: maximumVectors)
    private let pattern = MessagePattern.shared
    private var scratchUsed = 0
    private var vectorCount = 0
    /// Bytes collected.
    private(set) var count = 0

    deinit {
        scratch.deallocate()
        vectors.deallocate()
    }

    func reset() {
        scratchUsed = 0
        vectorCount = 0
        count = 0
    }

    /// Adds the frame of `message` without its first `position` bytes. False when the message found no room, or
    /// not all of it did: then the collection is full.
    func add(_ message: PatternMessage, from position: Int) -> Bool {
        let head = TCPFrame.prefixLength + min(message.length, Self.inlineLimit)
        guard scratchUsed + head <= Self.scratchSize, vectorCount < Self.maximumVectors, count < Self.maximumBytes
        else { return false }
        if position < head { addHead(message, count: head, from: position) }
        var offset = max(position, head) - TCPFrame.prefixLength
        while offset < message.length {
            guard vectorCount < Self.maximumVectors, count < Self.maximumBytes else { return false }
            let piece = pattern.bodyPiece(of: message, at: offset, limit: message.length - offset)
            append(UnsafeMutableRawPointer(mutating: piece.baseAddress.unsafelyUnwrapped), piece.count)
            offset += piece.count
        }
        return true
    }

    private func addHead(_ message: PatternMessage, count head: Int, from position: Int) {
        let start = scratch + scratchUsed
        TCPFrame.writePrefix(message.length, into: start)
        let body = UnsafeMutableRawBufferPointer(
            start: start + TCPFrame.prefixLength, count: head - TCPFrame.prefixLength)
        pattern.write(message, from: 0, into: body)
        scratchUsed += head
        append(start + position, head - position)
    }

    /// Adds a piece of memory, to the last vector where it follows on.
    private func append(_ start: UnsafeMutableRawPointer, _ length: Int) {
        count += length
        if vectorCount > 0 {
            let last = vectors + (vectorCount - 1)
            if let base = last.pointee.iov_base, base + last.pointee.iov_len == start {
                last.pointee.iov_len += length
                return
            }
        }
        vectors[vectorCount] = iovec(iov_base: start, iov_len: length)
        vectorCount += 1
    }

    /// Sends what was collected. Returns the bytes taken (0 when the socket is full), -1 when it is broken.
    func send(on file: Int32) -> Int { sendVectors(file, vectors, vectorCount) }
}
