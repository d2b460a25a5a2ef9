// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Trains are nothing but a cheaper way to the same packets.
@Suite("Trains of packets")
struct TrainTests {
    /// The packets of a call's request and everything else that leaves until nothing more may, as bytes.
    ///
    /// `limit` 0 takes every packet alone.
    private static func packets(
        of lengths: [Int], limit: Int, grants: [UInt32] = [], acknowledged: Int = 0,
        _ configuration: EndpointConfiguration = .small
    ) throws -> [[UInt8]] {
        let host = try LoneHost(configuration)
        for _ in 0..<acknowledged {
            try host.call(length: 10)
            let id = try #require(host.sent().last).header.common.senderID.rawValue
            host.data(0..<10, of: 10, id: id ^ 1, from: LoneHost.server)
        }
        for (index, length) in lengths.enumerated() {
            _ = try host.endpoint.call(
                CallRequest(
                    destination: LoneHost.server, serverPort: 99, clientPort: 0x8000, length: length,
                    payload: UInt64(index), cookie: UInt64(index), deadline: .distantFuture), at: host.now)
        }
        var result = take(host, limit: limit)
        for grant in grants {
            let first = result[0]
            let id = first[20..<28].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let header = PacketHeader(
                sourcePort: 99, destinationPort: 0x8000, senderID: RPCID(rawValue: id ^ 1), extensions: LoneHost.ours,
                body: .grant(GrantFields(offset: grant, priority: 2)))
            _ = host.endpoint.receive(header, from: LoneHost.server, at: host.now)
            result += take(host, limit: limit)
        }
        return result
    }

    private static func take(_ host: LoneHost, limit: Int) -> [[UInt8]] {
        var result: [[UInt8]] = []
        withUnsafeTemporaryAllocation(of: OutgoingPacket.self, capacity: 1) { place in
            let packet = place.baseAddress!
            while host.endpoint.nextPacket(at: host.now, into: packet) {
                var bytes = [UInt8](repeating: 0, count: packet.pointee.header.byteCount)
                bytes.withUnsafeMutableBytes { _ = packet.pointee.header.write(into: $0) }
                result.append(bytes + [packet.pointee.priority, UInt8(packet.pointee.payload)])
                guard limit > 0 else { continue }
                let count = host.endpoint.continueTrain(after: packet, atMost: limit, at: host.now)
                for follower in 0..<count {
                    let offset = packet.pointee.payloadOffset + (1 + follower) * packet.pointee.payloadLength
                    result.append(result.last!)
                    result[result.count - 1].withUnsafeMutableBytes {
                        PacketHeader.advance($0.baseAddress!, to: UInt32(offset))
                    }
                }
            }
        }
        return result
    }

    @Test(
        "packets are the same, byte for byte, and come in the same order, as one by one",
        arguments: [[1], [1416], [60_000], [200_000], [900_000], [900_000, 3, 40_000, 100_000], [20_000, 20_000]],
        [1, 5, 1000])
    func same(lengths: [Int], limit: Int) throws {
        for grants in [[], [61_000, 100_000], [60_889, 60_890, 62_304, 62_305, 150_000, 900_000]] as [[UInt32]] {
            let alone = try Self.packets(of: lengths, limit: 0, grants: grants)
            #expect(try Self.packets(of: lengths, limit: limit, grants: grants) == alone)
        }
    }

    @Test("acknowledgements that wait leave as early as without trains", arguments: [1, 2, 4])
    func acknowledgements(count: Int) throws {
        let alone = try Self.packets(of: [100_000], limit: 0, acknowledged: count)
        #expect(try Self.packets(of: [100_000], limit: 1000, acknowledged: count) == alone)
    }

