// SPDX-License-Identifier: Apache-2.0

/// What the messages of a load begin with. Server and client must agree.
public enum MessageFraming: String, CaseIterable, Sendable {
    /// That of ``PatternMessage``.
    case pattern
    /// That of `cp_node`, the benchmark program of the kernel module (util/cp_node.cc, HomaModule 9edb958):
    ///
    /// | bytes | field | encoding |
    /// |---|---|---|
    /// | 0–3 | length of this message in bytes | little endian |
    /// | 4–7 | the client, its port and the server's | a byte each |
    /// | 8–9 | number of the message | little endian |
    /// | 10 | bit 1: answer with 100 bytes at most; bit 2: this is a response | |
    /// | 11 | 0 | |
    ///
    /// A response is the request's first bytes, as many as it has, with its own length and bit 2.
    case cpNode = "cp-node"

    /// Bytes of the header, which every message of `cpNode` has.
    public var headerLength: Int { self == .pattern ? PatternMessage.headerLength : 12 }

    /// Length of `cpNode`'s short responses.
    public static var shortResponse: Int { 100 }
}

/// The description of one message of a load: everything its bytes follow from.
///
/// ## Framing
///
/// | bytes | field | encoding |
/// |---|---|---|
/// | 0–7 | key: seed and sequence number, mixed | little endian |
/// | 8–11 | length of this message in bytes | little endian |
/// | 12–15 | length of the response it asks for, in bytes | little endian |
/// | 16– | pattern, starting at a place that follows from the key | |
///
/// A message shorter than 16 bytes has no header: it is the pattern only, from its first byte. A server can
/// read no wish from such a request and echoes it.
///
/// The response has the same key and the wished-for length in both length fields. A request that asks
/// for a response of its own length is therefore answered by its own bytes: an echo.
public struct PatternMessage: Sendable, Equatable {
    /// Length of the header in bytes.
    public static let headerLength = 16

    /// Mixed from the load's seed and the message's sequence number.
    public var key: UInt64
    /// Length in bytes, at least 1.
    public var length: Int
    /// Length of the response asked for, in bytes, at least 1.
    public var responseLength: Int
    /// What it begins with.
    public let framing: MessageFraming
    /// Byte 10 of `cp-node`.
    let flags: UInt8

    /// - Parameter framing: with `cpNode` a message has at least 12 bytes, and is echoed unless a shorter response is
    ///   asked for, which has 100.
    public init(key: UInt64, length: Int, responseLength: Int, framing: MessageFraming = .pattern) {
        let isShort = framing == .cpNode && responseLength < length
        self.init(key: key, length: length, responseLength: responseLength, framing: framing, flags: isShort ? 2 : 0)
    }

    private init(key: UInt64, length: Int, responseLength: Int, framing: MessageFraming, flags: UInt8) {
        precondition(length >= 1 && length <= Int(UInt32.max), "a message has 1 byte to 4 GB")
        precondition(responseLength >= 1 && responseLength <= Int(UInt32.max), "a response has 1 byte to 4 GB")
        self.key = key
        self.length = length
        self.responseLength = responseLength
        self.framing = framing
        self.flags = flags
    }

    /// Reads the header of a request as a server does.
    ///
    /// Nil when its fields contradict `bytes` or ask for more than `maximumLength` bytes. A request without
    /// a header is described with key 0: only its length is known, and that it is to be echoed.
    public init?(request bytes: UnsafeRawBufferPointer, maximumLength: Int) {
        self.init(front: bytes, count: bytes.count, maximumLength: maximumLength)
    }

    /// The same from the front of a request of `count` bytes: its first 16 bytes at least, if it has so many.
    public init?(front bytes: UnsafeRawBufferPointer, count: Int, maximumLength: Int) {
        guard count >= 1, count <= maximumLength else { return nil }
        guard count >= Self.headerLength else {
            self.init(key: 0, length: count, responseLength: count)
            return
        }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        let response = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
        guard length == count, response >= 1, response <= maximumLength else { return nil }
        let key = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        self.init(key: key, length: length, responseLength: response)
    }

    /// Bytes of header this message carries, or 0 when it is shorter than that.
    var headerCount: Int { length >= framing.headerLength ? framing.headerLength : 0 }

    /// The message that answers this one.
    public var response: PatternMessage {
        guard framing == .pattern else {
            let answer = flags & 2 != 0 ? min(length, MessageFraming.shortResponse) : length
            return PatternMessage(
                key: key, length: answer, responseLength: answer, framing: framing, flags: flags | 4)
        }
        let answer = length >= Self.headerLength ? responseLength : length
        return PatternMessage(key: key, length: answer, responseLength: answer)
    }
}
