// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// What an endpoint finds out about the distance of its peers, and makes of it.
@Suite("Round trips")
struct RoundTripTests {
    /// One message may have half of 120 000 bytes ahead of what has arrived.
    private static func configuration() -> EndpointConfiguration {
        var configuration = EndpointConfiguration.small
        configuration.maximumIncoming = 120_000
        configuration.grantIncrement = 1
        configuration.fifoGrantFraction = 0
        configuration.adaptsWindows = true
        return configuration
    }

    private static func roundTrip(_ host: LoneHost, _ peer: PeerAddress) throws -> UInt64? {
        let found = host.endpoint.peers.find(peer)
        let index = try #require(found)
        return host.endpoint.peers.at(index).pointee.knownRoundTrip
    }

    @Test("the first grant tells a sender how far its peer is")
    func firstGrant() throws {
        let host = try LoneHost(Self.configuration())
        try host.call(length: 200_000)
        let id = try #require(host.sent().first).header.common.senderID.rawValue
        #expect(try Self.roundTrip(host, LoneHost.server) == nil)
        host.pass(microseconds: 70)
        host.receive(.grant(GrantFields(offset: 100_000, priority: 1)), id: id ^ 1, from: LoneHost.server)
        #expect(try Self.roundTrip(host, LoneHost.server) == 70_000)
        host.pass(microseconds: 5)
        host.receive(.grant(GrantFields(offset: 150_000, priority: 1)), id: id ^ 1, from: LoneHost.server)
        #expect(try Self.roundTrip(host, LoneHost.server) == 70_000, "later grants wait for data")
    }

    @Test("data that keeps its receiver waiting tells how far the sender is, and widens the window")
    func farSender() throws {
        let host = try LoneHost(Self.configuration())
        host.data(0..<1000, of: 900_000, id: 2, incoming: 1000)
        #expect(host.sent().compactMap(\.grantOffset) == [61_000])
        host.pass(microseconds: 400)
        host.data(1000..<2000, of: 900_000, id: 2)
        #expect(try Self.roundTrip(host, LoneHost.client) == 400_000)
        // 10 Gb/s carry 500 000 bytes in that time; no more than four times 120 000 may be on their way.
        #expect(host.sent().compactMap(\.grantOffset) == [2000 + 240_000])
    }

    @Test("data that took as long as that before it says that the round trip is no longer, but not how much shorter")
    func fullPipe() throws {
        let host = try LoneHost(Self.configuration())
        host.data(0..<1000, of: 900_000, id: 2, incoming: 1000)
        host.pass(microseconds: 20)
        host.data(1000..<2000, of: 900_000, id: 2)
        #expect(try Self.roundTrip(host, LoneHost.client) == 20_000)
        // This grant leaves with 60 000 bytes on their way, which take 48 µs to come.
        host.data(2000..<61_000, of: 900_000, id: 2)
        host.pass(microseconds: 50)
        host.data(61_000..<121_000, of: 900_000, id: 2)
        #expect(try Self.roundTrip(host, LoneHost.client) == 20_000)
        #expect(host.endpoint.granter.limits == WindowLimits(incoming: 120_000, increment: 1, oldest: 50_000))
    }

    @Test("nor does it become the round trip when that was measured long ago")
    func fullPipeLater() throws {
        let host = try LoneHost(Self.configuration())
        host.data(0..<1000, of: 900_000, id: 2, incoming: 1000)
        host.pass(microseconds: 20)
        host.data(1000..<2000, of: 900_000, id: 2)
        host.receive(.rpcUnknown, id: 2)
        #expect(try Self.roundTrip(host, LoneHost.client) == 20_000)
        host.now = host.now.advanced(byNanoseconds: 25_000_000_000)
        // A grant leaves with 59 000 bytes on their way.
        host.data(0..<1000, of: 900_000, id: 4, incoming: 60_000)
        #expect(host.sent().compactMap(\.grantOffset).last == 61_000)
        host.pass(microseconds: 50)
        for start in stride(from: 1000, to: 61_000, by: 1000) { host.data(start..<start + 1000, of: 900_000, id: 4) }
        #expect(try Self.roundTrip(host, LoneHost.client) == 20_000)
    }

