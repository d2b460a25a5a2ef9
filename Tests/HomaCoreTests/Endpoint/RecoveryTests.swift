// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// When a silent peer is asked, and how often.
@Suite("Probes to silent peers")
struct RecoveryTests {
    /// A call that the server answers after so long, saying BUSY when it is asked; returns when it was asked.
    static func slowCall(_ host: LoneHost, microseconds: UInt64, id: inout UInt64) throws -> [UInt64] {
        var asked: [UInt64] = []
        try host.call(length: 10)
        _ = host.sent()
        for _ in 0..<microseconds / 100 {
            host.pass(microseconds: 100)
            for packet in host.sent() where packet.summary == "RESEND 0 all" {
                asked.append(host.now.nanoseconds)
                host.receive(.busy, id: id + 1, from: LoneHost.server)
            }
        }
        host.data(0..<10, of: 10, id: id + 1, from: LoneHost.server)
        _ = host.events()
        id += 2
        return asked
    }

    @Test("a server that takes 30 ms is soon not asked before that, and one that became quick is asked early again")
    func learns() throws {
        let host = try LoneHost()
        var id: UInt64 = 1000
        #expect(try Self.slowCall(host, microseconds: 30_000, id: &id).count >= 2)
        for _ in 0..<30 { _ = try Self.slowCall(host, microseconds: 30_000, id: &id) }
        #expect(try Self.slowCall(host, microseconds: 30_000, id: &id).isEmpty)
        for _ in 0..<60 { _ = try Self.slowCall(host, microseconds: 100, id: &id) }
        try host.call(length: 10)
        _ = host.sent()
        host.pass(microseconds: 6000)
        #expect(host.said() == ["RESEND 0 all"])
    }

    @Test("no server is waited for longer than a quarter of the timeout before it is asked")
    func limit() throws {
        let host = try LoneHost()
        var id: UInt64 = 1000
        for _ in 0..<20 { _ = try Self.slowCall(host, microseconds: 2_000_000, id: &id) }
        let start = host.now.nanoseconds
        let asked = try Self.slowCall(host, microseconds: 500_000, id: &id).map { ($0 - start) / 1_000_000 }
        #expect(asked.prefix(4) == [100, 200, 300, 400])
    }

    @Test("a request that was sent again tells nothing about the server's pace")
    func retransmission() throws {
        let host = try LoneHost()
        for call in 0..<10 as Range<UInt64> {
            let id = 1001 + 2 * call
            try host.call(length: 10)
            host.pass(microseconds: 80_000)
            host.receive(.rpcUnknown, id: id, from: LoneHost.server)
            host.pass(microseconds: 10)
            host.data(0..<10, of: 10, id: id, from: LoneHost.server)
        }
        try host.call(length: 10)
        _ = host.sent()
        host.pass(microseconds: 5000)
        #expect(host.said() == ["RESEND 0 all"])
    }

    @Test("the rest of a message is asked for later when its sender usually takes longer to send what is granted")
    func grants() throws {
        var configuration = GranterTests.configuration()
        configuration.window = 1000
        let host = try LoneHost(configuration)
        host.data(0..<1000, of: 40_000, id: 2, incoming: 1000)
        for start in stride(from: 1000, to: 30_000, by: 1000) {
            // A sender that needs 4 ms for it is not asked, but leaves an impression.
            host.pass(microseconds: start % 2000 == 0 ? 4000 : 1000)
            host.data(start..<start + 1000, of: 40_000, id: 2)
        }
        _ = host.sent()
        host.pass(microseconds: 6000)
        #expect(host.said().isEmpty)
        host.pass(microseconds: 14_000)
        #expect(host.said().prefix(2) == ["GRANT 31416 p0", "RESEND 30000..<31416"])
    }

    static func crowd(_ questions: Int, calls: Int = 200) throws -> LoneHost {
        var configuration = EndpointConfiguration.small
        configuration.probesPerPeer = questions
        let host = try LoneHost(configuration)
        for cookie in 0..<calls { try host.call(length: 10, cookie: UInt64(cookie)) }
        _ = host.sent()
        return host
    }

