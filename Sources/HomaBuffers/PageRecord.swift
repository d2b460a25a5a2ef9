// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What the pool knows about the pieces in one bpage; a cache line each, written when the page
/// first becomes owned.
///
/// **The biased count.** The shard that owns a page must count the pieces it hands out without an
/// atomic read-modify-write, yet any thread may return them. So the owner counts what it hands out in
/// its own memory, and `references` starts at `bias`, from which every return subtracts one:
///
///     references == bias − returned              while the page is owned (far above zero)
///     references == handedOut − returned         after the owner subtracted bias − handedOut
///
/// In the first state the owner knows that everything came back when `references == bias − handedOut`.
/// In the second, whoever brings the count to zero frees the page. Returns release and the owner's
/// look acquires, so all use of the pieces happens before the bytes are handed out again.
struct PageRecord {
    /// Above any number of pieces that can be handed out, below overflow.
    static let bias: UInt64 = 1 << 62
    static let stride = cacheLine

    let base: UnsafeMutableRawPointer

    /// The biased count, see above.
    var references: UnsafeMutablePointer<Atomic<UInt64>> { base.word(0) }

    /// The owner's view of the page while its shard is parked. Plain memory: only the one who holds
    /// the page, having published it or taken it from the shard's parking place, touches it.
    var parked: UnsafeMutablePointer<OwnedPage> {
        (base + 8).assumingMemoryBound(to: OwnedPage.self)
    }
}

/// A bpage that a shard packs small pieces into, as its owner sees it.
struct OwnedPage: BitwiseCopyable {
    /// Stands for "no page".
    static let none = UInt32.max

    /// Number of the page, or `none`.
    var page = OwnedPage.none
    /// Bytes left, a multiple of 64; 0 when there is no page.
    var room: UInt32 = 0
    /// Region offset of the next piece.
    var nextOffset: UInt64 = 0
    /// Pieces handed out since the page became owned, returned ones included.
    var handedOut: UInt64 = 0
}
