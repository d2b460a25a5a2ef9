// SPDX-License-Identifier: Apache-2.0

internal import HomaBuffers
internal import HomaPosix

/// A whole received message, held until the last reference to this object goes away.
///
/// It lies in the region, or, with ``ReceiveMode/copyAfterComplete``, in one piece of memory of its own.
public final class ReceivedMessage: @unchecked Sendable {  // nobody writes the bytes while this object exists
    private enum Place {
        /// Retained by hand: a `switch` over the reference itself would count it up and down once more.
        case region(Unmanaged<ReceiveRegion>, BufferLease)
        /// In a block of ``BufferMemory``, as long as the message.
        case block(UnsafeMutableRawPointer)
    }

    private let place: Place
    /// Length in bytes, at least 1.
    public let count: Int
    /// Bytes of the first contiguous piece, from the start of the message.
    public let firstPieceCount: Int
    private let start: UnsafeRawPointer

    /// The message where it lies, with its lease.
    init(region: ReceiveRegion, lease: BufferLease, count: Int) {
        place = .region(.passRetained(region), lease)
        self.count = count
        let piece = region.pool.piece(of: lease, at: 0)
        start = UnsafeRawPointer(region.memory.baseAddress + piece.regionOffset)
        firstPieceCount = piece.byteCount
    }

    /// A copy of the message in one piece. Its buffers go back to the region at once.
    init(copying lease: BufferLease, of region: ReceiveRegion, count: Int) {
        let block = BufferMemory.allocate(byteCount: count)
        var offset = 0
        while offset < count {
            let piece = region.pool.piece(of: lease, at: offset)
            (block + offset).copyMemory(
                from: region.memory.baseAddress + piece.regionOffset, byteCount: piece.byteCount)
            offset += piece.byteCount
        }
        region.release(lease)
        place = .block(block)
        self.count = count
        start = UnsafeRawPointer(block)
        firstPieceCount = count
    }

    /// A copy of bytes that nobody sent.
    ///
    /// - Parameter bytes: at least 1.
    public init(copying bytes: UnsafeRawBufferPointer) {
        let block = BufferMemory.allocate(byteCount: bytes.count)
        UnsafeMutableRawBufferPointer(start: block, count: bytes.count).copyMemory(from: bytes)
        place = .block(block)
        count = bytes.count
        start = UnsafeRawPointer(block)
        firstPieceCount = bytes.count
    }

    deinit {
        switch place {
        case .region(let region, let lease):
            region._withUnsafeGuaranteedRef { $0.release(lease) }
            region.release()
        case .block(let block): BufferMemory.free(block, byteCount: count)
        }
    }

    /// The first piece. Valid as long as this object.
    @inline(__always)
    public var firstPiece: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: firstPieceCount) }

    /// The contiguous piece that starts at byte `offset` of the message, which must be inside it.
    /// Valid as long as this object.
    public func piece(at offset: Int) -> UnsafeRawBufferPointer {
        switch place {
        case .region(let region, let lease):
            return region._withUnsafeGuaranteedRef { region in
                let piece = region.pool.piece(of: lease, at: offset)
                return UnsafeRawBufferPointer(
                    start: region.memory.baseAddress + piece.regionOffset, count: piece.byteCount)
            }
        case .block:
            precondition(offset >= 0 && offset < count, "offset outside the message")
            return UnsafeRawBufferPointer(start: start + offset, count: count - offset)
        }
    }
}
