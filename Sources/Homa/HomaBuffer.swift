// SPDX-License-Identifier: Apache-2.0

internal import HomaIO

/// Bytes to send, in memory of their own: handing one over copies nothing.
///
/// The bytes never change once the value exists, so one buffer may be sent any number of times,
/// also at once and to many servers. The memory is freed when nobody, the node included, needs it.
public struct HomaBuffer: Sendable {
    let storage: OutgoingBuffer

    /// Room for `count` bytes, 0 or more, which `fill` appends. Bytes it leaves out are zero.
    ///
    /// A message that can be sent has 1 … 1 000 000 bytes.
    public init<Failure: Error>(
        count: Int, fill: (inout OutputRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        storage = try OutgoingBuffer(count: count, fill: fill)
    }

    /// A copy of `bytes`.
    public init(copying bytes: RawSpan) { storage = OutgoingBuffer(copying: bytes) }

    /// A copy of `bytes`.
    public init(copying bytes: Span<UInt8>) { storage = OutgoingBuffer(copying: bytes.bytes) }

    /// A copy of `bytes`.
    public init(copying bytes: [UInt8]) { storage = OutgoingBuffer(copying: bytes.span.bytes) }

    /// A copy of the bytes of `message`, in one piece whatever its length.
    public init(copying message: HomaMessage) {
        storage = OutgoingBuffer(count: message.count) { output in message.append(to: &output) }
    }

    /// Length in bytes.
    public var count: Int { storage.count }

    /// Reads the bytes. The span is valid only inside `body`.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: storage.base, count: storage.count).bytes)
    }
}
