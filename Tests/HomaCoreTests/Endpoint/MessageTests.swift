// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

/// One-way messages, packet by packet.
@Suite("One-way messages")
struct MessageTests {
    static let marked = HeaderExtension(marks: .oneWay)

    static func send(_ host: LoneHost, length: Int, cookie: UInt64 = 1) throws -> RPCHandle {
        defer { host.drain() }
        return try host.endpoint.send(
            CallRequest(
                destination: LoneHost.server, serverPort: 99, clientPort: 0x8000, length: length, payload: cookie,
                cookie: cookie), at: host.now)
    }

    /// A host that knows that the server has our extensions.
    static func acquainted(_ configuration: EndpointConfiguration = .small) throws -> LoneHost {
        let host = try LoneHost(configuration)
        host.data(0..<10, of: 10, id: 2, from: LoneHost.server)
        host.receive(.rpcUnknown, id: 2, from: LoneHost.server)
        _ = host.events()
        _ = host.sent()
        return host
    }

    static func ends(_ events: [EndpointEvent]) -> [UInt64] {
        events.compactMap { if case .messageSent(_, let cookie) = $0 { cookie } else { nil } }
    }

    static var unacknowledged: EndpointConfiguration {
        var configuration = EndpointConfiguration.small
        configuration.acknowledgesMessages = false
        return configuration
    }

    // MARK: Sending

    @Test("every packet of a message to a peer with our extensions is marked, and the message ends with the ACK")
    func acknowledged() throws {
        let host = try Self.acquainted()
        _ = try Self.send(host, length: 3000)
        let packets = host.sent()
        #expect(packets.map(\.summary) == ["DATA 0..<1416", "DATA 1416..<2832", "DATA 2832..<3000"])
        #expect(packets.allSatisfy { $0.header.common.extensions.marks == .oneWay })
        #expect(Self.ends(host.events()).isEmpty)
        host.receive(.ack(AckFields()), id: 1001, from: LoneHost.client)
        host.receive(.ack(AckFields()), id: 1001, from: LoneHost.server, ports: (98, 0x8000))
        #expect(host.endpoint.rpcCount == 1, "from the wrong host, or about another port")
        host.receive(.ack(AckFields()), id: 1001, from: LoneHost.server)
        let events = host.events()
        #expect(Self.ends(events) == [1])
        #expect(events.contains { if case .payloadReleased(1) = $0 { true } else { false } })
        #expect(host.endpoint.rpcCount == 0)
        host.receive(.ack(AckFields()), id: 1001, from: LoneHost.server)
        #expect(host.events().isEmpty)
    }

    @Test("an ACK for a message that has not left as a whole is not believed, nor one for a call")
    func falseAcknowledgement() throws {
        let host = try Self.acquainted()
        _ = try Self.send(host, length: 200_000)
        host.receive(.ack(AckFields()), id: 1001, from: LoneHost.server)
        try host.call(length: 10)
        host.receive(.ack(AckFields()), id: 1003, from: LoneHost.server)
        #expect(host.endpoint.rpcCount == 2)
    }

    @Test("to a peer that has not shown our extensions a message goes as a call, whose response is thrown away")
    func fallback() throws {
        let host = try LoneHost()
        _ = try Self.send(host, length: 3000)
        #expect(host.sent().allSatisfy { $0.header.common.extensions.marks.isEmpty })
        host.data(0..<1, of: 1, id: 1001, from: LoneHost.server)
        #expect(Self.ends(host.events()) == [1])
        #expect(host.endpoint.rpcCount == 0)
        #expect(host.pool.statistics.leasesLive == 0)
        // The response is acknowledged like any other.
        host.receive(.needAck, id: 1001, from: LoneHost.server)
        #expect(host.said() == ["ACK +1"])
    }

    @Test("a message that went as a call has arrived also when the application drops it unanswered")
    func fallbackDropped() throws {
        let host = try LoneHost()
        _ = try Self.send(host, length: 100)
        host.receive(
            .rpcUnknown, id: 1001, from: LoneHost.server, extensions: HeaderExtension(marks: .requestDropped))
        let events = host.events()
        #expect(Self.ends(events) == [1])
        #expect(!events.contains { if case .callFailed = $0 { true } else { false } })
        #expect(host.endpoint.rpcCount == 0)
    }

