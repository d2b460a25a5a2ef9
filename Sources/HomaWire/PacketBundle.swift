// SPDX-License-Identifier: Apache-2.0

/// Several packets for one host in one datagram: an extension, for peers whose version says that they know it.
///
/// | bytes | meaning                                                                                    |
/// |------:|--------------------------------------------------------------------------------------------|
/// | 0–3   | ``mark``; a packet begins with its source port, which is never 0                           |
/// | 4–5   | length of the first packet; 0: no more follows, and what is left is padding                |
/// | 6–    | the packet, and right after it the length of the next one, until the datagram ends         |
///
/// Short messages of many lengths cost their hosts a way through the network stack each, which takes longer than all
/// else; in bundles of the same length they leave and arrive as a train.
public enum PacketBundle {
    /// The first four bytes: 0, and the version of this format.
    @inlinable
    public static var mark: UInt32 { 1 }
    /// Bytes before the first length.
    @inlinable
    public static var markByteCount: Int { 4 }
    /// Bytes of each length.
    @inlinable
    public static var lengthByteCount: Int { 2 }

    /// Whether the datagram is a bundle, and not a packet.
    @inlinable
    public static func isBundle(_ datagram: UnsafeRawBufferPointer) -> Bool {
        datagram.count >= markByteCount
            && UInt32(bigEndian: datagram.loadUnaligned(fromByteOffset: 0, as: UInt32.self)) == mark
    }

    /// Writes what precedes the first packet's length.
    @inlinable
    public static func writeMark(to start: UnsafeMutableRawPointer) { start.put(mark, at: 0) }

    /// Writes what precedes a packet.
    @inlinable
    public static func writeLength(_ length: UInt16, to start: UnsafeMutableRawPointer) { start.put(length, at: 0) }

    /// The packet whose length stands at `position`, which moves behind it; nil when there is no more.
    ///
    /// - Parameter position: ``markByteCount`` at first.
    /// - Throws: `bundleEntryCut`.
    @inlinable
    public static func next(
        in bundle: UnsafeRawBufferPointer, at position: inout Int
    ) throws(WireError) -> UnsafeRawBufferPointer? {
        guard position + lengthByteCount <= bundle.count else { return nil }
        let length = Int(UInt16(bigEndian: bundle.loadUnaligned(fromByteOffset: position, as: UInt16.self)))
        guard length > 0 else { return nil }
        let start = position + lengthByteCount
        guard start + length <= bundle.count else { throw .bundleEntryCut }
        position = start + length
        return UnsafeRawBufferPointer(rebasing: bundle[start..<position])
    }
}
