// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Who is asked, when, how often, and what the answers are taken for.
@Suite("Questions and answers")
struct QuestionTests {
    static func peer(_ host: LoneHost, _ address: PeerAddress = LoneHost.server) throws -> UnsafeMutablePointer<Peer> {
        let found = host.endpoint.peers.find(address)
        return host.endpoint.peers.at(try #require(found))
    }

    /// How often it was asked for a response of which nothing has come, since the last question.
    static func questions(_ host: LoneHost) -> Int { host.said().count { $0 == "RESEND 0 all" } }

    // MARK: The limit

    @Test("a round of questions that nobody answers halves the limit once, not once for each")
    func halving() throws {
        let host = try RecoveryTests.crowd(32)
        host.pass(microseconds: 5_000)
        #expect(Self.questions(host) == 32)
        host.pass(microseconds: 5_000)
        #expect(try Self.peer(host).pointee.probeLimit == 16)
    }

    @Test("answers raise a limit that silence has lowered, up to what is configured")
    func recovery() throws {
        let host = try RecoveryTests.crowd(16, calls: 100)
        host.pass(microseconds: 60_000)
        _ = host.sent()
        #expect(try Self.peer(host).pointee.probeLimit == 4)
        for _ in 0..<60 {
            host.pass(microseconds: 1_000)
            for packet in host.sent() {
                host.receive(.busy, id: packet.header.common.senderID.rawValue ^ 1, from: LoneHost.server)
            }
        }
        #expect(try Self.peer(host).pointee.probeLimit == 16)
    }

    @Test("whoever is heard of while it waits for its turn to be asked about is not asked about")
    func heardInTime() throws {
        let host = try RecoveryTests.crowd(8, calls: 20)
        host.pass(microseconds: 5_000)
        let asked = host.sent().map(\.header.common.senderID.rawValue)
        #expect(asked.count == 8)
        host.pass(microseconds: 500)
        for id in stride(from: UInt64(1000), to: 1040, by: 2) where !asked.contains(id) {
            host.receive(.busy, id: id ^ 1, from: LoneHost.server)
        }
        for id in asked { host.receive(.busy, id: id ^ 1, from: LoneHost.server) }
        #expect(host.said().isEmpty)
        host.pass(microseconds: 5_000)
        #expect(Self.questions(host) == 8, "after the usual time")
    }

    // MARK: Who is lost

    @Test("a call about which a living server says nothing is lost, but not before the longest way has passed")
    func silentAboutOne() throws {
        let host = try LoneHost()
        try host.call(length: 10, cookie: 1)
        try host.call(length: 10, cookie: 2)
        var failed: Int?
        for tick in 1...400 where failed == nil {
            host.pass(microseconds: 20_000)
            host.receive(.busy, id: 1003, from: LoneHost.server, extensions: HeaderExtension(marks: .inService))
            if host.failures() == [.timedOut] { failed = tick * 20 }
        }
        // Sixteen times the timeout.
        #expect((6_400...6_600).contains(try #require(failed)))
        #expect(host.endpoint.rpcCount == 1, "the other goes on")
    }

    @Test("without a limit on questions the silence about a call is its server's, whatever that says of others")
    func silentWithoutLimit() throws {
        var configuration = EndpointConfiguration.small
        configuration.adaptsTimers = false
        configuration.probesPerPeer = 0
        let host = try LoneHost(configuration)
        for cookie in 1...2 as ClosedRange<UInt64> { try host.call(length: 10, cookie: cookie) }
        for _ in 0..<25 {
            host.pass(microseconds: 20_000)
            host.receive(.busy, id: 1003, from: LoneHost.server)
        }
        #expect(host.failures() == [.timedOut] && host.endpoint.rpcCount == 1)
    }

    @Test("whether an RPC is lost is told by 32 questions since it was last heard of, and by the time since")
    func telling() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        let rpc = host.endpoint.rpcs.at(0)
        let now = Instant(nanoseconds: 20_000_000_000)
        let longest = host.endpoint.tuning.longestWay
        /// A living host, and an RPC about which it was asked so often since it was heard of at that time.
        func isLost(_ questions: UInt8, heard: UInt64, since: UInt64? = nil) throws -> Bool {
            try Self.peer(host).pointee.liveness.heard(at: now)
            rpc.pointee.lastHeard = Instant(nanoseconds: now.nanoseconds - heard)
            rpc.pointee.probesSince = Instant(nanoseconds: now.nanoseconds - (since ?? heard))
            rpc.pointee.unansweredProbes = questions
            return host.endpoint.isLost(0, at: now)
        }
        #expect(try isLost(32, heard: longest))
        #expect(try !isLost(31, heard: longest))
        #expect(try !isLost(32, heard: longest - 1))
        #expect(try !isLost(32, heard: longest, since: longest + 1), "they were answered")
    }

