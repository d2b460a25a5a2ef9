// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// What a GRANT packet says: the receiver lets the sender of a message transmit further.
///
/// | bytes | field      | meaning                                                        |
/// |------:|------------|----------------------------------------------------------------|
/// | 0–27  | common     | ``CommonHeader``                                               |
/// | 28–31 | `offset`   | bytes of the message that may be sent, 1…1 000 000             |
/// | 32    | `priority` | level for the DATA packets this releases, 0…7                  |
@frozen
public struct GrantFields: Equatable, Sendable, BitwiseCopyable {
    /// Length in bytes, common header included.
    @inlinable
    public static var byteCount: Int { 33 }

    /// Exclusive end of the permitted prefix, in bytes from the start of the message. A grant that is overtaken by
    /// another may name less than has been granted already.
    public var offset: UInt32
    /// Network priority, 0…7; larger is more urgent.
    public var priority: UInt8

    @inlinable
    public init(offset: UInt32, priority: UInt8) {
        self.offset = offset
        self.priority = priority
    }
}

extension GrantFields {
    /// Reads and checks the fields of a packet at least `byteCount` long.
    @inlinable
    init(parsing packet: RawSpan) throws(WireError) {
        offset = packet.bigEndian32(at: 28)
        priority = packet.byte(at: 32)
        guard offset != 0 else { throw .grantEmpty }
        guard offset <= HomaLimits.maximumMessageLength else { throw .grantTooFar }
        guard priority < HomaLimits.priorityLevels else { throw .priorityOutOfRange }
    }

    /// Writes bytes 28–32.
    @inlinable
    func write(to start: UnsafeMutableRawPointer) {
        start.put(offset, at: 28)
        start.put(priority, at: 32)
    }
}

extension GrantFields: CustomStringConvertible {
    /// Such as `up to 240000 at priority 3`.
    public var description: String { "up to \(offset) at priority \(priority)" }
}