    @Test("of many calls to one server only so many are asked about at a time; answers make room for more")
    func window() throws {
        let host = try Self.crowd(8)
        host.pass(microseconds: 5000)
        var questions = host.sent()
        #expect(questions.map(\.summary) == Array(repeating: "RESEND 0 all", count: 8))
        var asked: Set<UInt64> = []
        for _ in 0..<400 {
            for packet in questions {
                asked.insert(packet.header.common.senderID.rawValue)
                host.receive(.busy, id: packet.header.common.senderID.rawValue ^ 1, from: LoneHost.server)
            }
            host.pass(microseconds: 1000)
            questions = host.sent()
            #expect(questions.count <= 8)
        }
        #expect(asked.count == 200, "everybody's turn comes")
        #expect(host.failures().isEmpty, "nobody gives up who could not ask")
        #expect(host.endpoint.statistics.probesDeferred > 0)
    }

    @Test("an answer makes room for the next question at once")
    func nextInTurn() throws {
        let host = try Self.crowd(8, calls: 20)
        host.pass(microseconds: 5000)
        var open = host.sent().map(\.header.common.senderID.rawValue)
        #expect(open.count == 8)
        for _ in 0..<12 {
            host.receive(.busy, id: open.removeFirst() ^ 1, from: LoneHost.server)
            let next = host.sent()
            #expect(next.map(\.summary) == ["RESEND 0 all"])
            open += next.map(\.header.common.senderID.rawValue)
        }
        #expect(Set(open).count == 8, "about another call each time")
    }

    @Test("a server that does not answer is asked less and less, and all calls to it fail in time")
    func deadServer() throws {
        let host = try Self.crowd(8)
        var perTenth: [Int] = []
        for _ in 0..<4 {
            host.pass(microseconds: 100_000)
            perTenth.append(host.sent().count { $0.summary == "RESEND 0 all" })
        }
        // Four for each time that an answer is waited for, after the first eight; one for each call would be 200.
        #expect(perTenth[0] <= 100)
        #expect(perTenth[3] <= perTenth[0] / 2, "the intervals grow as well")
        host.pass(microseconds: 250_000)
        #expect(host.failures().count == 200)
        #expect(host.endpoint.rpcCount == 0)
    }

    @Test("acknowledgements are asked for within the same limit, and none is forgotten")
    func acknowledgements() throws {
        var configuration = EndpointConfiguration.small
        configuration.probesPerPeer = 4
        let host = try LoneHost(configuration)
        for number in 1...50 as ClosedRange<UInt64> {
            host.data(0..<10, of: 10, id: number * 2)
            try host.respond(try #require(try host.requests().first).rpc, length: 10)
        }
        _ = host.sent()
        host.pass(microseconds: 2000)
        #expect(host.said() == Array(repeating: "NEED_ACK", count: 4))
        for _ in 0..<1000 {
            for packet in host.sent() {
                host.receive(.ack(AckFields()), id: packet.header.common.senderID.rawValue ^ 1)
            }
            host.pass(microseconds: 1000)
        }
        #expect(host.endpoint.rpcCount == 0)
        #expect(host.endpoint.statistics.clientsLost < 50)
    }

    @Test("a server without room says BUSY to who asks, and takes the request when there is room")
    func fullServer() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumServerRPCsPerHost = 2
        let host = try LoneHost(configuration)
        host.data(0..<10, of: 10, id: 2)
        host.data(0..<10, of: 10, id: 4)
        #expect(host.data(0..<10, of: 20, id: 6) == .dropped(.tooManyRPCs))
        #expect(host.data(10..<20, of: 20, id: 6) == .dropped(.tooManyRPCs))
        #expect(host.said() == ["BUSY"], "one for a request")
        let all = PacketBody.resend(ResendFields(offset: 0, length: -1, priority: 0))
        host.receive(all, id: 6)
        #expect(host.said() == ["BUSY"])
        host.receive(all, id: 6, from: LoneHost.server)
        #expect(host.said() == ["RPC_UNKNOWN"], "another client has room")
        for request in try host.requests() {
            try host.respond(request.rpc, length: 10)
            host.receive(.ack(AckFields()), id: request.id.clientSide.rawValue)
        }
        _ = host.sent()
        host.receive(all, id: 2)
        #expect(host.sent().first?.header.common.extensions.marks == .requestStale)
        host.receive(all, id: 6)
        #expect(host.said() == ["RPC_UNKNOWN"])
        #expect(host.data(0..<10, of: 20, id: 6) != .dropped(.tooManyRPCs))
    }

