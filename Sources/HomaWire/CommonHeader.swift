// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// The 28 bytes every packet starts with; all that RPC_UNKNOWN, BUSY, FREEZE and NEED_ACK consist of.
///
/// | bytes | field             | meaning                                                     |
/// |------:|-------------------|-------------------------------------------------------------|
/// | 0–1   | `sourcePort`      | sender's Homa port, 1…65535                                 |
/// | 2–3   | `destinationPort` | receiver's Homa port, 1…65535                               |
/// | 4–7   | sequence          | the tag of ``HeaderExtension``; without, the offset of DATA |
/// | 8–10  | `extensions`      | ``HeaderExtension``; 0 from a kernel peer                   |
/// | 11    | `type`            | ``PacketType``, 0x10…0x18                                   |
/// | 12    | doff              | 0xE0 in DATA, 0x50 in all others; not read                  |
/// | 13    | flags             | 6; not read                                                 |
/// | 14–17 | window, checksum  | the tag's second half; without extensions 0 and not read    |
/// | 18–19 | urgent            | 0xB97D; not read                                            |
/// | 20–27 | `senderID`        | the RPC as its sender knows it: even from a client, odd from a server, never 0 or 1 |
///
/// The first 20 bytes are shaped like a TCP header, so that network cards may treat them as one.
/// Values of the unread fields are those of HomaModule 9edb958.
@frozen
public struct CommonHeader: Equatable, Sendable, BitwiseCopyable {
    /// Length in bytes.
    @inlinable
    public static var byteCount: Int { 28 }

    /// Sender's Homa port; not 0.
    public var sourcePort: UInt16
    /// Receiver's Homa port; not 0.
    public var destinationPort: UInt16
    /// What the packet is for.
    public var type: PacketType
    /// Where the RPC's identifier stands in every packet.
    @inlinable
    public static var senderIDOffset: Int { 20 }

    /// The RPC's identifier at the sender; `senderID.peer` names it here. Never 0 or 1.
    public var senderID: RPCID
    /// What a peer of our own kind adds.
    public var extensions: HeaderExtension

    @inlinable
    public init(
        sourcePort: UInt16, destinationPort: UInt16, type: PacketType, senderID: RPCID,
        extensions: HeaderExtension = .none
    ) {
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.type = type
        self.senderID = senderID
        self.extensions = extensions
    }
}

extension CommonHeader {
    /// Reads the common header of a whole packet, without its other fields: enough to choose who handles it.
    ///
    /// Also checks that the packet is long enough for its type and comes from the side that may send it.
    @inlinable
    public init(parsing packet: RawSpan) throws(WireError) {
        guard packet.byteCount >= Self.byteCount else { throw .shorterThanCommonHeader }
        guard let type = PacketType(rawValue: packet.byte(at: 11)) else { throw .unknownType }
        guard packet.byteCount >= type.headerByteCount else { throw .shorterThanTypeHeader }
        self.type = type
        sourcePort = packet.bigEndian16(at: 0)
        destinationPort = packet.bigEndian16(at: 2)
        senderID = RPCID(rawValue: packet.bigEndian64(at: Self.senderIDOffset))
        extensions = HeaderExtension(parsing: packet)

        guard sourcePort != 0 else { throw .sourcePortZero }
        guard destinationPort != 0 else { throw .destinationPortZero }
        guard senderID.clientSide.rawValue != 0 else { throw .idZero }
        if type == .needAck && !senderID.isServerSide { throw .needAckFromClient }
        // Only a peer of our own kind acknowledges messages that want no response.
        if type == .ack && senderID.isServerSide && extensions.version == 0 { throw .ackFromServer }
    }

    /// Writes all 28 bytes. `sequence` is the offset of a DATA packet's payload, 0 for the other types; it is written
    /// where there are no extensions.
    @inlinable
    func write(to start: UnsafeMutableRawPointer, sequence: UInt32) {
        start.put(sourcePort, at: 0)
        start.put(destinationPort, at: 2)
        extensions.write(to: start, sequence: sequence)
        start.put(type.rawValue, at: 11)
        start.put(type == .data ? 0xE0 : 0x50 as UInt8, at: 12)
        start.put(6 as UInt8, at: 13)
        start.put(0xB97D as UInt16, at: 18)
        start.put(senderID.rawValue, at: Self.senderIDOffset)
    }
}
