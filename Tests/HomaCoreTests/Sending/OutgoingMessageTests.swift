// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Outgoing messages")
struct OutgoingMessageTests {
    static func message(length: UInt32, unscheduled: UInt32, segment: UInt32) -> OutgoingMessage {
        var message = OutgoingMessage()
        message.length = length
        message.unscheduled = min(length, unscheduled)
        message.granted = message.unscheduled
        message.segment = segment
        return message
    }

    /// Every packet of a message, in order.
    static func packets(_ message: OutgoingMessage) -> [Range<UInt32>] {
        var result: [Range<UInt32>] = []
        var offset: UInt32 = 0
        while offset < message.length {
            let packet = message.packet(startingAt: offset, atMost: .max)
            result.append(packet)
            offset = packet.upperBound
        }
        return result
    }

    @Test(
        "packets cover the message, with a boundary at the unscheduled limit",
        arguments: [
            (1, 1000, 100), (100, 1000, 100), (101, 1000, 100), (5000, 1000, 100), (5000, 1050, 100), (5000, 1, 100),
            (1_000_000, 40_000, 1416), (1_000_000, 60_888, 1416), (39_999, 40_000, 1416), (40_001, 40_000, 1416),
        ] as [(UInt32, UInt32, UInt32)])
    func geometry(length: UInt32, unscheduled: UInt32, segment: UInt32) {
        let message = Self.message(length: length, unscheduled: unscheduled, segment: segment)
        let packets = Self.packets(message)
        #expect(packets.first?.lowerBound == 0 && packets.last?.upperBound == length)
        #expect(zip(packets, packets.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        #expect(packets.allSatisfy { !$0.isEmpty && $0.count <= Int(segment) })
        #expect(packets.contains { $0.upperBound == min(length, unscheduled) })
        // Any byte is found in the packet that carried it.
        for packet in packets {
            for byte in [packet.lowerBound, packet.upperBound - 1, (packet.lowerBound + packet.upperBound) / 2] {
                #expect(message.packet(containing: min(byte, packet.upperBound - 1)) == packet)
            }
        }
    }

    @Test("the unscheduled limit is whole packets when the configuration says so")
    func unscheduledLimit() {
        func limit(_ tuning: Tuning, _ length: UInt32) -> UInt32 {
            tuning.unscheduledLimit(length: length, segment: 1416, unscheduled: tuning.unscheduledBytes)
        }
        let ours = Tuning(.default)
        #expect(limit(ours, 1_000_000) == 60_888)
        #expect(limit(ours, 500) == 500)
        let kernel = Tuning(.linux2026)
        #expect(limit(kernel, 1_000_000) == 40_000)
        #expect(limit(kernel, 39_000) == 39_000)
    }

    /// Method: a call is transmitted and then asked for again with random RESENDs.
    /// Property: every packet sent again is one of the packets sent at first, byte for byte.
    @Test("packets sent again have the boundaries of the first time", arguments: 0..<40 as Range<UInt64>)
    func sameBoundaries(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var configuration: EndpointConfiguration = seed % 2 == 0 ? .small : .linux2026
        configuration.maximumRPCs = 16
        configuration.maximumPeers = 16
        configuration.linkRate = nil
        configuration.maximumPacketBytes = Int.random(in: 200...3000, using: &random)
        let host = try LoneHost(configuration)
        let length = Int.random(in: 1...200_000, using: &random)
        try host.call(length: length)
        host.receive(.grant(GrantFields(offset: UInt32(length), priority: 2)), id: 1001, from: LoneHost.server)
        // The path turns out to be wider: the message keeps its packets. A narrower one is another matter
        // (`NarrowPathTests`).
        host.endpoint.setMaximumPacket(bytes: 9000, for: LoneHost.server)
        let first = host.sent().map { $0.payloadOffset..<$0.payloadOffset + $0.payloadLength }
        #expect(first.last?.upperBound == length)
        for _ in 0..<20 {
            let offset = Int.random(in: 0..<length, using: &random)
            let count = Int.random(in: 1...(length - offset), using: &random)
            host.receive(
                .resend(ResendFields(offset: UInt32(offset), length: Int32(count), priority: 3)), id: 1001,
                from: LoneHost.server)
            let again = host.sent()
            let ranges = again.map { $0.payloadOffset..<$0.payloadOffset + $0.payloadLength }
            #expect(ranges == first.filter { $0.overlaps(offset..<offset + count) })
            #expect(again.allSatisfy { $0.priority == 3 })
            for packet in again {
                guard case .data(let data) = packet.header.body else { continue }
                #expect(data.isRetransmission && Int(data.incoming) >= packet.payloadOffset + packet.payloadLength)
            }
        }
    }

    /// Method: random grants at random levels while bytes leave; an array knows the level of each byte.
    @Test("bytes leave at the level of the grant that released them", arguments: seeds(0..<40))
    func levels(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var levels = GrantedLevels()
        var expected: [UInt8] = []
        var next = 0
        var waiting: [Int] = []
        for _ in 0..<200 {
            waiting.removeAll { $0 <= next }
            if waiting.count < 3, Bool.random(using: &random) {
                let level = UInt8.random(in: 0...7, using: &random)
                let start = expected.count
                levels.grant(from: UInt32(start), at: level, next: UInt32(next))
                expected += Array(repeating: level, count: Int.random(in: 1...20, using: &random))
                waiting.append(start)
            } else if next < expected.count {
                #expect(levels.level(at: UInt32(next)) == expected[next])
                let end = Int(min(levels.end(after: UInt32(next)), UInt32(expected.count)))
                #expect(expected[next..<end].allSatisfy { $0 == expected[next] })
                next += Int.random(in: 1...min(5, expected.count - next), using: &random)
            }
        }
    }
}
