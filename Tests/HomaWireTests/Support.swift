// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

/// The bytes written in hexadecimal, two digits each, blanks and line ends between them.
func bytes(_ hexadecimal: String) -> [UInt8] {
    hexadecimal.split(whereSeparator: \.isWhitespace).map { UInt8($0, radix: 16)! }
}

/// What `header` looks like on the wire, written over memory that was not zero before.
func encoded(_ header: PacketHeader, payload: [UInt8] = []) -> [UInt8] {
    var packet = [UInt8](repeating: 0xAA, count: PacketHeader.maximumByteCount)
    let length = packet.withUnsafeMutableBytes { header.write(into: $0) }
    return packet[..<length] + payload
}

func parsed(_ packet: [UInt8]) throws(WireError) -> PacketHeader {
    try PacketHeader(parsing: packet.span.bytes)
}

/// Why `packet` is refused, or nil when it is accepted.
func refusal(_ packet: [UInt8]) -> WireError? {
    do throws(WireError) {
        _ = try parsed(packet)
        return nil
    } catch {
        return error
    }
}

extension Array where Element == UInt8 {
    /// A copy with `replacement` from `offset` on.
    func replacing(at offset: Int, with replacement: [UInt8]) -> [UInt8] {
        var copy = self
        copy.replaceSubrange(offset..<offset + replacement.count, with: replacement)
        return copy
    }

    /// A copy with the four bytes of `value`, most significant first, from `offset` on.
    func replacing32(at offset: Int, with value: UInt32) -> [UInt8] {
        replacing(at: offset, with: (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) })
    }
}

/// One valid packet of each type, as HomaModule would send it.
enum Sample {
    static func client(_ body: PacketBody) -> PacketHeader {
        PacketHeader(sourcePort: 0x8000, destinationPort: 4000, senderID: RPCID(rawValue: 2), body: body)
    }

    static func server(_ body: PacketBody, extensions: HeaderExtension = .none) -> PacketHeader {
        PacketHeader(
            sourcePort: 4000, destinationPort: 0x8000, senderID: RPCID(rawValue: 3), extensions: extensions, body: body)
    }

    static let cutoffs = CutoffsFields(cutoffs: [0, 0, 0, 0, 1_000_000, 15_000, 2_800, 200], version: 1)

    static var acks: AckFields {
        var fields = AckFields()
        fields.append(AckRecord(clientID: RPCID(rawValue: 4), serverPort: 4000))
        return fields
    }

    static var data: [UInt8] {
        encoded(
            client(.data(DataFields(messageLength: 5, incoming: 5, offset: 0, payloadLength: 5))),
            payload: Array("hello".utf8))
    }
    static var grant: [UInt8] { encoded(server(.grant(GrantFields(offset: 240_000, priority: 3)))) }
    static var resend: [UInt8] {
        encoded(client(.resend(ResendFields(offset: 0, length: ResendFields.everything, priority: 7))))
    }
    static var rpcUnknown: [UInt8] { encoded(server(.rpcUnknown)) }
    static var busy: [UInt8] { encoded(server(.busy)) }
    static var cutoffsPacket: [UInt8] { encoded(server(.cutoffs(cutoffs))) }
    static var freeze: [UInt8] { encoded(client(.freeze)) }
    static var needAck: [UInt8] { encoded(server(.needAck)) }
    static var ack: [UInt8] { encoded(client(.ack(acks))) }

    static func packet(_ type: PacketType) -> [UInt8] {
        switch type {
        case .data: data
        case .grant: grant
        case .resend: resend
        case .rpcUnknown: rpcUnknown
        case .busy: busy
        case .cutoffs: cutoffsPacket
        case .freeze: freeze
        case .needAck: needAck
        case .ack: ack
        }
    }
}

extension SeededRandom {
    /// Any header that parsing can yield.
    mutating func header() -> PacketHeader {
        let body = body()
        var id = UInt64.random(in: 2 ... .max, using: &self)
        if body.type == .needAck { id |= 1 }
        var extensions = HeaderExtension.none
        if Bool.random(using: &self) {
            extensions = HeaderExtension(
                version: .random(in: 1...255, using: &self), marks: .init(rawValue: .random(in: 0...255, using: &self)),
                tag: .random(in: 0 ... .max, using: &self))
        }
        if body.type == .ack && extensions.version == 0 { id &= ~1 }
        var header = PacketHeader(
            sourcePort: .random(in: 1 ... .max, using: &self), destinationPort: .random(in: 1 ... .max, using: &self),
            senderID: RPCID(rawValue: id), extensions: extensions, body: body)
        if case .data(var fields) = body {
            if extensions.version == 0 {
                fields.oldestUnfinishedDistance = 0
                fields.remaining = .unlimited
            }
            if extensions.marks.contains(.proof) {
                fields.ack = .none
                fields.proof = .random(in: 0 ... .max, using: &self)
            }
            header.replaceBody(.data(fields))
        }
        return header
    }

