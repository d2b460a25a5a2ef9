// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Packets that no honest host sends: noise, first packets that claim much, grants and RESENDs about anything, packets
/// with flipped bits, and bundles of all of these. It remembers what it began, so that later packets go on with it.
struct PacketForge {
    /// Where the odds lie.
    enum Style {
        /// Whatever a stranger may send, about RPCs of its own.
        case stranger
        /// About any of `ids`, from either side.
        case about
    }

    var random: SeededRandom
    /// Client identifiers worth naming.
    var ids: [UInt64] = []
    private var nextID: UInt64 = 2
    private static var mostIDs: Int { 64 }
    static let serverPort: UInt16 = 99
    static let clientPort: UInt16 = 0x8000

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func packet(_ style: Style) -> [UInt8] {
        let choice = random.nextUnit()
        if choice < 0.02 { return noise() }
        if choice < 0.05 { return bundle(style) }
        let packet = plausible(style)
        return choice < 0.2 ? mutated(packet) : packet
    }

    mutating func noise() -> [UInt8] {
        let count = Int.random(in: 0...200, using: &random)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// Up to five packets in one datagram; half of the lengths are right.
    mutating func bundle(_ style: Style) -> [UInt8] {
        var bundle: [UInt8] = [0, 0, 0, 1]
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            let packet = plausible(style).prefix(280)
            let wrong = UInt16.random(in: 0...UInt16.max, using: &random) >> UInt16.random(in: 0...15, using: &random)
            let length = random.nextUnit() < 0.5 ? UInt16(packet.count) : wrong
            bundle += [UInt8(length >> 8), UInt8(length & 255)] + packet
        }
        return bundle
    }

    /// A few bits flipped, or cut short. Over UDP this is a sender's doing and not the network's: the checksum covers
    /// the addresses, the ports, the length and every byte of the datagram, so what was damaged on its way is never
    /// seen. That is why packets of honest hosts arrive whole or not at all.
    mutating func mutated(_ packet: [UInt8]) -> [UInt8] {
        guard !packet.isEmpty else { return packet }
        var packet = packet
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            // Mostly in the header, where it hurts.
            let place = Int.random(in: 0..<min(packet.count, 64), using: &random)
            packet[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
        return random.nextUnit() < 0.5
            ? packet : Array(packet.prefix(Int.random(in: 0...packet.count, using: &random)))
    }

    /// A packet that passes the parser.
    mutating func plausible(_ style: Style) -> [UInt8] {
        let choice = Int.random(in: 0..<16, using: &random)
        var id = anyID(isNew: choice >= 9 && style == .stranger && random.nextUnit() < 0.7)
        if style == .about, random.nextUnit() < 0.4 { id |= 1 }
        let body = body(choice)
        if case .needAck = body { id |= 1 }
        if case .ack = body, random.nextUnit() < 0.8 { id &= ~1 }
        var extensions = HeaderExtension(
            version: UInt8.random(in: 0...2, using: &random), marks: [],
            tag: UInt64.random(in: 0...3, using: &random) << UInt64([0, 32].randomElement(using: &random)!))
        if random.nextUnit() < 0.3 { extensions.marks = .init(rawValue: UInt8.random(in: 0...127, using: &random)) }
        if case .ack = body, id & 1 == 1, extensions.version == 0 { extensions.version = 2 }
        let ports = id & 1 == 0 ? (Self.clientPort, Self.serverPort) : (Self.serverPort, Self.clientPort)
        let header = PacketHeader(
            sourcePort: random.nextUnit() < 0.05 ? 7 : ports.0, destinationPort: ports.1,
            senderID: RPCID(rawValue: id), extensions: extensions, body: body)
        var carried = 0
        if case .data(let data) = header.body { carried = Int(data.payloadLength) }
        var packet = [UInt8](repeating: 0xEE, count: header.byteCount + carried)
        packet.withUnsafeMutableBytes { _ = header.write(into: $0) }
        return packet
    }

    private mutating func anyID(isNew: Bool) -> UInt64 {
        if random.nextUnit() < 0.02 { return UInt64.max - UInt64.random(in: 0...100, using: &random) * 2 - 1 }
        if !isNew, let known = ids.randomElement(using: &random) { return known & ~1 }
        nextID += UInt64.random(in: 1...3, using: &random) * 2
        if ids.count < Self.mostIDs {
            ids.append(nextID)
        } else {
            ids[Int.random(in: 0..<ids.count, using: &random)] = nextID
        }
        return nextID
    }

    private mutating func body(_ choice: Int) -> PacketBody {
        let priority = UInt8.random(in: 0...7, using: &random)
        switch choice {
        case 0, 1:
            return .grant(GrantFields(offset: UInt32.random(in: 1...1_000_000, using: &random), priority: priority))
        case 2: return .resend(ResendFields(offset: 0, length: ResendFields.everything, priority: priority))
        case 3:
            let offset = UInt32.random(in: 0...500_000, using: &random)
            let length = Int32.random(in: 1...500_000, using: &random)
            return .resend(ResendFields(offset: offset, length: length, priority: priority))
        case 4: return .rpcUnknown
        case 5: return .busy
        case 6: return .needAck
        case 7: return .ack(acks())
        case 8:
            if random.nextUnit() < 0.2 { return .freeze }
            var cutoffs = InlineArray<8, UInt32>(repeating: 0)
            cutoffs[Int.random(in: 0..<8, using: &random)] = UInt32.random(in: 0...1_000_000, using: &random)
            return .cutoffs(CutoffsFields(cutoffs: cutoffs, version: UInt16.random(in: 0...3, using: &random)))
        default: return .data(data())
        }
    }

    private mutating func acks() -> AckFields {
        var fields = AckFields()
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            let id = (ids.randomElement(using: &random) ?? 2) & ~1
            fields.append(AckRecord(clientID: RPCID(rawValue: max(2, id)), serverPort: Self.serverPort))
        }
        return fields
    }

    private mutating func data() -> DataFields {
        let ranges = [1...10, 1_000...5_000, 60_000...1_000_000, 999_999...1_000_000]
        let length = UInt32(ranges.randomElement(using: &random)!.randomElement(using: &random)!)
        let offset = random.nextUnit() < 0.7 ? 0 : UInt32.random(in: 0..<length, using: &random)
        let count = UInt32.random(in: 1...min(1_416, length - offset), using: &random)
        return DataFields(
            messageLength: length, incoming: UInt32.random(in: 0...length, using: &random),
            ack: random.nextUnit() < 0.2 ? acks().records[0] : .none,
            cutoffVersion: UInt16.random(in: 0...2, using: &random),
            isRetransmission: random.nextUnit() < 0.2,
            oldestUnfinishedDistance: [0, 0, 1, 9, 65_535].randomElement(using: &random)!,
            remaining: random.nextUnit() < 0.3
                ? RemainingTime(rawValue: UInt16.random(in: 0 ... .max, using: &random)) : .unlimited, offset: offset,
            payloadLength: count)
    }
}
