// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

/// What a lease slot says, in two words that all threads may read: its state, and where its message lies.
///
///     state   bits 63 … 32  generation
///             bits 25 … 2   length of the message in bytes
///             bits 1 … 0    phase: 0 free, 1 live, 2 being returned
///     place   bits 63 … 6   region offset of the piece that holds the message's end, in pieces; all ones: none
///             bit 0         1 when bpages belong to this message alone
///
/// Four slots share a cache line, and a shard hands its slots out in order. So a thread that allocates and one
/// that returns wait for one line in four messages, not for one each.
struct LeaseRecord {
    static let stride = 16
    /// Stands for a place without a piece, whether or not there are bpages.
    static let noPiece: UInt64 = ~1

    enum Phase {
        static let free: UInt64 = 0
        static let live: UInt64 = 1
        static let returning: UInt64 = 2
        static let mask: UInt64 = 3
    }

    let base: UnsafeMutableRawPointer

    @inline(__always)
    var state: UnsafeMutablePointer<Atomic<UInt64>> { base.word(0) }
    /// Written only while the slot is free, by its shard's thread. A relaxed load by somebody whose lease may be stale
    /// gives nonsense at worst, which the exchange of the state then finds out.
    @inline(__always)
    var place: UnsafeMutablePointer<Atomic<UInt64>> { base.word(8) }

    @inline(__always)
    static func live(_ generation: UInt32, length: Int) -> UInt64 {
        UInt64(generation) << 32 | UInt64(truncatingIfNeeded: length) << 2 | Phase.live
    }
    @inline(__always)
    static func state(_ generation: UInt32, _ phase: UInt64) -> UInt64 { UInt64(generation) << 32 | phase }
    @inline(__always)
    static func generation(_ state: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: state >> 32) }
    @inline(__always)
    static func length(_ state: UInt64) -> Int { Int(truncatingIfNeeded: state >> 2) & 0xFF_FFFF }
    @inline(__always)
    static func isLive(_ state: UInt64, _ generation: UInt32) -> Bool {
        Self.generation(state) == generation && state & Phase.mask == Phase.live
    }

    /// The place of a message whose end is at `piece` (or `noPiece`).
    @inline(__always)
    static func place(piece: UInt64, hasPages: Bool) -> UInt64 { piece | (hasPages ? 1 : 0) }
    @inline(__always)
    static func hasPages(_ place: UInt64) -> Bool { place & 1 != 0 }
    /// Region offset of the piece; `noPiece` when there is none.
    @inline(__always)
    static func piece(_ place: UInt64) -> UInt64 { place & ~1 }
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