    @Test("a process that was stopped takes no RPC for one that stands still")
    func stoppedWithoutProgress() throws {
        var configuration = EndpointConfiguration.small
        configuration.progressTimeout = .seconds(1)
        let host = try LoneHost(configuration)
        try host.call(length: 10)
        for _ in 0..<5 {
            host.pass(microseconds: 100_000)
            host.receive(.busy, id: 1001, from: LoneHost.server)
        }
        host.now = host.now.advanced(byNanoseconds: 10_000_000_000)
        for _ in 0..<4 {
            host.endpoint.expireTimers(at: host.now)
            host.receive(.busy, id: 1001, from: LoneHost.server)
            #expect(host.failures().isEmpty)
            host.pass(microseconds: 100_000)
        }
        host.pass(microseconds: 1_000_000)
        #expect(host.failures() == [.timedOut])
    }

    @Test("a call to a dead server ends when its timeout is over, and not at some later question")
    func atTheTimeout() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.pass(microseconds: 399_999)
        #expect(host.failures().isEmpty)
        host.pass(microseconds: 1)
        #expect(host.failures() == [.timedOut])
    }

    @Test("that timers come up a little late makes nobody more patient")
    func lateTimers() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        while host.endpoint.rpcCount > 0 {
            let due = host.endpoint.nextDeadline
            host.now = try #require(due).advanced(byNanoseconds: 4_000_000)
            host.endpoint.expireTimers(at: host.now)
            host.drain()
        }
        #expect(host.now <= Instant(nanoseconds: 410_000_000))
    }

    // MARK: How long to wait

    @Test("a server that is asked twice, and answers, is not as near as the last question")
    func secondQuestion() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.pass(microseconds: 10_000)
        #expect(Self.questions(host) == 2)
        host.pass(microseconds: 100)
        host.receive(.busy, id: 1001, from: LoneHost.server, extensions: HeaderExtension(marks: .inService))
        #expect(try Self.peer(host).pointee.knownRoundTrip == 10_100_000, "since the request left")
    }

    @Test("an answer that is waited for says only that it takes longer than that, not that it usually takes as little")
    func longerThan() {
        var time = TimeEstimate()
        time.note(30_000_000)
        time.noteMore(than: 10_000_000)
        #expect(time.smoothed == 30_000_000)
        time.noteMore(than: 38_000_000)
        #expect(time.smoothed == 31_000_000)
    }

    @Test("a first grant that comes while part of its message waits to leave again is no round trip")
    func grantAfterLoss() throws {
        for isLost in [false, true] {
            var configuration = EndpointConfiguration.small
            configuration.adaptsWindows = true
            configuration.linkRate = .megabitsPerSecond(1)
            let host = try LoneHost(configuration)
            try host.call(length: 10)
            host.pass(microseconds: 200)
            host.data(0..<10, of: 10, id: 1001, from: LoneHost.server)
            #expect(try Self.peer(host).pointee.knownRoundTrip == 200_000)
            host.now = host.now.advanced(byNanoseconds: 25_000_000_000)
            try host.call(length: 100_000)
            _ = host.sent()
            host.pass(microseconds: 50_000)
            if isLost {
                host.receive(
                    .resend(ResendFields(offset: 0, length: 2832, priority: 0)), id: 1003, from: LoneHost.server)
                #expect(!host.endpoint.rpcs.at(0).pointee.outgoing.resends.isEmpty)
            }
            host.receive(.grant(GrantFields(offset: 90_000, priority: 0)), id: 1003, from: LoneHost.server)
            #expect(try Self.peer(host).pointee.knownRoundTrip == (isLost ? 200_000 : 50_000_000))
        }
    }

    @Test("a packet that did not leave last goes again at once, however long the way")
    func earlierPacket() throws {
        let host = try LoneHost()
        // What a grant lets go comes 50 ms after it.
        for offset in stride(from: 0, to: 20_000, by: 1000) {
            host.data(offset..<offset + 1000, of: 20_000, id: 2, incoming: 10_000)
            host.now = host.now.advanced(byNanoseconds: 50_000_000)
        }
        try host.respond(try #require(host.requests().first).rpc, length: 30_000)
        _ = host.sent()
        host.now = host.now.advanced(byNanoseconds: 1_000_000)
        func ask(_ offset: UInt32) -> [String] {
            host.receive(.resend(ResendFields(offset: offset, length: 1416, priority: 0)), id: 2)
            return host.said()
        }
        #expect(ask(28_584) == ["BUSY"], "it cannot have arrived when the question left")
        #expect(ask(1416) == ["DATA 1416..<2832"])
        host.now = host.now.advanced(byNanoseconds: 79_000_000)
        #expect(
            ask(28_584).last == "DATA 29736..<30000",
            "of 100 ms, which is the most that is waited for, a quarter is spared")
    }

    @Test("what was sent again after a long time is not sent again before half as long")
    func sentAgain() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.pass(microseconds: 100)
        host.data(0..<10, of: 10, id: 1001, from: LoneHost.server)
        try host.call(length: 3000)
        _ = host.sent()
        func ask(after milliseconds: UInt64) -> [String] {
            host.now = host.now.advanced(byNanoseconds: milliseconds * 1_000_000)
            host.receive(.resend(ResendFields(offset: 0, length: 1416, priority: 0)), id: 1003, from: LoneHost.server)
            return host.said()
        }
        #expect(ask(after: 100) == ["DATA 0..<1416"])
        #expect(ask(after: 30) == ["BUSY"], "a queue may have grown")
        #expect(ask(after: 70) == ["DATA 0..<1416"])
    }

    @Test("a later grant is no round trip, however long ago one was measured")
    func laterGrant() throws {
        var configuration = EndpointConfiguration.small
        configuration.adaptsWindows = true
        let host = try LoneHost(configuration)
        try host.call(length: 200_000)
        host.pass(microseconds: 70)
        for offset in [100_000, 150_000] as [UInt32] {
            host.receive(.grant(GrantFields(offset: offset, priority: 1)), id: 1001, from: LoneHost.server)
            #expect(try Self.peer(host).pointee.knownRoundTrip == 70_000)
            host.now = host.now.advanced(byNanoseconds: 25_000_000_000)
        }
    }

    /// A peer whose server takes 30 ms.
    private static func slowServer() throws -> LoneHost {
        let host = try LoneHost()
        var id: UInt64 = 1000
        for _ in 0..<40 { _ = try RecoveryTests.slowCall(host, microseconds: 30_000, id: &id) }
        _ = host.sent()
        return host
    }

    @Test("a slow server that does not answer a question is not asked again before it usually would have answered")
    func patience() throws {
        let host = try Self.slowServer()
        try host.call(length: 10)
        host.pass(microseconds: 95_000)
        #expect((1...3).contains(Self.questions(host)))
    }

    @Test("until a grant to a peer has been timed, what it brings is waited for as for its answers")
    func untimedGrant() throws {
        let host = try Self.slowServer()
        host.data(0..<1000, of: 900_000, id: 2, incoming: 1000, from: LoneHost.server, ports: (0x8000, 99))
        #expect(host.said().contains { $0.hasPrefix("GRANT") })
        host.pass(microseconds: 20_000)
        #expect(host.said().isEmpty)
        host.pass(microseconds: 40_000)
        #expect(host.said().contains { $0.hasPrefix("RESEND") })
    }

    @Test("what usually comes so long after a grant is waited for, up to three quarters of the timeout")
    func slowGrants() throws {
        var configuration = GranterTests.configuration()
        configuration.window = 1000
        let host = try LoneHost(configuration)
        host.data(0..<1000, of: 60_000, id: 2, incoming: 1000)
        for start in stride(from: 1000, to: 40_000, by: 1000) {
            host.pass(microseconds: 200_000)
            host.data(start..<start + 1000, of: 60_000, id: 2)
        }
        _ = host.sent()
        host.pass(microseconds: 150_000)
        #expect(host.said().isEmpty)
    }

    @Test("a client is not asked again whether it has a long answer before a slow way has brought all of it")
    func longAnswer() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2)
        try host.respond(try #require(host.requests().first).rpc, length: 60_000)
        _ = host.sent()
        host.pass(microseconds: 150_000)
        #expect(host.said() == ["NEED_ACK"])
    }

    @Test("a client that has not been sent all of an answer is asked whether it lives, but not at once")
    func answerInPart() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2)
        try host.respond(try #require(host.requests().first).rpc, length: 300_000)
        _ = host.sent()
        host.pass(microseconds: 99_000)
        #expect(host.said().isEmpty)
        host.pass(microseconds: 2_000)
        #expect(host.said() == ["NEED_ACK"])
    }

    // MARK: Slow ways

    @Test("a peer that brings less than 0.8 Mb/s keeps no way busy: what is missing is asked for")
    func trickle() throws {
        for bytes in [50, 400] {
            let host = try LoneHost()
            host.data(0..<1000, of: 60_000, id: 2)
            host.data(0..<1000, of: 3000, id: 4)
            _ = host.sent()
            for step in 0..<10 {
                host.pass(microseconds: 1_000)
                let start = 1000 + step * bytes
                host.data(start..<start + bytes, of: 60_000, id: 2)
            }
            let asked = host.sent().contains { $0.header.common.senderID.rawValue == 5 }
            #expect(asked == (bytes == 50), "400 bytes in a millisecond are 3 Mb/s")
        }
    }

    @Test("a response counts for as much as may come without a grant, whatever it announces")
    func usual() throws {
        let host = try LoneHost()
        for (number, incoming) in [10_000, 1_000_000].enumerated() {
            try host.call(length: 10)
            host.data(
                0..<1000, of: 1_000_000, id: UInt64(1001 + 2 * number), incoming: incoming, from: LoneHost.server)
        }
        // Of the second, an eighth of 60 000.
        #expect(try Self.peer(host).pointee.usualUnscheduled == 10_000 - 1250 + 7500)
    }

    @Test("a call waits while as much comes as other calls may bring, and as much again")
    func othersResponses() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.data(0..<100, of: 10_000, id: 1001, incoming: 10_000, from: LoneHost.server)
        host.data(100..<10_000, of: 10_000, id: 1001, incoming: 10_000, from: LoneHost.server)
        try host.call(length: 10)
        try host.call(length: 10)
        _ = host.sent()
        // Two calls under way bring 20 000 bytes, as far as anybody knows, and twice that is waited for.
        for start in stride(from: 0, to: 36_000, by: 1000) {
            host.pass(microseconds: 1_000)
            host.data(start..<start + 1000, of: 36_000, id: 1005, incoming: 36_000, from: LoneHost.server)
            #expect(Self.questions(host) == 0, "after \(start) bytes")
        }
        host.pass(microseconds: 60_000)
        #expect(Self.questions(host) > 0)
    }

    @Test("a sender that has grants is not told as well that we are there")
    func assurance() throws {
        for hasGrants in [true, false] {
            var configuration = GranterTests.configuration()
            configuration.window = nil
            configuration.adaptsWindows = false
            let host = try LoneHost(configuration)
            host.data(0..<1000, of: 900_000, id: 2, incoming: hasGrants ? 1000 : 900_000)
            for start in stride(from: 1000, to: 801_000, by: 10_000) {
                host.pass(microseconds: 2_000)
                host.data(start..<start + 10_000, of: 900_000, id: 2, incoming: 900_000)
            }
            let said = host.said()
            #expect(said.contains("BUSY") == !hasGrants, "\(said)")
        }
    }
}
