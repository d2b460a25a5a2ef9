// SPDX-License-Identifier: Apache-2.0

public import HomaBase

/// A packet without its payload: all that the protocol decides on.
///
/// Parsing takes bytes from anyone and yields either a header whose every field is in its documented range or the
/// reason why not. Writing trusts its caller and checks room only.
@frozen
public struct PacketHeader: Equatable, Sendable, BitwiseCopyable {
    /// Length in bytes of the longest header, that of ACK. Room for it is room for any.
    @inlinable
    public static var maximumByteCount: Int { AckFields.byteCount }

    /// Ports, RPC and extensions. Its `type` follows `body`; do not set it.
    public var common: CommonHeader
    /// What the packet says. Change it through ``replaceBody(_:)`` or ``writeData(_:_:)``, which keep
    /// `common.type`; an observer that did so would cost a copy in every assignment.
    public var body: PacketBody

    /// A header of the type that `body` is for.
    @inlinable
    public init(
        sourcePort: UInt16, destinationPort: UInt16, senderID: RPCID, extensions: HeaderExtension = .none,
        body: PacketBody
    ) {
        common = CommonHeader(
            sourcePort: sourcePort, destinationPort: destinationPort, type: body.type, senderID: senderID,
            extensions: extensions)
        self.body = body
    }

    /// Becomes the header of a DATA packet, without a copy of what a header of any type could hold.
    @inlinable
    public mutating func writeData(_ common: CommonHeader, _ fields: DataFields) {
        assert(common.type == .data, "the type of a header follows its body")
        self.common = common
        body = .data(fields)
    }

    /// Says something else, with the same ports, RPC and extensions.
    @inlinable
    public mutating func replaceBody(_ body: PacketBody) {
        common.type = body.type
        self.body = body
    }

    /// Bytes that `write(into:)` fills: the length of the packet less its payload.
    @inlinable
    public var byteCount: Int { body.type.headerByteCount }
}

extension PacketHeader {
    /// Reads the header of `packet`, which is a whole Homa packet: header and payload, nothing before or after.
    ///
    /// Bytes that follow a control packet's header are ignored, as in HomaModule.
    @inlinable
    public init(parsing packet: RawSpan) throws(WireError) {
        common = try CommonHeader(parsing: packet)
        switch common.type {
        case .data: body = .data(try DataFields(parsing: packet, extensions: common.extensions))
        case .grant: body = .grant(try GrantFields(parsing: packet))
        case .resend: body = .resend(try ResendFields(parsing: packet))
        case .rpcUnknown: body = .rpcUnknown
        case .busy: body = .busy
        case .cutoffs: body = .cutoffs(try CutoffsFields(parsing: packet))
        case .freeze: body = .freeze
        case .needAck: body = .needAck
        case .ack: body = .ack(try AckFields(parsing: packet))
        }
    }

    /// Reads the header of a whole Homa packet that lies in a driver's memory.
    @inlinable
    public static func parse(_ packet: UnsafeRawBufferPointer) throws(WireError) -> PacketHeader {
        try PacketHeader(parsing: packet.bytes)
    }

    /// Writes the header to the front of `buffer`, which need not be zeroed, and returns its length in bytes.
    ///
    /// The payload is not written: it follows right after. `buffer` must have room for ``byteCount`` bytes.
    @inlinable
    @discardableResult
    public func write(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let length = byteCount
        precondition(buffer.count >= length, "no room for the packet header")
        assert(common.type == body.type, "the type of a header follows its body")
        let start = buffer.baseAddress!
        switch body {
        case .data(let fields):
            common.write(to: start, sequence: fields.offset)
            fields.write(to: start, extensions: common.extensions)
            return length
        case .grant(let fields): fields.write(to: start)
        case .resend(let fields): fields.write(to: start)
        case .cutoffs(let fields): fields.write(to: start)
        case .ack(let fields): fields.write(to: start)
        case .rpcUnknown, .busy, .freeze, .needAck: break
        }
        common.write(to: start, sequence: 0)
        return length
    }
}

extension PacketHeader {
    /// Turns the written header of a DATA packet into that of the one that follows in its train: `offset` is where its
    /// payload begins, and it acknowledges nothing.
    @inlinable
    public static func advance(_ header: UnsafeMutableRawPointer, to offset: UInt32) {
        header.put(offset, at: 52)
        AckRecord.none.write(to: header, at: 36)
    }
}

extension PacketHeader: CustomStringConvertible {
    /// One line, such as `DATA 32768→4000 id 2 [0, 5) of 5 incoming 5 cutoffs v0`.
    public var description: String {
        var text = "\(body.type) \(common.sourcePort)→\(common.destinationPort) id \(common.senderID)"
        let fields = body.description
        if !fields.isEmpty { text += " " + fields }
        if common.extensions.version != 0 {
            let fromServer = common.senderID.isServerSide
            text += " \(common.extensions.description(in: body.type, fromServer: fromServer))"
        }
        return text
    }
}
