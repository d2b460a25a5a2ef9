// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Shards")
struct ShardTests {
    @Test(
        "both forms of an identifier belong to the same shard, and every shard has its turn", arguments: [1, 2, 3, 16])
    func shardOfID(count: Int) {
        var seen = Set<Int>()
        for number in 1...UInt64(4 * count) {
            let id = RPCID(rawValue: 0x1234_5678_FFFF_FFF0 &+ 2 * number)
            #expect(id.shard(of: count) == id.peer.shard(of: count))
            seen.insert(id.shard(of: count))
        }
        #expect(seen.count == count)
    }

    @Test(
        "each shard gives its calls identifiers of its own, ever higher", arguments: [(0, 2), (1, 2), (2, 3), (15, 16)])
    func identifiers(shard: Int, count: Int) throws {
        var configuration = EndpointConfiguration.small
        configuration.callsUnderWayPerPeer = 1024
        let host = try LoneHost(configuration, shard: shard, of: count)
        for cookie in 1...40 as ClosedRange<UInt64> { try host.call(length: 10, cookie: cookie) }
        let ids = host.sent().filter { $0.header.common.type == .data }.map(\.header.common.senderID)
        #expect(ids.count == 40)
        for id in ids { #expect(id.shard(of: count) == shard) }
        for (id, next) in zip(ids, ids.dropFirst()) {
            #expect(next.rawValue > id.rawValue && next.rawValue - id.rawValue <= UInt64(2 * count))
        }
    }

    @Test("identifiers keep up with the shard that is ahead, and never fall back")
    func keepingUp() throws {
        let host = try LoneHost(shard: 1, of: 2)
        host.endpoint.apply(summaries(messages: 0, nextID: 50_000))
        try host.call(length: 10, cookie: 1)
        host.endpoint.apply(summaries(messages: 0, nextID: 3000))
        try host.call(length: 10, cookie: 2)
        let ids = host.sent().filter { $0.header.common.type == .data }.map(\.header.common.senderID.rawValue)
        #expect(ids == [50_002, 50_006])
    }

    @Test("a shard grants its part of what the host may have on its way", arguments: [0, 1, 3, 7])
    func incomingLimit(elsewhere: Int) throws {
        let configuration = EndpointConfiguration.default
        let host = try LoneHost(configuration, shard: 0, of: 2)
        host.endpoint.apply(summaries(messages: elsewhere, nextID: 0))
        for id in [1000, 1004] as [UInt64] { host.data(0..<1400, of: 900_000, id: id, incoming: 1400) }
        var limits: [RPCID: UInt32] = [:]
        for packet in host.sent() {
            if case .grant(let grant) = packet.header.body { limits[packet.header.common.senderID] = grant.offset }
        }
        #expect(limits.count == 2)
        let incoming = limits.values.reduce(0) { $0 + Int($1) - 1400 }
        let share = configuration.maximumIncoming * 2 / (2 + elsewhere)
        #expect(incoming <= share)
        #expect(incoming > share / 4)
    }

    @Test("the part is that of one message as well, however large its window is")
    func incomingLimitOfOne() throws {
        var configuration = GranterTests.configuration()
        configuration.maximumIncoming = 12_000
        let host = try LoneHost(configuration, shard: 0, of: 2)
        host.endpoint.apply(summaries(messages: 3, nextID: 0))
        host.data(0..<1000, of: 100_000, id: 1000, incoming: 1000)
        #expect(GranterTests.grants(host)[1000]?.offset == 4000, "a quarter")
    }

    @Test("shards that share a link send at their part of its rate")
    func pacing() {
        var pacer = Pacer(Tuning(PacerTests.configuration(.gigabitsPerSecond(8))))
        pacer.sharers = 2
        pacer.charge(5000, at: .zero)
        #expect(pacer.idleAt == Instant(nanoseconds: 10_000))
    }

    @Test("an acknowledgement of another shard's response is passed on, and ends that RPC there")
    func acknowledgements() throws {
        let hosts = [try LoneHost(shard: 0, of: 2), try LoneHost(shard: 1, of: 2)]
        let ids = [2000, 2002] as [UInt64]
        for (host, id) in zip(hosts, ids) {
            host.data(0..<100, of: 100, id: id)
            let request = try #require(try host.requests().first)
            #expect(try host.respond(request.rpc, length: 100))
            #expect(host.endpoint.rpcCount == 1)
            _ = host.sent()
        }
        let ack = AckRecord(clientID: RPCID(rawValue: 2002), serverPort: 99)
        hosts[0].data(0..<100, of: 100, id: 2004, ack: ack)
        let foreign = hosts[0].endpoint.nextCrossShardAck()
        let passedOn = try #require(foreign)
        #expect(passedOn == CrossShardAck(peer: LoneHost.client, identity: 0, record: ack))
        hosts[1].endpoint.receive(passedOn, at: hosts[1].now)
        #expect(hosts[1].endpoint.rpcCount == 0)
        // One of its own that is gone goes nowhere.
        hosts[0].data(0..<100, of: 100, id: 2008, ack: AckRecord(clientID: RPCID(rawValue: 1996), serverPort: 99))
        let none = hosts[0].endpoint.nextCrossShardAck()
        #expect(none == nil)
    }

    @Test("clients of one shard say which calls are over, those of several do not", arguments: [1, 2])
    func floor(count: Int) throws {
        let host = try LoneHost(shard: 0, of: count)
        try host.call(length: 10, cookie: 1)
        let first = try #require(host.sent().last)
        // The server must have shown that it understands.
        host.receive(.busy, id: first.header.common.senderID.rawValue + 1, from: LoneHost.server)
        try host.call(length: 10, cookie: 2)
        let packet = try #require(host.sent().last { $0.header.common.type == .data })
        guard case .data(let data) = packet.header.body else { return }
        #expect((data.oldestUnfinishedDistance > 0) == (count == 1))
    }

    private func summaries(messages: Int, nextID: UInt64) -> ShardSummaries {
        var summaries = ShardSummaries()
        summaries.add(
            ShardSummary(activeMessages: messages, isSending: false, nextID: RPCID(rawValue: nextID)))
        return summaries
    }
}
