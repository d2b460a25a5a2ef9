// SPDX-License-Identifier: Apache-2.0

/// DCTCP's estimate of how many of its bytes are marked (RFC 8257, 3.3), and its right to one reduction per window.
struct MarkedFraction: BitwiseCopyable {
    /// Alpha: 1 at first, so that the first mark halves the window.
    private(set) var fraction = 1.0
    private var bytes = 0
    private var markedBytes = 0
    /// The window observed ends with this byte.
    private var windowEnd: UInt64 = 0
    /// Marks of bytes before this one have been reacted to.
    private var reducedUntil: UInt64 = 0

    @inline(__always)
    mutating func add(
        _ isMarked: Bool, bytes acknowledged: Int, before acknowledgement: UInt64, next: UInt64, gain: Double
    ) {
        bytes += acknowledged
        if isMarked { markedBytes += acknowledged }
        guard acknowledgement > windowEnd else { return }
        if bytes > 0 { fraction += gain * (Double(markedBytes) / Double(bytes) - fraction) }
        bytes = 0
        markedBytes = 0
        windowEnd = next
    }

    /// Whether a mark on bytes up to `acknowledgement` is the first since the last reduction took effect.
    mutating func mayReduce(_ acknowledgement: UInt64, next: UInt64) -> Bool {
        guard acknowledgement > reducedUntil else { return false }
        reducedUntil = next
        return true
    }
}