    private mutating func body() -> PacketBody {
        switch PacketType.allCases.randomElement(using: &self)! {
        case .data: .data(dataFields())
        case .grant:
            .grant(
                GrantFields(
                    offset: .random(in: 1...1_000_000, using: &self), priority: .random(in: 0...7, using: &self)))
        case .resend: .resend(resendFields())
        case .rpcUnknown: .rpcUnknown
        case .busy: .busy
        case .cutoffs: .cutoffs(cutoffsFields())
        case .freeze: .freeze
        case .needAck: .needAck
        case .ack: .ack(ackFields())
        }
    }

    private mutating func dataFields() -> DataFields {
        let length = UInt32.random(in: 1...1_000_000, using: &self)
        let offset = UInt32.random(in: 0..<length, using: &self)
        return DataFields(
            messageLength: length, incoming: .random(in: 0...length, using: &self), ack: ackRecord(),
            cutoffVersion: .random(in: 0 ... .max, using: &self), isRetransmission: .random(using: &self),
            oldestUnfinishedDistance: .random(in: 0 ... .max, using: &self),
            remaining: RemainingTime(rawValue: .random(in: 0 ... .max, using: &self)), offset: offset,
            payloadLength: .random(in: 1...min(length - offset, 1500), using: &self))
    }

    private mutating func resendFields() -> ResendFields {
        let offset = UInt32.random(in: 0..<1_000_000, using: &self)
        let length =
            Bool.random(using: &self)
            ? ResendFields.everything : Int32.random(in: 1...1_000_000 - Int32(offset), using: &self)
        return ResendFields(offset: offset, length: length, priority: .random(in: 0...7, using: &self))
    }

    private mutating func cutoffsFields() -> CutoffsFields {
        var cutoffs = InlineArray<8, UInt32>(repeating: 0)
        cutoffs[0] = .random(in: 0 ... .max, using: &self)
        var bound = UInt32(Int32.max)
        for level in 1..<8 where Bool.random(using: &self) {
            bound = .random(in: min(1, bound)...bound, using: &self)
            cutoffs[level] = bound
        }
        return CutoffsFields(cutoffs: cutoffs, version: .random(in: 0 ... .max, using: &self))
    }

    private mutating func ackFields() -> AckFields {
        var fields = AckFields()
        for _ in 0..<Int.random(in: 0...5, using: &self) { fields.append(ackRecord()) }
        return fields
    }

    private mutating func ackRecord() -> AckRecord {
        guard Bool.random(using: &self) else { return .none }
        return AckRecord(
            clientID: RPCID(rawValue: .random(in: 2 ... .max, using: &self)).clientSide,
            serverPort: .random(in: 1 ... .max, using: &self))
    }
}

/// Fails the test unless every field of an accepted packet of `byteCount` bytes is in its documented range.
func expectDocumentedRanges(_ header: PacketHeader, byteCount: Int) {
    let common = header.common
    let isAboutAnRPC = common.senderID.rawValue > 1 && common.sourcePort != 0 && common.destinationPort != 0
    let hasCanonicalExtensions = common.extensions.version != 0 || common.extensions == .none
    var holds = isAboutAnRPC && hasCanonicalExtensions && common.type == header.body.type
    holds = holds && header.byteCount <= byteCount
    switch header.body {
    case .data(let fields):
        holds = holds && 1...1_000_000 ~= fields.messageLength && fields.incoming <= fields.messageLength
        holds = holds && fields.payloadLength >= 1 && Int(fields.payloadLength) == byteCount - 56
        holds = holds && Int(fields.offset) + Int(fields.payloadLength) <= Int(fields.messageLength)
        holds = holds && isSound(fields.ack)
        holds = holds && (common.extensions.version != 0 || fields.oldestUnfinishedDistance == 0)
        holds = holds && (common.extensions.version != 0 || fields.remaining == .unlimited)
    case .grant(let fields):
        holds = holds && 1...1_000_000 ~= fields.offset && fields.priority <= 7
    case .resend(let fields):
        let length = Int(fields.length)
        holds = holds && fields.priority <= 7 && fields.offset <= 1_000_000
        holds = holds && (length == -1 || (length > 0 && Int(fields.offset) + length <= 1_000_000))
    case .cutoffs(let fields):
        let used = (1..<8).map { fields.cutoffs[$0] }.filter { $0 != 0 }
        holds = holds && used == used.sorted(by: >) && used.allSatisfy { $0 <= Int32.max }
    case .needAck: holds = holds && common.senderID.isServerSide
    case .ack(let fields):
        holds = holds && (!common.senderID.isServerSide || common.extensions.version != 0) && fields.count <= 5
        for index in 0..<5 {
            holds = holds && isSound(fields.records[index]) && (index < fields.count || fields.records[index].isEmpty)
        }
    case .rpcUnknown, .busy, .freeze: break
    }
    #expect(holds, "accepted \(header)")
}

private func isSound(_ record: AckRecord) -> Bool {
    record == .none || (!record.isEmpty && !record.clientID.isServerSide && record.serverPort != 0)
}
