// SPDX-License-Identifier: Apache-2.0

/// Bytes `start` to before `end` of a stream. Streams begin at 0 and their numbers never wrap.
struct ByteRange: BitwiseCopyable, Equatable {
    var start: UInt64
    var end: UInt64

    var count: Int { Int(end - start) }
}

/// What a TCP packet carries beside what the network knows of it: data, or an acknowledgement, never both.
struct TCPSegment: BitwiseCopyable {
    /// Blocks in an acknowledgement: as many as fit beside the options that Linux sends.
    static let blockLimit = 3

    var connection: UInt32
    /// Of the acknowledgement.
    var blockCount: UInt8 = 0
    var isAcknowledgement: Bool
    /// The acknowledgement echoes congestion marks.
    var echoesMarks = false
    /// It answers data that had come before (RFC 2883).
    var reportsDuplicate = false
    /// How many segments the connection had sent before this one; in an acknowledgement: the greatest such number
    /// that has arrived. Not on the wire, but every sender knows it, as it keeps when it has sent what is reported.
    var order: UInt32
    /// First byte of data, or the next byte that the receiver expects.
    var sequence: UInt64
    /// What the receiver has beyond that, the latest first (RFC 2018).
    var blocks = InlineArray<3, ByteRange>(repeating: ByteRange(start: 0, end: 0))

    /// Of an acknowledgement: options padded to 4 bytes, in the shortest Ethernet frame or a longer one.
    var acknowledgementWireBytes: Int {
        let reported = Int(blockCount) + (reportsDuplicate ? 1 : 0)
        let options = reported > 0 ? 4 + 8 * reported : 0
        return max(FrameFormat.tcp.minimumWireBytes, FrameFormat.tcp.dataOverheadBytes + options)
    }
}