    /// Far more calls than the server takes at once, with service times far above `resendAfter`.
    static func overload(adapts: Bool) throws -> TestNet {
        var configuration = EndpointConfiguration.default
        configuration.maximumServerRPCsPerHost = 100
        configuration.adaptsTimers = adapts
        if !adapts { configuration.probesPerPeer = 0 }
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: configuration), seed: 4)
        net.serviceTime = 200_000_000
        for cookie in 0..<700 { try net.call(from: 0, to: 1, length: 100, cookie: UInt64(cookie)) }
        try net.run()
        checkAtRest(net, calls: 700, mayFail: !adapts)
        return net
    }

    @Test("under overload every call is answered, with a fraction of the questions of fixed timers")
    func overload() throws {
        let ours = try Self.overload(adapts: true)
        let fixed = try Self.overload(adapts: false)
        let questions = [ours, fixed].map { $0.hosts[0].endpoint.statistics.sent(.resend) }
        #expect(questions[0] * 3 < questions[1], "\(questions)")
    }

    @Test("several answers that a request is unknown, to as many probes, have it sent again once in a round trip")
    func unknownOnce() throws {
        let host = try LoneHost()
        try host.call(length: 100)
        _ = host.sent()
        host.pass(microseconds: 40_000)
        _ = host.sent()
        let toFirst = HeaderExtension(marks: .toFirst, tag: HeaderExtension.tag(token: 7, memory: 1_000_000_000))
        host.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: toFirst)
        #expect(host.said() == ["DATA 0..<100"])
        for _ in 1...4 {
            host.now = host.now.advanced(byNanoseconds: 5_000_000)
            host.receive(.rpcUnknown, id: 1001, from: LoneHost.server)
            #expect(host.said().isEmpty, "it knows of the request by the time it hears this")
        }
        host.now = host.now.advanced(byNanoseconds: 20_000_000)
        host.receive(.rpcUnknown, id: 1001, from: LoneHost.server)
        #expect(host.said() == ["DATA 0..<100"])
    }

    @Test(
        "all of a response is not sent again to a question that must have passed it on a long way",
        arguments: [1000, 30_000])
    func passedOnTheWay(response: Int) throws {
        let host = try LoneHost()
        let length = 100_000
        host.data(0..<1000, of: length, id: 2, incoming: 10_000)
        for offset in stride(from: 1000, to: length, by: 1000) {
            // What a grant lets go comes at least 50 ms after it.
            host.now = host.now.advanced(byNanoseconds: 50_000_000)
            host.data(offset..<offset + 1000, of: length, id: 2, incoming: 10_000)
        }
        try host.respond(try #require(host.requests().first).rpc, length: response)
        #expect(host.sent().reduce(0) { $0 + $1.payloadLength } == response)
        func ask() -> [String] {
            host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 0)), id: 2)
            return host.said()
        }
        host.now = host.now.advanced(byNanoseconds: 30_000_000)
        #expect(ask() == ["BUSY"])
        host.now = host.now.advanced(byNanoseconds: 100_000_000)
        #expect(ask() == ["DATA 0..<\(min(response, 1416))"], "now it may be lost")
    }
}
