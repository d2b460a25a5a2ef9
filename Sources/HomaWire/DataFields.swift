// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// What a DATA packet says about the segment of a message that follows its header.
///
/// | bytes | field                      | meaning                                                 |
/// |------:|----------------------------|---------------------------------------------------------|
/// | 0–27  | common                     | ``CommonHeader``; without extensions the sequence (4–7) repeats `offset` |
/// | 28–31 | `messageLength`            | bytes in the whole message, 1…1 000 000                 |
/// | 32–35 | `incoming`                 | bytes the sender will send without further grants, 0…`messageLength` |
/// | 36–45 | `ack`, or `proof`          | ``AckRecord`` of another RPC; or a token, and `unusedDistance` (40–43) |
/// | 46–47 | `cutoffVersion`            | newest CUTOFFS the sender has from the receiver; 0 = none |
/// | 48    | `isRetransmission`         | 1 in an answer to RESEND, else 0                        |
/// | 49, 10 | `remaining`               | extension: ``RemainingTime``, the lower half at 49, the upper at 10 |
/// | 50–51 | `oldestUnfinishedDistance` | extension, 0 from a kernel peer                         |
/// | 52–55 | `offset`                   | place of the segment; 0xFFFFFFFF = it is in sequence    |
/// | 56–   | payload                    | `payloadLength` bytes, at least 1                       |
///
/// HomaModule 9edb958 leaves 0xFFFFFFFF in the last field unless it segments in software, and then the sequence
/// holds the offset of the first segment only; so both are read. The segment offset is always written, and then no
/// receive path of the kernel module looks at the sequence.
@frozen
public struct DataFields: Equatable, Sendable, BitwiseCopyable {
    /// Length of the header in bytes, common part included, payload not.
    @inlinable
    public static var byteCount: Int { 56 }

    /// Bytes in the whole message, 1…``HomaLimits/maximumMessageLength``.
    public var messageLength: UInt32
    /// Bytes from the start of the message that the sender will transmit without further grants. In a
    /// retransmission: the end of the range sent again, which may be less than was said before.
    public var incoming: UInt32
    /// Another RPC that the sender has finished.
    public var ack: AckRecord
    /// The token that the server has given to this client's address, which shows that a request comes from there and
    /// now; 0 when none. An extension. Such a packet acknowledges nothing.
    public var proof: UInt32
    /// With a proof: d says that the client has not yet used the identifier id + 2·d, nor any above.
    public var unusedDistance: UInt32
    /// Version of the newest CUTOFFS the sender has had from the receiver; 0 when none.
    public var cutoffVersion: UInt16
    /// True when the segment is sent because of a RESEND.
    public var isRetransmission: Bool
    /// 0 = not stated; d + 1 = every RPC of this client to this server with an identifier below id − 2·d is finished.
    ///
    /// An extension: read and written as 0 when the header's extension version is 0.
    public var oldestUnfinishedDistance: UInt16
    /// Of a request: how long its client will wait for the response from when this packet left.
    ///
    /// An extension: read and written as unlimited when the header's extension version is 0.
    public var remaining: RemainingTime
    /// Position in the message of the first payload byte.
    public var offset: UInt32
    /// Bytes of the message in this packet. Not on the wire: the length of the packet less that of the header.
    public var payloadLength: UInt32

    @inlinable
    public init(
        messageLength: UInt32, incoming: UInt32, ack: AckRecord = .none, proof: UInt32 = 0, unusedDistance: UInt32 = 0,
        cutoffVersion: UInt16 = 0, isRetransmission: Bool = false, oldestUnfinishedDistance: UInt16 = 0,
        remaining: RemainingTime = .unlimited, offset: UInt32, payloadLength: UInt32
    ) {
        self.messageLength = messageLength
        self.incoming = incoming
        self.ack = ack
        self.proof = proof
        self.unusedDistance = unusedDistance
        self.cutoffVersion = cutoffVersion
        self.isRetransmission = isRetransmission
        self.oldestUnfinishedDistance = oldestUnfinishedDistance
        self.remaining = remaining
        self.offset = offset
        self.payloadLength = payloadLength
    }

    /// Where the payload of a DATA packet of ours begins in its message, of which the beginning is quoted in a report;
    /// nil when the quote ends before it says.
    public static func quotedOffset(in quote: UnsafeRawBufferPointer) -> UInt32? {
        guard quote.count >= byteCount else { return nil }
        return UInt32(bigEndian: quote.loadUnaligned(fromByteOffset: 52, as: UInt32.self))
    }

