// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// What a RESEND packet says: the receiver of a message misses a part of it, or has heard nothing at all.
///
/// | bytes | field      | meaning                                                        |
/// |------:|------------|----------------------------------------------------------------|
/// | 0–27  | common     | ``CommonHeader``                                               |
/// | 28–31 | `offset`   | first byte wanted, 0…1 000 000                                 |
/// | 32–35 | `length`   | bytes wanted, signed; −1 = everything sent so far              |
/// | 36    | `priority` | level for the DATA packets of the answer, 0…7                  |
@frozen
public struct ResendFields: Equatable, Sendable, BitwiseCopyable {
    /// Length in bytes, common header included.
    @inlinable
    public static var byteCount: Int { 37 }

    /// The `length` that asks for everything sent so far.
    @inlinable
    public static var everything: Int32 { -1 }

    /// Position in the message of the first byte wanted.
    public var offset: UInt32
    /// Bytes wanted, 1…1 000 000 − `offset`, or ``everything``.
    public var length: Int32
    /// Network priority, 0…7; larger is more urgent.
    public var priority: UInt8

    @inlinable
    public init(offset: UInt32, length: Int32, priority: UInt8) {
        self.offset = offset
        self.length = length
        self.priority = priority
    }
}

extension ResendFields {
    /// Reads and checks the fields of a packet at least `byteCount` long.
    @inlinable
    init(parsing packet: RawSpan) throws(WireError) {
        offset = packet.bigEndian32(at: 28)
        length = Int32(bitPattern: packet.bigEndian32(at: 32))
        priority = packet.byte(at: 36)
        guard offset <= HomaLimits.maximumMessageLength else { throw .resendOffsetTooFar }
        guard length != 0 else { throw .resendEmpty }
        guard length >= Self.everything else { throw .resendLengthNegative }
        guard Int64(offset) + Int64(length) <= Int64(HomaLimits.maximumMessageLength) else { throw .resendEndTooFar }
        guard priority < HomaLimits.priorityLevels else { throw .priorityOutOfRange }
    }

    /// Writes bytes 28–36.
    @inlinable
    func write(to start: UnsafeMutableRawPointer) {
        start.put(offset, at: 28)
        start.put(UInt32(bitPattern: length), at: 32)
        start.put(priority, at: 36)
    }
}

extension ResendFields: CustomStringConvertible {
    /// Such as `[1424, 2848) at priority 7`, or `everything from 0 at priority 7`.
    public var description: String {
        let range =
            length == Self.everything
            ? "everything from \(offset)" : "[\(offset), \(Int64(offset) + Int64(length)))"
        return "\(range) at priority \(priority)"
    }
}
