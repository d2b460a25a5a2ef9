// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

/// What a lease slot says, cut by who writes it.
///
///     state   bits 63 … 32  generation
///             bits 27 … 4   bpage of the piece that holds the message's end
///             bit  3        1 when there is such a piece
///             bit  2        1 when bpages belong to this message alone
///             bits 1 … 0    phase: 0 free, 1 live, 2 being returned
///     offset                region offset of the piece; all ones: none
///     length                bytes of the message
///
/// A return needs the state alone and writes nothing else, so the other two stay with the shard. The states of eight
/// slots share a cache line, and a shard hands its slots out in order. So a thread that allocates and one that returns
/// wait for one line in eight messages, not for one each.
struct LeaseRecord {
    static let stateStride = 8
    static let placeStride = 16
    /// Stands for the offset of no piece.
    static let noPiece = UInt64.max

    enum Phase {
        static let free: UInt64 = 0
        static let live: UInt64 = 1
        static let returning: UInt64 = 2
        static let mask: UInt64 = 3
    }

    private static let pagesBit: UInt64 = 1 << 2
    private static let pieceBit: UInt64 = 1 << 3
    private static let pageShift: UInt64 = 4
    /// `PoolConfiguration` allows this many bpages.
    private static let pageMask: UInt64 = 1 << 24 - 1

    let state: UnsafeMutablePointer<Atomic<UInt64>>
    fileprivate let place: UnsafeMutableRawPointer

    @inline(__always)
    init(state: UnsafeMutablePointer<Atomic<UInt64>>, place: UnsafeMutableRawPointer) {
        self.state = state
        self.place = place
    }

    /// Offset and length are written only while the slot is free, by its shard's thread. A relaxed load by somebody
    /// whose lease may be stale gives nonsense at worst.
    @inline(__always)
    var offset: UnsafeMutablePointer<Atomic<UInt64>> { place.word(0) }
    @inline(__always)
    var length: UnsafeMutablePointer<Atomic<UInt64>> { place.word(8) }

    /// The state of a message whose end is at `offset` (or `noPiece`) of a region with bpages of `1 << bpageShift`.
    @inline(__always)
    static func live(_ generation: UInt32, offset: UInt64, hasPages: Bool, bpageShift: Int) -> UInt64 {
        let piece = offset == noPiece ? 0 : (offset >> UInt64(bpageShift)) << pageShift | pieceBit
        return UInt64(generation) << 32 | piece | (hasPages ? pagesBit : 0) | Phase.live
    }
    @inline(__always)
    static func state(_ generation: UInt32, _ phase: UInt64) -> UInt64 { UInt64(generation) << 32 | phase }
    @inline(__always)
    static func generation(_ state: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: state >> 32) }
    @inline(__always)
    static func isLive(_ state: UInt64, _ generation: UInt32) -> Bool {
        Self.generation(state) == generation && state & Phase.mask == Phase.live
    }
    @inline(__always)
    static func hasPages(_ state: UInt64) -> Bool { state & pagesBit != 0 }
    /// The bpage of the piece; nil when there is no piece.
    @inline(__always)
    static func page(_ state: UInt64) -> UInt32? {
        state & pieceBit != 0 ? UInt32(truncatingIfNeeded: state >> pageShift & pageMask) : nil
    }
}

/// The bpages that belong to one message alone: all full but possibly the last. Touched for long messages only.
///
/// Plain memory: the shard writes it before it makes the lease live, and then nobody does until the slot is free.
struct LeasePages {
    let base: UnsafeMutableRawPointer

    @inline(__always)
    var count: UnsafeMutablePointer<UInt32> { base.assumingMemoryBound(to: UInt32.self) }
    @inline(__always)
    var list: UnsafeMutablePointer<UInt32> { (base + 4).assumingMemoryBound(to: UInt32.self) }

    /// Bytes from one record to the next: room for the bpages of the longest message, in whole cache lines.
    static func stride(bpageSize: Int) -> Int {
        let mostPages = HomaLimits.maximumMessageLength / bpageSize + 1
        return (4 + mostPages * 4 + cacheLine - 1) / cacheLine * cacheLine
    }
}
