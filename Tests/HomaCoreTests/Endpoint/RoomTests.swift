// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

/// Who gets room, at the client for calls and at the server for requests, and who loses it.
@Suite("Room for calls and requests")
struct RoomTests {
    /// First packets of calls that have left since the last question, by identifier.
    private static func begun(_ host: LoneHost) -> [UInt64] {
        host.sent().filter { $0.header.common.type == .data && $0.payloadOffset == 0 }
            .map(\.header.common.senderID.rawValue)
    }

    // MARK: Calls

    @Test("what the oldest call has earned lets it begin beyond the bytes, but not beyond the number of calls")
    func oldestWithinLimit() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumCallsPerPeer = 2
        configuration.fifoSendFraction = 0.5
        let host = try LoneHost(configuration)
        for _ in 0..<20 { try host.call(length: 100) }
        #expect(Self.begun(host) == [1000, 1002])
        for number in 0..<10 as Range<UInt64> {
            host.data(0..<10, of: 10, id: 1001 + 2 * number, from: LoneHost.server)
            #expect(Self.begun(host) == [1004 + 2 * number], "one for one")
        }
    }

    @Test("a request that waits for grants keeps its place, however long it waits for them")
    func waitingForGrants() throws {
        var configuration = EndpointConfiguration.small
        configuration.bytesUnderWayPerPeer = 100_000
        configuration.adaptsWindows = false
        let host = try LoneHost(configuration)
        try host.call(length: 150_000)
        try host.call(length: 150_000)
        #expect(Self.begun(host) == [1000])
        for _ in 0..<10 {
            host.pass(microseconds: 5_000)
            host.receive(.busy, id: 1001, from: LoneHost.server)
        }
        #expect(!Self.begun(host).contains(1002))
        host.receive(.grant(GrantFields(offset: 150_000, priority: 0)), id: 1001, from: LoneHost.server)
        host.pass(microseconds: 60_000)
        #expect(Self.begun(host).contains(1002), "with the server's application")
    }

    @Test("a request that has just left is not with the server's application yet, however long ago it began")
    func justLeft() throws {
        var configuration = EndpointConfiguration.small
        configuration.bytesUnderWayPerPeer = 100_000
        configuration.adaptsWindows = false
        let host = try LoneHost(configuration)
        for _ in 0..<2 { try host.call(length: 150_000) }
        host.pass(microseconds: 4_000)
        host.receive(.grant(GrantFields(offset: 150_000, priority: 0)), id: 1001, from: LoneHost.server)
        host.pass(microseconds: 3_000)
        #expect(Self.begun(host) == [1000])
        host.pass(microseconds: 3_000)
        #expect(Self.begun(host) == [1002])
    }

    @Test("what of several calls may come without grants has a limit of its own")
    func unscheduledTogether() {
        let limits = AdmissionLimits(
            unfinished: 100, calls: 100, bytes: 1 << 30, unscheduled: 10_000, unscheduledTogether: 35_000,
            oldestEarning: 0)
        var admission = CallAdmission()
        func mayBegin(_ length: UInt32) -> Bool { admission.mayBegin(length, limits) }
        for length in [50_000, 4_000, 100_000, 9_000] as [UInt32] {
            #expect(mayBegin(200_000))
            admission.admit(length, oldestEarning: 0)
        }
        // 33 000 by now, each for what it may send.
        #expect(mayBegin(200_000))
        admission.admit(2_000, oldestEarning: 0)
        #expect(!mayBegin(200_000))
        #expect(mayBegin(60_000), "the longest does not count for shorter ones")
    }

    @Test("calls up to 2 KB are of one class, then each doubling is one, and all above 1 MB are the last")
    func classes() {
        let rows = [
            (1, 0), (2048, 0), (2049, 1), (4096, 1), (4097, 2), (524_289, 9), (1_048_576, 9), (1_048_577, 10),
            (100_000_000, 10),
        ]
        for (length, size) in rows { #expect(CallAdmission.sizeClass(UInt32(length)) == size, "\(length)") }
    }

    @Test("each shard has its part of what may be under way to a far peer")
    func farPeerOfShards() throws {
        var bytes: [UInt32] = []
        for shards in [1, 4] {
            let host = try LoneHost(.small, shard: 0, of: shards)
            try host.call(length: 10)
            bytes.append(try QuestionTests.peer(host).pointee.bytesUnderWay)
        }
        #expect(abs(Int(bytes[0]) - 4 * Int(bytes[1])) < 4, "\(bytes)")
    }

    // MARK: Requests

    @Test("a port that has something under way may begin more when its host's other ports may not")
    func busyHost() throws {
        let host = try LoneHost(.small)
        for number in 0..<40 as Range<UInt16> {
            HostShareTests.begin(host, 2, length: 2000, from: HostShareTests.port(number))
        }
        #expect(host.endpoint.rpcCount == 32)
        HostShareTests.begin(host, 4, length: 2000, from: HostShareTests.port(0))
        #expect(host.endpoint.rpcCount == 33)
    }

    /// A region of 1 MB, of which one host has 960 KB, and another waits for half of it.
    private func fullRegion() throws -> LoneHost {
        var configuration = EndpointConfiguration.small
        configuration.adaptsWindows = false
        let host = try LoneHost(configuration, regionLength: 1 << 20)
        HostShareTests.begin(host, 2, length: 15 << 16, from: HostShareTests.port(0, of: 1))
        HostShareTests.begin(host, 2, length: 500_000, from: HostShareTests.port(0, of: 2))
        #expect(host.endpoint.waitingForBuffers == 1)
        return host
    }

    @Test("a host of which one message waits for memory begins no other while others wait as well")
    func waitsAlready() throws {
        let host = try fullRegion()
        HostShareTests.begin(host, 2, length: 500_000, from: HostShareTests.port(0, of: 3))
        #expect(host.endpoint.rpcCount == 3)
        HostShareTests.begin(host, 4, length: 2000, from: HostShareTests.port(1, of: 3))
        #expect(host.endpoint.rpcCount == 3)
        HostShareTests.begin(host, 2, length: 2000, from: HostShareTests.port(1, of: 4))
        #expect(host.endpoint.rpcCount == 4, "one of which nothing waits may")
    }

    @Test("a host that has nothing may begin a request that is longer than its share while others wait")
    func longerThanShare() throws {
        let host = try fullRegion()
        HostShareTests.begin(host, 2, length: 600_000, from: HostShareTests.port(0, of: 3))
        #expect(host.endpoint.rpcCount == 3 && host.endpoint.waitingForBuffers == 2)
    }

    @Test("a host that has too much memory keeps it as long as it brings what it is for", arguments: [true, false])
    func keepsMemory(brings: Bool) throws {
        let host = try fullRegion()
        for packet in 1..<60 {
            host.pass(microseconds: 1_000)
            guard brings || packet < 10 else { continue }
            host.data(
                packet * 5000 - 4000..<packet * 5000 + 1000, of: 15 << 16, id: 2, incoming: 1000,
                from: HostShareTests.port(0),
                extensions: HeaderExtension(tag: HostShareTests.tag(HostShareTests.port(0))))
        }
        #expect((host.endpoint.statistics.requestsEvicted == 0) == brings)
    }

    @Test("the share of a host is half of its shard's part of the memory")
    func memoryOfShards() throws {
        for shards in [1, 2] {
            let host = try LoneHost(regionLength: 2 << 20, shard: 0, of: shards)
            // 600 000 bytes of one host, 1 000 000 of another, and a third that waits.
            HostShareTests.begin(host, 4, length: 600_000, from: HostShareTests.port(0, of: 1))
            HostShareTests.begin(host, 4, length: 1_000_000, from: HostShareTests.port(0, of: 2))
            HostShareTests.begin(host, 4, length: 900_000, from: HostShareTests.port(0, of: 3))
            #expect(host.endpoint.waitingForBuffers == 1 && host.endpoint.rpcCount == 3)
            HostShareTests.begin(host, 8, length: 2000, from: HostShareTests.port(1, of: 1))
            #expect(host.endpoint.rpcCount == (shards == 1 ? 4 : 3))
        }
    }

    @Test("a silent request is not given up for want of room before its client could have answered twice")
    func couldAnswer() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumServerRPCsPerHost = 8
        let host = try LoneHost(configuration)
        for id in 1...7 as ClosedRange<UInt64> { host.data(0..<1000, of: 5000, id: id * 2) }
        // A client that has never answered may be 25 ms away.
        host.pass(microseconds: 49_000)
        #expect(host.endpoint.statistics.requestsEvicted == 0)
        host.pass(microseconds: 30_000)
        #expect(host.endpoint.statistics.requestsEvicted > 0)
    }

    @Test(
        "a request is not given up for want of room while what its client brings is thrown away", arguments: [20, 1000])
    func thrownAway(payload: Int) throws {
        let host = try LoneHost(regionLength: 1 << 20)
        host.data(0..<1000, of: 15 << 16, id: 2, incoming: 1000)
        // Another message of the same client, which waits for memory.
        for packet in 0..<100 {
            host.data(packet * payload..<(packet + 1) * payload, of: 500_000, id: 4, incoming: 500_000)
            host.pass(microseconds: 2_000)
        }
        #expect((host.endpoint.statistics.requestsEvicted == 0) == (payload == 1000), "short packets may be words")
    }

    @Test("a host whose own messages alone wait for memory may begin others")
    func waitsAlone() throws {
        let host = try LoneHost(regionLength: 1 << 20)
        HostShareTests.begin(host, 2, length: 15 << 16, from: HostShareTests.port(0))
        HostShareTests.begin(host, 4, length: 500_000, from: HostShareTests.port(0))
        #expect(host.endpoint.waitingForBuffers == 1)
        HostShareTests.begin(host, 6, length: 2000, from: HostShareTests.port(1))
        #expect(host.endpoint.rpcCount == 3)
    }

    @Test("a request that waits for memory until it ends has broken nothing")
    func waitedInVain() throws {
        var configuration = EndpointConfiguration.small
        configuration.progressTimeout = .seconds(1)
        let host = try LoneHost(configuration, regionLength: 1 << 20)
        for range in [0..<60_000, 60_000..<70_000] { host.data(range, of: 70_000, id: 2, from: LoneHost.server) }
        host.data(0..<1000, of: 15 << 16, id: 4, incoming: 60_000)
        #expect(host.endpoint.waitingForBuffers == 1)
        host.pass(microseconds: 3_000_000)
        #expect(host.endpoint.waitingForBuffers == 0 && host.endpoint.statistics.clientsLost == 1)
        #expect(try QuestionTests.peer(host, LoneHost.client).pointee.brokenRequests == 0)
    }

    @Test("a request that has memory and waits for grants is kept when its client is found out")
    func keepsMemory() throws {
        var configuration = GranterTests.configuration()
        configuration.overcommitment = 1
        let host = try LoneHost(configuration)
        let other = GranterTests.peer(1)
        host.data(0..<1000, of: 500_000, id: 2, incoming: 1000, from: other)
        for id in 1...6 as ClosedRange<UInt64> { host.data(0..<1000, of: 600_000, id: id * 2, incoming: 1000) }
        for id in 7...20 as ClosedRange<UInt64> { host.data(0..<1, of: 2, id: id * 2) }
        for packet in 1..<400 {
            host.pass(microseconds: 2_500)
            host.data(packet * 1000..<(packet + 1) * 1000, of: 500_000, id: 2, from: other)
        }
        #expect(try QuestionTests.peer(host, LoneHost.client).pointee.brokenRequests == 14)
        #expect(host.endpoint.rpcCount == 7 && host.endpoint.statistics.requestsEvicted == 0)
    }

    @Test("an answer to a stranger is not kept when that falls silent")
    func strangersAnswer() throws {
        for trusting in [true, false] {
            var configuration = EndpointConfiguration.small
            configuration.responseRetention = .seconds(5)
            let host = try LoneHost(configuration, trusting: trusting)
            host.data(0..<100, of: 100, id: 2, extensions: HeaderExtension(tag: 7))
            try host.respond(try #require(host.requests().first).rpc, length: 100)
            host.pass(microseconds: 2_000_000)
            #expect(host.endpoint.rpcCount == (trusting ? 1 : 0))
        }
    }

    @Test("who asks about a request that could not begin now is told BUSY: its client, or all records, have too much")
    func noRoomForMore() throws {
        let everything = PacketBody.resend(ResendFields(offset: 0, length: -1, priority: 0))
        let other = HostShareTests.port(0)
        let host = try LoneHost()
        for _ in 0..<256 { try host.call(length: 10) }
        _ = host.sent()
        host.receive(everything, id: 2, from: other)
        #expect(host.said() == ["BUSY"], "all records")
        let distrusting = try LoneHost()
        for id in 1...100 as ClosedRange<UInt64> { distrusting.data(0..<1, of: 2, id: id * 2) }
        distrusting.pass(microseconds: 1_000_000)
        for id in 101...104 as ClosedRange<UInt64> { distrusting.data(0..<1, of: 2, id: id * 2) }
        _ = distrusting.sent()
        distrusting.receive(everything, id: 500)
        #expect(distrusting.said() == ["BUSY"], "a client that breaks its word")
        distrusting.receive(everything, id: 500, from: other)
        #expect(distrusting.said() == ["RPC_UNKNOWN"])
    }

    @Test("how many bytes may be under way to a peer follows its distance")
    func distance() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        let unknown = try QuestionTests.peer(host).pointee.bytesUnderWay
        host.pass(microseconds: 30)
        host.data(0..<10, of: 10, id: 1001, from: LoneHost.server)
        // Across a large site, 540 µs, as long as nothing is known; hosts alone take 40.
        #expect(unknown == 1_000_000 + 16 * 625_000)
        #expect(try QuestionTests.peer(host).pointee.bytesUnderWay == 1_000_000)
    }

    @Test("memory that others wait for is not taken from a request that has just begun")
    func young() throws {
        let host = try fullRegion()
        host.pass(microseconds: 19_900)
        #expect(host.endpoint.statistics.requestsEvicted == 0)
        host.pass(microseconds: 20_000)
        #expect(host.endpoint.statistics.requestsEvicted == 1)
    }

    @Test("each request that arrives in full halves what a client has broken")
    func halved() throws {
        let host = try LoneHost()
        for id in 1...100 as ClosedRange<UInt64> { host.data(0..<1, of: 2, id: id * 2) }
        host.pass(microseconds: 1_000_000)
        for (number, broken) in [63, 31, 15, 7].enumerated() {
            #expect(try QuestionTests.peer(host, LoneHost.client).pointee.brokenRequests == UInt32(broken))
            #expect(try host.serve(id: UInt64(400 + 2 * number)))
        }
    }

    @Test("when three quarters of all records are taken, a request whose client was asked in vain makes room")
    func takenRecords() throws {
        for calls in [192, 191] {
            let host = try LoneHost()
            host.data(0..<1000, of: 5000, id: 2)
            for _ in 0..<calls { try host.call(length: 10) }
            host.pass(microseconds: 90_000)
            #expect(host.endpoint.statistics.requestsEvicted == (calls == 192 ? 1 : 0))
        }
    }
}
