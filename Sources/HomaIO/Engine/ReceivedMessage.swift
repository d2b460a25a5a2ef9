// SPDX-License-Identifier: Apache-2.0

internal import HomaBuffers

/// A whole message in the region, held until the last reference to this object goes away.
public final class ReceivedMessage: Sendable {
    private let region: ReceiveRegion
    private let lease: BufferLease
    /// Length in bytes, at least 1.
    public let count: Int
    /// Bytes of the first contiguous piece, from the start of the message.
    public let firstPieceCount: Int
    private let firstOffset: Int

    init(region: ReceiveRegion, lease: BufferLease, count: Int) {
        self.region = region
        self.lease = lease
        self.count = count
        let piece = region.pool.piece(of: lease, at: 0)
        firstOffset = piece.regionOffset
        firstPieceCount = piece.byteCount
    }

    deinit { region.release(lease) }

    /// The first piece. Valid as long as this object.
    @inline(__always)
    public var firstPiece: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: region.memory.baseAddress + firstOffset, count: firstPieceCount)
    }

    /// The contiguous piece that starts at byte `offset` of the message, which must be inside it.
    /// Valid as long as this object.
    public func piece(at offset: Int) -> UnsafeRawBufferPointer {
        let piece = region.pool.piece(of: lease, at: offset)
        return UnsafeRawBufferPointer(start: region.memory.baseAddress + piece.regionOffset, count: piece.byteCount)
    }

    /// Where the message's first byte lies in the region.
    public var regionOffset: Int { firstOffset }
}