    @Test("a message stays what it was when its first packet left")
    func decided() throws {
        let host = try LoneHost()
        _ = try Self.send(host, length: 100)
        host.receive(.busy, id: 1001, from: LoneHost.server)
        host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 1)), id: 1001, from: LoneHost.server)
        #expect(host.sent().allSatisfy { $0.header.common.extensions.marks.isEmpty })
    }

    @Test("a sender whose ACK is lost asks, and is told that the message arrived")
    func lostAcknowledgement() throws {
        let host = try Self.acquainted()
        _ = try Self.send(host, length: 100)
        _ = host.sent()
        host.pass(microseconds: 5000)
        let questions = host.sent()
        #expect(questions.map(\.summary) == ["RESEND 0 all"])
        #expect(questions[0].header.common.extensions.marks == .oneWay)

        let receiver = try LoneHost()
        receiver.data(0..<100, of: 100, id: 1000, extensions: Self.marked)
        _ = receiver.sent()
        receiver.receive(questions[0].header.body, id: 1000, extensions: Self.marked)
        #expect(receiver.said() == ["ACK +0"])
    }

    @Test("a receiver that knows nothing of the message gets it again")
    func lostAltogether() throws {
        let host = try Self.acquainted()
        _ = try Self.send(host, length: 100)
        _ = host.sent()
        host.receive(.rpcUnknown, id: 1001, from: LoneHost.server)
        let again = host.sent()
        #expect(again.map(\.summary) == ["DATA 0..<100"])
        #expect(again[0].header.common.extensions.marks == .oneWay)
    }

    @Test("a message to a silent peer times out; one to a closed port, or a stale one, fails at once")
    func failures() throws {
        let host = try Self.acquainted()
        _ = try Self.send(host, length: 100)
        host.pass(microseconds: 430_000)
        #expect(host.failures() == [.timedOut])
        for (marks, failure) in [
            (HeaderExtension.Marks.noSuchPort, RPCFailure.noSuchPort), (.requestStale, .refusedAsStale),
        ] {
            _ = try Self.send(host, length: 100)
            let id = try #require(host.sent().last { $0.payloadLength > 0 }).header.common.senderID.peer
            host.receive(
                .rpcUnknown, id: id.rawValue, from: LoneHost.server,
                extensions: HeaderExtension(marks: marks))
            #expect(host.failures() == [failure])
        }
    }

    // MARK: Without acknowledgements

    @Test("without acknowledgements a message is over, and forgotten, when its last byte has left")
    func forgotten() throws {
        let host = try Self.acquainted(Self.unacknowledged)
        _ = try Self.send(host, length: 70_000)
        _ = host.sent()
        #expect(Self.ends(host.events()).isEmpty)
        host.receive(.grant(GrantFields(offset: 70_000, priority: 1)), id: 1001, from: LoneHost.server)
        #expect(host.sent().last?.summary == "DATA 69384..<70000")
        #expect(Self.ends(host.events()) == [1])
        #expect(host.endpoint.rpcCount == 0 && host.endpoint.nextDeadline == nil)
    }

    @Test("it is kept for the configured time, counted from the last question, to be sent again")
    func lingering() throws {
        var configuration = Self.unacknowledged
        configuration.unacknowledgedRetention = .milliseconds(8)
        let host = try Self.acquainted(configuration)
        let handle = try Self.send(host, length: 100)
        #expect(Self.ends(host.events()) == [1])
        _ = host.sent()
        host.pass(microseconds: 6000)
        host.receive(.resend(ResendFields(offset: 0, length: 100, priority: 3)), id: 1001, from: LoneHost.server)
        #expect(host.said() == ["DATA 0..<100"])
        #expect(!host.abort(handle), "it is over already")
        host.pass(microseconds: 7999)
        #expect(host.endpoint.rpcCount == 1)
        host.pass(microseconds: 1)
        #expect(host.endpoint.rpcCount == 0)
        #expect(host.said().isEmpty)
        let events = host.events()
        #expect(events.count == 1, "nothing but the payload's release")
    }

    @Test(
        "an acknowledgement, a refusal or an ICMP report ends the keeping, and is no second outcome", arguments: 0..<4)
    func lingeringEnds(kind: Int) throws {
        var configuration = Self.unacknowledged
        configuration.unacknowledgedRetention = .milliseconds(8)
        let host = try Self.acquainted(configuration)
        _ = try Self.send(host, length: 100)
        _ = host.events()
        switch kind {
        case 0: host.receive(.ack(AckFields()), id: 1001, from: LoneHost.server)
        case 1:
            host.receive(
                .rpcUnknown, id: 1001, from: LoneHost.server, extensions: HeaderExtension(marks: .noSuchPort))
        case 2:
            host.endpoint.unreachable(
                LoneHost.server, because: Refusal(.portUnreachable, .final), offending: RPCID(rawValue: 1000),
                at: host.now)
        default: host.endpoint.releaseEverything(at: host.now)
        }
        #expect(host.endpoint.rpcCount == 0)
        #expect(host.events().count == 1, "nothing but the payload's release")
    }

    @Test("a sender without acknowledgements does not claim that what it has forgotten is finished")
    func noFloor() throws {
        let host = try Self.acquainted(Self.unacknowledged)
        for _ in 0..<3 {
            _ = try Self.send(host, length: 100)
            guard case .data(let data) = try #require(host.sent().last).header.body else { continue }
            #expect(data.oldestUnfinishedDistance == 0)
        }
    }

    @Test("peers assumed to be alike are sent marks and our own cutoffs from the first packet on")
    func alike() throws {
        var configuration = EndpointConfiguration.small
        configuration.assumesPeersAlike = true
        let host = try LoneHost(configuration)
        _ = try Self.send(host, length: 100)
        let packet = try #require(host.sent().first)
        #expect(packet.header.common.extensions.marks == .oneWay && packet.priority == 7)
        guard case .data(let data) = packet.header.body else { return }
        #expect(data.cutoffVersion == configuration.cutoffVersion)
    }

    // MARK: Receiving

    @Test("a marked message is delivered once, acknowledged, and leaves nothing but its identifier behind")
    func delivered() throws {
        let host = try LoneHost()
        host.data(1000..<2000, of: 2000, id: 2, extensions: Self.marked)
        #expect(host.events().count == 1, "a peer has been added")
        host.data(0..<1000, of: 2000, id: 2, extensions: Self.marked)
        let events = host.events()
        guard case .messageArrived(let message) = try #require(events.first) else {
            Issue.record("\(events)")
            return
        }
        #expect(message.length == 2000 && message.client == LoneHost.client && message.serverPort == 99)
        #expect(host.said() == ["ACK +0"])
        #expect(host.endpoint.rpcCount == 0)
        #expect(try !host.respond(message.rpc, length: 10), "the handle is stale")
        #expect(host.data(0..<1000, of: 2000, id: 2, extensions: Self.marked) == .dropped(.finishedBefore))
        _ = try host.pool.release(message.lease)
        #expect(host.pool.statistics.leasesLive == 0)
        #expect(host.endpoint.statistics.messagesDelivered == 1 && host.endpoint.statistics.requestsDelivered == 0)
    }

    @Test("a receiver without acknowledgements sends none, but answers who asks")
    func silent() throws {
        let host = try LoneHost(Self.unacknowledged)
        host.data(0..<100, of: 100, id: 2, extensions: Self.marked)
        #expect(host.said().isEmpty)
        host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 0)), id: 2, extensions: Self.marked)
        #expect(host.said() == ["ACK +0"])
    }

    @Test("a message of which it is not certain that it was delivered is not acknowledged but refused")
    func uncertain() throws {
        let host = try LoneHost()
        host.data(0..<100, of: 100, id: 4000, extensions: Self.marked)
        host.data(0..<100, of: 100, id: 8000, extensions: Self.marked)
        _ = host.sent()
        host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 0)), id: 4000, extensions: Self.marked)
        let packets = host.sent()
        #expect(packets.map(\.summary) == ["RPC_UNKNOWN"])
        #expect(packets[0].header.common.extensions.marks == .requestStale)
    }
}
