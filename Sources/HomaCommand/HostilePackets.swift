// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Packets that no honest sender sends: noise, impossible fields, valid packets with a few bits changed, and bundles of
/// all of these.
struct HostilePackets {
    private var random: SeededRandom
    private let port: UInt16
    private var lastID: UInt64 = 1

    /// - Parameter port: the Homa port under attack.
    init(seed: UInt64, port: UInt16) {
        random = SeededRandom(seed: seed)
        self.port = port
    }

    mutating func next() -> [UInt8] {
        Int.random(in: 0..<8, using: &random) == 0 ? bundle() : single()
    }

    private mutating func single() -> [UInt8] {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return noise()
        case 1...4: return mutated(plausible())
        default: return plausible()
        }
    }

    /// Up to five packets in one datagram; half of the lengths are right.
    private mutating func bundle() -> [UInt8] {
        var bundle: [UInt8] = [0, 0, 0, 1]
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            let packet = single().prefix(280)
            let wrong = UInt16.random(in: 0...UInt16.max, using: &random) >> UInt16.random(in: 0...15, using: &random)
            let length = Bool.random(using: &random) ? UInt16(packet.count) : wrong
            bundle += [UInt8(length >> 8), UInt8(length & 255)] + packet
        }
        return bundle
    }

    private mutating func noise() -> [UInt8] {
        let count = Int.random(in: 0...1472, using: &random)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    private mutating func mutated(_ packet: [UInt8]) -> [UInt8] {
        var packet = packet
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            // Mostly in the header, where it hurts.
            let place = Int.random(in: 0..<min(packet.count, 64), using: &random)
            packet[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
        return Bool.random(using: &random)
            ? packet : Array(packet.prefix(Int.random(in: 0...packet.count, using: &random)))
    }

    /// A packet that passes the parser: first packets of requests that never go on, and control packets
    /// about RPCs that do not exist.
    private mutating func plausible() -> [UInt8] {
        let payload = Int.random(in: 1...1416, using: &random)
        let isServer = Bool.random(using: &random)
        // Rising identifiers: with random ones, most requests would lie below those that ended, and be refused.
        lastID += 1
        let header = PacketHeader(
            sourcePort: UInt16.random(in: 0x8000...0xFFFF, using: &random), destinationPort: port,
            senderID: RPCID(rawValue: lastID << 1 | (isServer ? 1 : 0)),
            extensions: HeaderExtension(), body: body(payload: payload, isServer: isServer))
        var carried = 0
        if case .data = header.body { carried = payload }
        var packet = [UInt8](repeating: 0, count: header.byteCount + carried)
        packet.withUnsafeMutableBytes { _ = header.write(into: $0) }
        return packet
    }

    private mutating func body(payload: Int, isServer: Bool) -> PacketBody {
        let priority = UInt8.random(in: 0...7, using: &random)
        let offset = UInt32.random(in: 1...900_000, using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return .grant(GrantFields(offset: offset, priority: priority))
        case 1: return .resend(ResendFields(offset: offset, length: ResendFields.everything, priority: priority))
        case 2: return .rpcUnknown
        case 3: return .busy
        case 4: return isServer ? .needAck : .ack(AckFields())
        case 5: return .freeze
        default:
            let length = UInt32.random(in: UInt32(payload)...1_000_000, using: &random)
            let start = UInt32.random(in: 0...length - UInt32(payload), using: &random)
            return .data(
                DataFields(
                    messageLength: length, incoming: UInt32.random(in: 1...length, using: &random), ack: .none,
                    cutoffVersion: UInt16(truncatingIfNeeded: random.next()), isRetransmission: false,
                    oldestUnfinishedDistance: 0, offset: start, payloadLength: UInt32(payload)))
        }
    }
}
