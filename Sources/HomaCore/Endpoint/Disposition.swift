// SPDX-License-Identifier: Apache-2.0

/// What the driver does with the payload of a packet it has just fed in.
@frozen
public enum Disposition: Equatable, Sendable, BitwiseCopyable {
    /// Nothing to store: a control packet, taken into account.
    case consumed
    /// Put the payload here, before draining events.
    case store(Placement)
    /// Forget the packet.
    case dropped(DropReason)
}

/// Where in the region a packet's payload belongs: in one piece, or in two when it crosses a bpage boundary.
@frozen
public struct Placement: Equatable, Sendable, BitwiseCopyable {
    /// Region offset of the first payload byte.
    public var regionOffset: Int
    /// Bytes that go there.
    public var byteCount: Int
    /// Region offset of the rest.
    public var secondRegionOffset: Int
    /// Bytes of the rest; usually 0.
    public var secondByteCount: Int

    @inlinable
    public init(regionOffset: Int, byteCount: Int, secondRegionOffset: Int = 0, secondByteCount: Int = 0) {
        self.regionOffset = regionOffset
        self.byteCount = byteCount
        self.secondRegionOffset = secondRegionOffset
        self.secondByteCount = secondByteCount
    }
}
