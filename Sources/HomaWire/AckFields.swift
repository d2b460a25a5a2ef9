// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// What an ACK packet says: the server may forget the RPC in its header and those listed here.
///
/// | bytes | field     | meaning                                                           |
/// |------:|-----------|-------------------------------------------------------------------|
/// | 0–27  | common    | ``CommonHeader``                                                  |
/// | 28–29 | `count`   | records in use, 0…5                                               |
/// | 30–79 | `records` | five times ``AckRecord``, all present; those not in use are 0     |
@frozen
public struct AckFields: Sendable, BitwiseCopyable {
    /// Length in bytes, common header included.
    @inlinable
    public static var byteCount: Int { 80 }

    /// Records in use, 0…``HomaLimits/maximumAcksPerPacket``.
    public var count: UInt16
    /// The first `count` are in use, and an empty one among them says nothing. The rest are empty after parsing
    /// and written as empty.
    public var records: InlineArray<5, AckRecord>

    @inlinable
    public init(count: UInt16, records: InlineArray<5, AckRecord>) {
        self.count = count
        self.records = records
    }

    /// Acknowledges nothing beyond the RPC in the header.
    @inlinable
    public init() { self.init(count: 0, records: InlineArray(repeating: .none)) }

    /// Adds a record; at most five fit.
    @inlinable
    public mutating func append(_ record: AckRecord) {
        precondition(count < HomaLimits.maximumAcksPerPacket, "an ACK packet holds five records")
        records[Int(count)] = record
        count += 1
    }
}

extension AckFields: Equatable {
    /// True when the same records are in use in the same order.
    @inlinable
    public static func == (lhs: AckFields, rhs: AckFields) -> Bool {
        guard lhs.count == rhs.count else { return false }
        for index in 0..<min(Int(lhs.count), HomaLimits.maximumAcksPerPacket)
        where lhs.records[index] != rhs.records[index] {
            return false
        }
        return true
    }
}

extension AckFields {
    /// Reads and checks the fields of a packet at least `byteCount` long.
    @inlinable
    init(parsing packet: RawSpan) throws(WireError) {
        count = packet.bigEndian16(at: 28)
        records = InlineArray(repeating: .none)
        guard count <= HomaLimits.maximumAcksPerPacket else { throw .tooManyAcks }
        for index in 0..<Int(count) {
            records[index] = try AckRecord(parsing: packet, at: 30 + AckRecord.byteCount * index)
        }
    }

    /// Writes bytes 28–79. The caller has checked `count`.
    @inlinable
    func write(to start: UnsafeMutableRawPointer) {
        start.put(count, at: 28)
        for index in 0..<HomaLimits.maximumAcksPerPacket {
            let record = index < count ? records[index] : .none
            record.write(to: start, at: 30 + AckRecord.byteCount * index)
        }
    }
}

extension AckFields: CustomStringConvertible {
    /// Such as `and 4 at port 4000, 6 at port 99`; empty when nothing is listed.
    public var description: String {
        var text = ""
        for index in 0..<min(Int(count), HomaLimits.maximumAcksPerPacket) {
            text += (index == 0 ? "and " : ", ") + records[index].description
        }
        return text
    }
}