    /// The client's identifier below which every RPC to this server is finished, for a packet of the RPC `id`.
    ///
    /// Nil when the packet does not state it, or states a distance that reaches past the first identifier.
    @inlinable
    public func oldestUnfinishedID(for id: RPCID) -> RPCID? {
        guard oldestUnfinishedDistance != 0 else { return nil }
        let distance = 2 * (UInt64(oldestUnfinishedDistance) - 1)
        let client = id.clientSide.rawValue
        return client > distance ? RPCID(rawValue: client - distance) : nil
    }
}

extension DataFields {
    /// Reads and checks the fields of a packet at least `byteCount` long.
    @inlinable
    init(parsing packet: RawSpan, extensions: HeaderExtension) throws(WireError) {
        let payload = packet.byteCount - Self.byteCount
        let sequence = packet.bigEndian32(at: 4)
        let segmentOffset = packet.bigEndian32(at: 52)
        messageLength = packet.bigEndian32(at: 28)
        incoming = packet.bigEndian32(at: 32)
        cutoffVersion = packet.bigEndian16(at: 46)
        isRetransmission = packet.byte(at: 48) != 0
        oldestUnfinishedDistance = extensions.version == 0 ? 0 : packet.bigEndian16(at: 50)
        remaining =
            extensions.version == 0
            ? .unlimited : RemainingTime(rawValue: UInt16(packet.byte(at: 10)) << 8 | UInt16(packet.byte(at: 49)))
        offset = segmentOffset == .max && extensions.version == 0 ? sequence : segmentOffset
        payloadLength = UInt32(truncatingIfNeeded: payload)

        guard messageLength != 0 else { throw .messageEmpty }
        guard messageLength <= HomaLimits.maximumMessageLength else { throw .messageTooLong }
        guard payload > 0 else { throw .payloadEmpty }
        guard offset < messageLength else { throw .offsetBeyondMessage }
        guard payload <= messageLength - offset else { throw .payloadBeyondMessage }
        guard incoming <= messageLength else { throw .incomingBeyondMessage }
        if extensions.marks.contains(.proof) {
            proof = packet.bigEndian32(at: 36)
            unusedDistance = packet.bigEndian32(at: 40)
            ack = .none
        } else {
            proof = 0
            unusedDistance = 0
            ack = try AckRecord(parsing: packet, at: 36)
        }
    }

    /// Writes bytes 28–55, and byte 10.
    @inlinable
    func write(to start: UnsafeMutableRawPointer, extensions: HeaderExtension) {
        start.put(messageLength, at: 28)
        start.put(incoming, at: 32)
        if extensions.marks.contains(.proof) {
            start.put(proof, at: 36)
            start.put(unusedDistance, at: 40)
            start.put(0 as UInt16, at: 44)
        } else {
            ack.write(to: start, at: 36)
        }
        start.put(cutoffVersion, at: 46)
        start.put(isRetransmission ? 1 : 0 as UInt8, at: 48)
        let time = extensions.version == 0 ? 0 : remaining.rawValue
        start.put(UInt8(truncatingIfNeeded: time >> 8), at: 10)
        start.put(UInt8(truncatingIfNeeded: time), at: 49)
        start.put(extensions.version == 0 ? 0 : oldestUnfinishedDistance, at: 50)
        start.put(offset, at: 52)
    }
}

extension DataFields: CustomStringConvertible {
    /// Such as `[0, 5) of 5 incoming 5 cutoffs v0`.
    public var description: String {
        var text = "[\(offset), \(UInt64(offset) + UInt64(payloadLength))) of \(messageLength)"
        text += " incoming \(incoming) cutoffs v\(cutoffVersion)"
        if isRetransmission { text += " retransmission" }
        if proof != 0 { text += " proof 0x\(String(proof, radix: 16)) unused +\(2 * UInt64(unusedDistance))" }
        if !ack.isEmpty { text += " ack \(ack)" }
        if oldestUnfinishedDistance != 0 { text += " oldest unfinished −\(2 * (Int(oldestUnfinishedDistance) - 1))" }
        if remaining != .unlimited { text += " within \(remaining)" }
        return text
    }
}
