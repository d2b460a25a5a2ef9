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
            try host.endpoint.call(
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
        try host.endpoint.call(
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
}
