// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What a message will consist of. Where it must wait for its turn, only a buffer takes memory for the bytes meanwhile.
public enum MessageSource: Sendable {
    case buffer(OutgoingBuffer)
    /// Copied when the first packet leaves; until then they are shared with whoever else has them.
    case bytes([UInt8])
    /// So many bytes, written by the closure on the engine's thread when the first packet leaves.
    case fill(count: Int, @Sendable (inout OutputRawSpan) -> Void)

    /// Length in bytes.
    public var count: Int {
        switch self {
        case .buffer(let buffer): buffer.count
        case .bytes(let bytes): bytes.count
        case .fill(let count, _): count
        }
    }

    /// The bytes themselves.
    func makeBuffer() -> OutgoingBuffer {
        switch self {
        case .buffer(let buffer): buffer
        case .bytes(let bytes): OutgoingBuffer(copying: bytes.span.bytes)
        case .fill(let count, let fill): OutgoingBuffer(count: count, fill: fill)
        }
    }
}

/// The bytes of one message to send, in memory of their own that never changes again.
///
/// The engine gathers packets straight from here, so the memory must stay until the protocol has
/// said that no packet can need it any more; a reference count is what says so. One buffer may be
/// sent any number of times, also at once and by several engines.
public final class OutgoingBuffer: @unchecked Sendable {
    /// Length in bytes.
    public let count: Int
    /// The first byte.
    public let base: UnsafeRawPointer

    /// Room for `count` bytes, which `fill` appends. Bytes that it leaves out are zero.
    ///
    /// `count` must not be negative.
    public init<Failure: Error>(
        count: Int, fill: (inout OutputRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(count >= 0, "a message cannot have a negative length")
        let memory = BufferMemory.allocate(byteCount: count)
        self.count = count
        base = UnsafeRawPointer(memory)
        var output = OutputRawSpan(buffer: .init(start: memory, count: count), initializedCount: 0)
        try fill(&output)
        let filled = output.finalize(for: .init(start: memory, count: count))
        memset(memory + filled, 0, count - filled)
    }

    /// A copy of `bytes`.
    public init(copying bytes: RawSpan) {
        let memory = BufferMemory.allocate(byteCount: bytes.byteCount)
        count = bytes.byteCount
        base = UnsafeRawPointer(memory)
        bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: memory, count: $0.count).copyMemory(from: $0) }
    }

    deinit { BufferMemory.free(UnsafeMutableRawPointer(mutating: base), byteCount: count) }
}