    @Test("a paced link gets packets one by one")
    func paced() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .gigabitsPerSecond(10)
        let alone = try Self.packets(of: [100_000], limit: 0, configuration)
        #expect(try Self.packets(of: [100_000], limit: 1000, configuration) == alone)
        #expect(alone.count < 20, "the pacer holds the rest back")
    }

    @Test("most packets of a long message are taken as trains, and counted as if they came alone")
    func count() throws {
        let host = try LoneHost()
        _ = try host.endpoint.call(
            CallRequest(
                destination: LoneHost.server, serverPort: 99, clientPort: 0x8000, length: 100_000, payload: 1,
                cookie: 1, deadline: .distantFuture), at: host.now)
        var followers = 0
        withUnsafeTemporaryAllocation(of: OutgoingPacket.self, capacity: 1) { packet in
            while host.endpoint.nextPacket(at: host.now, into: packet.baseAddress!) {
                followers += host.endpoint.continueTrain(after: packet.baseAddress!, atMost: 1000, at: host.now)
            }
        }
        let sent = Int(host.endpoint.statistics.packetsSent[0])
        #expect(sent > 40)
        // The first of all, and the last that the unscheduled bytes have room for.
        #expect(followers >= sent - 2)
    }

    // MARK: Arriving

    /// Packets of one message that arrive one after the other.
    private struct Arrivals {
        var id: UInt64
        var length: Int
        var first: Int
        var count: Int

        func header(_ index: Int) -> PacketHeader {
            let offset = first + index * 1416
            return PacketHeader(
                sourcePort: 0x8000, destinationPort: 99, senderID: RPCID(rawValue: id), extensions: LoneHost.ours,
                body: .data(
                    DataFields(
                        messageLength: UInt32(length), incoming: UInt32(min(60_000, length)), cutoffVersion: 1,
                        offset: UInt32(offset), payloadLength: UInt32(min(1416, length - offset)))))
        }

        /// Packets that are as long as the first.
        var wholeCount: Int { header(count - 1).byteCount > 0 && first + count * 1416 > length ? count - 1 : count }
    }

    /// Trains of several messages in turns; now and then one is lost, comes twice, or comes too early.
    private static func arrivals(seed: UInt64) -> [Arrivals] {
        var random = SeededRandom(seed: seed)
        var result: [Arrivals] = []
        var next: [UInt64: Int] = [:]
        for _ in 0..<400 {
            let id = UInt64.random(in: 1...8, using: &random) * 2 + UInt64(result.count / 100) * 16
            let length = [3000, 1416 * 50, 200_000, 99_999][Int(id / 2 % 4)]
            let first = next[id, default: 0]
            guard first < length else { continue }
            let left = (length - first + 1415) / 1416
            let count = min(left, Int.random(in: 1...44, using: &random))
            let fate = Int.random(in: 0..<12, using: &random)
            if fate != 0 { result.append(Arrivals(id: id, length: length, first: first, count: count)) }
            if fate > 1 { next[id] = first + count * 1416 }
        }
        // And one that does not go on, to be asked for.
        return result + [Arrivals(id: 1000, length: 200_000, first: 0, count: 1)]
    }

    /// Everything an endpoint did with trains, as text, and its counters.
    private static func history(_ trains: [Arrivals], inSteps: Bool) throws -> (text: [String], statistics: String) {
        let host = try LoneHost()
        var text: [String] = []
        for train in trains {
            var index = 0
            while index < train.count {
                let disposition = host.endpoint.receive(train.header(index), from: LoneHost.client, at: host.now)
                index += 1
                guard inSteps, case .store = disposition else { continue }
                index +=
                    host.endpoint.receiveFollowers(
                        of: train.header(index - 1), count: max(0, train.wholeCount - index), from: LoneHost.client,
                        at: host.now
                    ).count
            }
            text += host.said() + (try host.requests().map { "request \($0.id), \($0.length) bytes" })
            host.pass(microseconds: 3000)
            text += host.said()
        }
        host.pass(microseconds: 300_000)
        text += host.said()
        return (text, "\(host.endpoint.statistics)")
    }

    @Test("a train taken in one step has the same consequences as its packets", arguments: 0..<20 as Range<UInt64>)
    func steps(seed: UInt64) throws {
        let trains = Self.arrivals(seed: seed)
        let (alone, inSteps) = (
            try Self.history(trains, inSteps: false), try Self.history(trains, inSteps: true)
        )
        #expect(alone.text == inSteps.text)
        #expect(alone.statistics == inSteps.statistics)
        #expect(alone.text.contains { $0.hasPrefix("request") } && alone.text.contains { $0.hasPrefix("RESEND") })
    }

    @Test("only packets in order, before the last one, and of the same peer and message are taken in one step")
    func refused() throws {
        let host = try LoneHost()
        let train = Arrivals(id: 2, length: 100_000, first: 0, count: 44)
        func followers(_ index: Int, _ count: Int, from peer: PeerAddress = LoneHost.client) -> Followers {
            host.endpoint.receiveFollowers(of: train.header(index), count: count, from: peer, at: host.now)
        }
        #expect(followers(0, 5).count == 0, "nothing is known of the message")
        _ = host.endpoint.receive(train.header(0), from: LoneHost.client, at: host.now)
        #expect(followers(0, 0).count == 0 && followers(1, 5).count == 0)
        #expect(followers(0, 5, from: LoneHost.server).count == 0)
        #expect(followers(0, 5).count == 5)
        #expect(followers(0, 5).count == 0, "they are here already")
        _ = host.endpoint.receive(train.header(8), from: LoneHost.client, at: host.now)
        #expect(followers(8, 5).count == 0, "there is a gap")
        for index in 6...7 { _ = host.endpoint.receive(train.header(index), from: LoneHost.client, at: host.now) }
        #expect(followers(8, 1000).count == 61, "the last packet completes the message")
        #expect(host.events().allSatisfy { if case .requestArrived = $0 { false } else { true } })
        #expect(host.endpoint.statistics.packetsReceived[0] == 70)
        #expect(host.endpoint.statistics.bytesReceived == 70 * 1416)
    }
}
