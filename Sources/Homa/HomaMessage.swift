// SPDX-License-Identifier: Apache-2.0

internal import HomaIO

/// A received message, lent from the node's receive region.
///
/// The bytes stay where the network put them. They go back to the node when the last copy of this
/// value goes away, on whatever thread, so keeping messages for long shrinks the room for new ones:
/// that is the back-pressure. Copy the bytes out to keep them. A message stays valid even after its
/// node has been shut down.
///
/// A message of at most one bpage (64 KB by default) lies in one piece; a longer one in fragments of
/// one bpage each, the last one shorter. With ``HomaConfiguration/ReceiveMode/copyAfterComplete`` every message is a
/// copy in one piece, which is not lent from the region.
public struct HomaMessage: Sendable {
    let received: ReceivedMessage

    init(_ received: ReceivedMessage) { self.received = received }

    /// A message with a copy of these bytes, in memory of its own, as if it had been received: for what stands in for
    /// a node in tests.
    ///
    /// - Parameter bytes: at least 1, since Homa's messages have no fewer.
    public init(copying bytes: RawSpan) {
        precondition(bytes.byteCount >= 1, "a message has at least 1 byte")
        received = bytes.withUnsafeBytes { ReceivedMessage(copying: $0) }
    }

    /// A message with a copy of these bytes; see ``init(copying:)-(RawSpan)``.
    public init(copying bytes: [UInt8]) { self.init(copying: bytes.span.bytes) }

    /// Length in bytes, 1 … 1 000 000.
    public var count: Int { received.count }

    /// True when the bytes lie in one piece.
    public var isContiguous: Bool { received.firstPieceCount == received.count }

    /// Reads the whole message in place. The span is valid only inside `body`.
    ///
    /// The message must be contiguous; a longer one stops the program. Check ``isContiguous``, or use
    /// ``withFragments(_:)`` or ``withBytes(_:)``, where messages above one bpage may come.
    public func withContiguousBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(isContiguous, "a message of \(count) bytes is longer than a bpage: use withFragments or withBytes")
        let result = try body(received.firstPiece.bytes)
        withExtendedLifetime(received) {}
        return result
    }

    /// Reads the whole message as one span: in place when it is contiguous, else from a copy made for
    /// the time of the call. The span is valid only inside `body`.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if isContiguous { return try withContiguousBytes(body) }
        return try HomaBuffer(copying: self).withBytes(body)
    }

    /// Calls `body` with each piece of the message in order: all are in place, and nothing is copied.
    /// Each span is valid only inside its call.
    public func withFragments<Failure: Error>(_ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        // Nearly always all of it.
        var piece = received.firstPiece
        try body(piece.bytes)
        var offset = piece.count
        while offset < count {
            piece = received.piece(at: offset)
            try body(piece.bytes)
            offset += piece.count
        }
        withExtendedLifetime(received) {}
    }

    /// The bytes in an array of their own.
    public func copyBytes() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            copy(to: UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    /// Copies the bytes to the front of `target`, which must have room for ``count`` bytes.
    public func copy(into target: inout MutableRawSpan) {
        precondition(target.byteCount >= count, "no room for a message of \(count) bytes")
        target.withUnsafeMutableBytes { copy(to: $0) }
    }

    /// Appends the bytes to `output`, which must have room for them.
    public func append(to output: inout OutputRawSpan) {
        precondition(output.freeCapacity >= count, "no room for a message of \(count) bytes")
        output.withUnsafeMutableBytes { buffer, initialized in
            copy(to: UnsafeMutableRawBufferPointer(rebasing: buffer[initialized...]))
            initialized += count
        }
    }

    private func copy(to target: UnsafeMutableRawBufferPointer) {
        var offset = 0
        withFragments { fragment in
            fragment.withUnsafeBytes { bytes in
                (target.baseAddress! + offset).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
                offset += bytes.count
            }
        }
    }
}

extension HomaMessage: Equatable {
    /// Equal when the bytes are, wherever they lie.
    public static func == (lhs: HomaMessage, rhs: HomaMessage) -> Bool {
        lhs.received === rhs.received || (lhs.count == rhs.count && lhs.copyBytes() == rhs.copyBytes())
    }
}

extension HomaMessage: CustomStringConvertible {
    /// Such as `message of 100 bytes`.
    public var description: String { "message of \(count) bytes" }
}