    @Test("when the message of the farthest peer is over, no more may be on its way than the others are far")
    func farthestEnds() throws {
        let distances: [(PeerAddress, UInt64)] = [(LoneHost.client, 400), (GranterTests.peer(1), 20)]
        for peers in [distances, distances.reversed()] {
            let host = try LoneHost(Self.configuration())
            for (peer, microseconds) in peers {
                host.data(0..<1000, of: 900_000, id: 2, incoming: 1000, from: peer)
                host.pass(microseconds: microseconds)
                host.data(1000..<2000, of: 900_000, id: 2, from: peer)
                #expect(try Self.roundTrip(host, peer) == microseconds * 1000)
            }
            #expect(host.endpoint.granter.limits.incoming == 480_000)
            host.receive(.rpcUnknown, id: 2)
            #expect(host.endpoint.granter.activeCount == 1)
            #expect(host.endpoint.granter.limits.incoming == 120_000)
        }
    }

    @Test("a quick answer shows that the peer is near; a slow one may be its application's")
    func answers() throws {
        let host = try LoneHost(Self.configuration())
        for (microseconds, known) in [(90, 90_000), (30, 30_000), (500, 30_000)] as [(UInt64, UInt64)] {
            try host.call(length: 100)
            let id = try #require(host.sent().first).header.common.senderID.rawValue
            host.pass(microseconds: microseconds)
            host.data(0..<10, of: 10, id: id ^ 1, from: LoneHost.server)
            #expect(try Self.roundTrip(host, LoneHost.server) == known)
        }
    }

    @Test("a sender whose link is slow sends no more unscheduled than its link carries in a round trip")
    func slowLink() throws {
        var configuration = Self.configuration()
        configuration.linkRate = .gigabitsPerSecond(1)
        configuration.unscheduledBytes = 60_000
        configuration.linkQueueLimit = .seconds(1)
        let host = try LoneHost(configuration)
        try host.call(length: 100)
        let id = try #require(host.sent().first).header.common.senderID.rawValue
        host.pass(microseconds: 20)
        host.data(0..<10, of: 10, id: id ^ 1, from: LoneHost.server)
        try host.call(length: 200_000)
        let incoming = host.sent().compactMap { packet -> UInt32? in
            if case .data(let data) = packet.header.body { data.incoming } else { nil }
        }
        let segment = UInt32(1472 - DataFields.byteCount)
        #expect(incoming.max() == (7500 + segment - 1) / segment * segment)
    }

    @Test("a long message for a far peer is announced before a shorter one has been sent; for a near one it is not")
    func announcement() throws {
        for (microseconds, announced) in [(10, [2]), (400, [2, 3])] as [(UInt64, [UInt64])] {
            let host = try LoneHost(Self.configuration())
            try host.call(length: 10)
            let id = try #require(host.sent().first).header.common.senderID.rawValue
            host.pass(microseconds: microseconds)
            host.data(0..<10, of: 10, id: id ^ 1, from: LoneHost.server)
            _ = try host.endpoint.call(Self.call(length: 100_000, cookie: 2), at: host.now)
            _ = try host.endpoint.call(Self.call(length: 900_000, cookie: 3), at: host.now)
            // The shorter one has no more than its first 20 packets to send before the other's turn.
            let first = host.sent().prefix(20)
            #expect(Set(first.map(\.payload)).sorted() == announced)
            #expect(first.filter { $0.payload == 3 }.count <= 1)
        }
    }

    private static func call(length: Int, cookie: UInt64) -> CallRequest {
        CallRequest(
            destination: LoneHost.server, serverPort: 99, clientPort: 0x8000, length: length, payload: cookie,
            cookie: cookie, deadline: .distantFuture)
    }

    @Test("packets sent again tell nothing; with fixed windows others do")
    func untold() throws {
        let host = try LoneHost(Self.configuration())
        host.data(0..<1000, of: 900_000, id: 2, incoming: 1000)
        host.pass(microseconds: 20)
        host.receive(
            .data(
                DataFields(
                    messageLength: 900_000, incoming: 61_000, ack: .none, cutoffVersion: 1, isRetransmission: true,
                    oldestUnfinishedDistance: 0, offset: 1000, payloadLength: 1000)), id: 2)
        #expect(try Self.roundTrip(host, LoneHost.client) == nil)
        var configuration = Self.configuration()
        configuration.window = 60_000
        let fixed = try LoneHost(configuration)
        fixed.data(0..<1000, of: 900_000, id: 2, incoming: 1000)
        fixed.pass(microseconds: 400)
        fixed.data(1000..<2000, of: 900_000, id: 2)
        #expect(try Self.roundTrip(fixed, LoneHost.client) != nil, "recovery needs it as well")
    }
}

extension OutgoingPacket {
    fileprivate var grantOffset: UInt32? {
        if case .grant(let grant) = header.body { grant.offset } else { nil }
    }
}
