// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import Synchronization

/// Where the bytes of one message lie: whole bpages first, then perhaps a piece of a shared bpage.
///
/// The plain fields are written by the shard before it makes the state live, and then never until
/// the slot is used again, so the holders of the lease read them without synchronisation.
struct LeaseRecord {
    struct Fields: BitwiseCopyable {
        /// Stands for "no piece".
        static let noPiece = UInt64.max

        /// Length of the message in bytes.
        var length: UInt32 = 0
        /// The next slot of the list this free slot is on.
        var next = LeaseTable.endOfList
        /// Bpages that belong to this message alone; all full but possibly the last.
        var pageCount: UInt32 = 0
        /// The shard whose slot this is.
        var home: UInt32
        /// Region offset of the piece that holds the message's end, or `noPiece`.
        var pieceOffset = Fields.noPiece

        init(home: UInt32) { self.home = home }
    }

    let base: UnsafeMutableRawPointer

    /// Generation in the high bits, and in the lowest whether the lease is live.
    @inline(__always)
    var state: UnsafeMutablePointer<Atomic<UInt64>> { base.word(0) }
    @inline(__always)
    var fields: UnsafeMutablePointer<Fields> { (base + 8).assumingMemoryBound(to: Fields.self) }
    /// Numbers of the message's own bpages.
    @inline(__always)
    var pages: UnsafeMutablePointer<UInt32> { (base + 32).assumingMemoryBound(to: UInt32.self) }

    @inline(__always)
    static func live(_ generation: UInt32) -> UInt64 { UInt64(generation) << 1 | 1 }
    @inline(__always)
    static func free(_ generation: UInt32) -> UInt64 { UInt64(generation) << 1 }
    @inline(__always)
    static func generation(_ state: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: state >> 1) }

    /// Bytes from one record to the next: room for the bpages of the longest message, in whole cache lines.
    static func stride(bpageSize: Int) -> Int {
        let mostPages = HomaLimits.maximumMessageLength / bpageSize + 1
        return (32 + mostPages * 4 + cacheLine - 1) / cacheLine * cacheLine
    }
}
