// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

/// At most once, for ever: whatever happens to addresses, servers and records.
@Suite("Identity and at most once")
struct IdentityTests {
    static let elsewhere = PeerAddress(ipv4: 0x0A00_0063, port: 4001)
    static let named = HeaderExtension(tag: 0xC0FF_EE00_0000_0001)
    static let other = HeaderExtension(tag: 0xBAD0_0000_0000_0002)

    @discardableResult
    static func request(
        _ host: LoneHost, id: UInt64 = 2, from address: PeerAddress = LoneHost.client,
        as extensions: HeaderExtension = named, proof: UInt32 = 0, unused: UInt32 = 1
    ) -> Disposition {
        var extensions = extensions
        if proof != 0 { extensions.marks.insert(.proof) }
        let data = DataFields(
            messageLength: 100, incoming: 100, proof: proof, unusedDistance: unused, offset: 0, payloadLength: 100)
        return host.receive(.data(data), id: id, from: address, extensions: extensions)
    }

    static func answer(
        _ host: LoneHost, id: UInt64 = 2, from address: PeerAddress = LoneHost.client,
        as client: HeaderExtension = named
    ) throws {
        try host.respond(try #require(try host.requests().first).rpc, length: 100)
        host.receive(.ack(AckFields()), id: id, from: address, extensions: client)
        _ = host.sent()
    }

    @Test("a client that moves is known again: what ran does not run a second time")
    func moved() throws {
        let host = try LoneHost()
        Self.request(host)
        try Self.answer(host)
        #expect(Self.request(host, from: Self.elsewhere) == .dropped(.finishedBefore))
        #expect(Self.request(host, id: 4, from: Self.elsewhere) != .dropped(.finishedBefore))
        host.endpoint.checkInvariants()
    }

    @Test("what runs while its client moves is answered at the new address")
    func movedInService() throws {
        let host = try LoneHost()
        Self.request(host)
        let request = try #require(try host.requests().first)
        #expect(Self.request(host, from: Self.elsewhere) == .dropped(.duplicate))
        try host.respond(request.rpc, length: 100)
        #expect(host.sent().last?.peer == Self.elsewhere)
        #expect(host.endpoint.statistics.requestsMoved == 1)
    }

    @Test("a client with two addresses is answered where it asked, whatever else it says from where")
    func twoAddresses() throws {
        let host = try LoneHost()
        Self.request(host)
        Self.request(host, id: 4, from: Self.elsewhere)
        // The server's former clients at that address are asked for acknowledgements, and it answers for them.
        host.receive(.ack(AckFields()), id: 8, from: Self.elsewhere, extensions: Self.named)
        host.endpoint.checkInvariants()
        for request in try host.requests() { try host.respond(request.rpc, length: 100) }
        let answers = host.sent().filter { $0.header.common.type == .data }
        #expect(answers.count == 2)
        for answer in answers {
            let isFirst = answer.header.common.senderID.clientSide.rawValue == 2
            #expect(answer.peer == (isFirst ? LoneHost.client : Self.elsewhere))
        }
        // From either it may say that it has them.
        host.receive(.ack(AckFields()), id: 4, from: LoneHost.client, extensions: Self.named)
        host.receive(.ack(AckFields()), id: 2, from: Self.elsewhere, extensions: Self.named)
        #expect(host.endpoint.rpcCount == 0)
    }

    @Test("a long request whose client moves before all of it has come arrives anew")
    func movedWhileItArrives() throws {
        let host = try LoneHost()
        let first = DataFields(messageLength: 200, incoming: 200, offset: 0, payloadLength: 100)
        let second = DataFields(messageLength: 200, incoming: 200, offset: 100, payloadLength: 100)
        host.receive(.data(first), id: 2, extensions: Self.named)
        host.receive(.data(second), id: 2, from: Self.elsewhere, extensions: Self.named)
        #expect(try host.requests().isEmpty && host.endpoint.rpcCount == 1)
        host.receive(.data(first), id: 2, from: Self.elsewhere, extensions: Self.named)
        let request = try #require(try host.requests().first)
        #expect(request.client == Self.elsewhere)
        host.endpoint.checkInvariants()
    }

    @Test("a call whose server asks from another address whether its answer is there is not taken to have it")
    func serverElsewhere() throws {
        let host = try LoneHost()
        try host.call(length: 100)
        _ = host.sent()
        host.receive(.needAck, id: 1001, from: Self.elsewhere)
        #expect(host.said().isEmpty)
        #expect(host.dropped(.unknownPeer) == 1)
    }

    @Test("a client that moves to where we already call it as a server keeps its request, and our call goes on")
    func movedToOurServer() throws {
        let host = try LoneHost()
        Self.request(host)
        let request = try #require(try host.requests().first)
        try host.call(length: 100, to: Self.elsewhere)
        _ = host.sent()
        #expect(Self.request(host, from: Self.elsewhere) == .dropped(.duplicate))
        host.endpoint.checkInvariants()
        host.data(0..<10, of: 10, id: 1001, from: Self.elsewhere)
        #expect(host.endpoint.statistics.callsCompleted == 1)
        try host.respond(request.rpc, length: 100)
        #expect(host.sent().last?.peer == Self.elsewhere)
        host.receive(.ack(AckFields()), id: 2, from: Self.elsewhere, extensions: Self.named)
        #expect(host.endpoint.rpcCount == 0)
        #expect(Self.request(host, from: Self.elsewhere) == .dropped(.finishedBefore))
        host.endpoint.checkInvariants()
    }

    @Test("two clients that change places keep what is theirs")
    func swapped() throws {
        let host = try LoneHost()
        Self.request(host)
        Self.request(host, from: Self.elsewhere, as: Self.other)
        #expect(Self.request(host, from: Self.elsewhere) == .dropped(.duplicate))
        #expect(Self.request(host, as: Self.other) == .dropped(.duplicate))
        host.endpoint.checkInvariants()
        for request in try host.requests() { try host.respond(request.rpc, length: 100) }
        let answers = host.sent().filter { $0.header.common.type == .data }
        #expect(Set(answers.map(\.peer)) == [LoneHost.client, Self.elsewhere])
    }

    @Test("nobody speaks in a client's name without its identity, from its own address either")
    func forged() throws {
        let host = try LoneHost()
        let first = DataFields(messageLength: 200, incoming: 200, offset: 0, payloadLength: 100)
        let second = DataFields(messageLength: 200, incoming: 200, offset: 100, payloadLength: 100)
        host.receive(.data(first), id: 2, extensions: Self.named)
        // It is the beginning of another request, of somebody else.
        host.receive(.data(second), id: 2, extensions: Self.other)
        host.receive(.data(second), id: 2, extensions: .none)
        #expect(try host.requests().isEmpty && host.endpoint.rpcCount == 3)
        // Finished requests of others at the same address are not its own.
        for id in stride(from: UInt64(1 << 40), to: 1 << 40 + 20, by: 2) {
            Self.request(host, id: id, as: Self.other)
            try Self.answer(host, id: id, as: Self.other)
        }
        host.receive(.data(second), id: 2, extensions: Self.named)
        #expect(try host.requests().map(\.id.clientSide.rawValue) == [2])
        #expect(Self.request(host, id: 4) != .dropped(.finishedBefore))
        host.endpoint.checkInvariants()
    }

    @Test("a client's late duplicates of a former life are known, and its new requests run")
    func formerLife() throws {
        let host = try LoneHost()
        Self.request(host, id: 1 << 30, as: Self.other)
        try Self.answer(host, id: 1 << 30, as: Self.other)
        for id in stride(from: UInt64(2), through: 20, by: 2) {
            #expect(Self.request(host, id: id) != .dropped(.finishedBefore))
            #expect(Self.request(host, id: 1 << 30, as: Self.other) == .dropped(.finishedBefore))
        }
    }

    @Test("a server without a memory lets run what is shown to be wanted now, once")
    func probation() throws {
        var configuration = EndpointConfiguration.small
        configuration.memoryProbation = .seconds(30)
        let host = try LoneHost(configuration)
        Self.request(host)
        let challenge = try #require(host.sent().first)
        #expect(challenge.summary == "RESEND 0..<1" && challenge.header.common.extensions.memory == 0)
        #expect(challenge.header.common.extensions.marks == .toFirst)
        let token = challenge.header.common.extensions.token
        #expect(try host.requests().isEmpty, "it is kept, and not run")
        Self.request(host, from: Self.elsewhere, proof: token)
        #expect(try host.requests().isEmpty, "a token is for one address")
        Self.request(host, proof: token &+ 1)
        #expect(try host.requests().isEmpty)
        Self.request(host, proof: token)
        try Self.answer(host)
        #expect(Self.request(host, proof: token) == .dropped(.finishedBefore))
        Self.request(host, id: 4)
        #expect(try host.requests().count == 1, "a known client shows nothing more")
        Self.request(host, id: 20, from: Self.elsewhere, as: Self.other)
        let own = try #require(host.sent().last?.header.common.extensions.token)
        #expect(try host.requests().isEmpty)
        Self.request(host, id: 20, from: Self.elsewhere, as: Self.other, proof: own, unused: 5)
        #expect(try host.requests().count == 1)
        Self.request(host, id: 28, from: Self.elsewhere, as: Self.other)
        #expect(
            try host.requests().isEmpty, "it had used this when it became known, so it may have sent it before")
        Self.request(host, id: 30, from: Self.elsewhere, as: Self.other)
        #expect(try host.requests().count == 1)
        host.endpoint.checkInvariants()
        host.pass(microseconds: 30_000_000)
        Self.request(host, id: 26, from: Self.elsewhere, as: Self.other)
        #expect(try host.requests().count == 1, "no duplicates are on their way any more")
        Self.request(host, id: 2, as: HeaderExtension(tag: 77))
        #expect(try host.requests().count == 1)
        Self.request(host, id: 6, from: Self.elsewhere, as: .none)
        #expect(try host.requests().count == 1)
    }

    @Test("a client that shows its token again need not show it for what came between")
    func shownAgain() throws {
        var configuration = EndpointConfiguration.small
        configuration.memoryProbation = .seconds(30)
        let host = try LoneHost(configuration)
        Self.request(host)
        let token = try #require(host.sent().first).header.common.extensions.token
        for id in [2, 100] as [UInt64] {
            Self.request(host, id: id, proof: token)
            try Self.answer(host, id: id)
        }
        Self.request(host, id: 50)
        #expect(try host.requests().count == 1, "it became known before")
    }

    @Test("a request that waits for its token is asked about again, and ends when nobody wants it")
    func unwanted() throws {
        var configuration = EndpointConfiguration.small
        configuration.memoryProbation = .seconds(30)
        for isAnswered in [false, true] {
            let host = try LoneHost(configuration)
            host.data(0..<1000, of: 3000, id: 2, extensions: Self.named)
            host.data(1000..<3000, of: 3000, id: 2, extensions: Self.named)
            #expect(host.said().filter { $0 == "RESEND 0..<1" }.count == 1, "one word for a request")
            host.pass(microseconds: 50_000)
            let asked = host.sent().filter { $0.summary == "RESEND 0..<1" }
            #expect(asked.count > 1 && asked.allSatisfy { $0.header.common.extensions.memory != nil })
            host.endpoint.checkInvariants()
            // A late duplicate of a client that has long had its answer.
            if isAnswered { host.receive(.rpcUnknown, id: 2, extensions: Self.named) }
            host.pass(microseconds: isAnswered ? 1 : 2_000_000)
            #expect(host.endpoint.rpcCount == 0 && host.pool.statistics.leasesLive == 0)
            #expect(try host.requests().isEmpty)
            let peer = host.endpoint.findPeer(LoneHost.client)
            #expect(host.endpoint.peers.at(try #require(peer)).pointee.brokenRequests == 0)
        }
    }

    @Test("a long request that was silent until its client showed the token is granted to then")
    func granted() throws {
        var configuration = EndpointConfiguration.small
        configuration.memoryProbation = .seconds(30)
        configuration.overcommitment = 1
        configuration.fifoGrantFraction = 0
        configuration.window = 10_000
        configuration.grantIncrement = 1000
        let host = try LoneHost(configuration)
        // A shorter one of another peer has the only place.
        let other = GranterTests.peer(1)
        host.data(0..<1000, of: 60_000, id: 2, incoming: 1000, from: other, extensions: .none)
        host.data(0..<1000, of: 100_000, id: 2, incoming: 1000, extensions: Self.named)
        let challenge = host.sent().first { $0.summary == "RESEND 0..<1" }
        let token = try #require(challenge?.header.common.extensions.token)
        for packet in 1..<40 {
            host.pass(microseconds: 1000)
            host.data(
                packet * 1000..<packet * 1000 + 1000, of: 60_000, id: 2, incoming: 1000, from: other, extensions: .none)
        }
        host.receive(.rpcUnknown, id: 2, from: other, extensions: .none)
        #expect(!host.said().contains { $0.hasPrefix("GRANT 11000") })
        var marked = Self.named
        marked.marks.insert(.proof)
        host.receive(
            .data(
                DataFields(
                    messageLength: 100_000, incoming: 1000, proof: token, isRetransmission: true, offset: 0,
                    payloadLength: 1000)), id: 2, extensions: marked)
        #expect(host.said().contains { $0.hasPrefix("GRANT 11000") })
        host.endpoint.checkInvariants()
    }

    /// How long the server's memory is, when the call left, and when it is asked for its token, in milliseconds.
    @Test(
        "a client shows its token, unless its request may have run before the server's memory began",
        arguments: [
            (memory: 1000, after: 10, shows: true), (memory: 5, after: 10, shows: true),
            (memory: 150, after: 200, shows: false), (memory: 500, after: 200, shows: true),
        ])
    func token(memory: Int, after: Int, shows: Bool) throws {
        for isFirst in [false, true] {
            let host = try LoneHost()
            host.pass(microseconds: 10_000_000)
            try host.call(length: 100)
            host.pass(microseconds: UInt64(after) * 1000)
            let before = host.sent()
            let sent = try #require(before.first { $0.payloadLength > 0 })
            host.receive(
                .resend(ResendFields(offset: 0, length: 1, priority: 7)), id: sent.header.common.senderID.peer.rawValue,
                from: LoneHost.server,
                extensions: HeaderExtension(
                    marks: isFirst ? .toFirst : [],
                    tag: HeaderExtension.tag(token: 5, memory: UInt64(memory) * 1_000_000)))
            let packets = host.sent()
            // Asked about since, it cannot tell what a short memory means.
            let shows = shows && (isFirst || memory > after)
            let again = packets.filter { $0.payloadLength > 0 }
            #expect(again.count == (shows ? 1 : 0))
            if case .data(let data)? = again.first?.header.body { #expect(data.proof == 5 && data.isRetransmission) }
            #expect(host.failures() == (shows ? [] : [.peerRestarted]))
        }
    }

    @Test(
        "what waited in the socket while the process did not run does not tell how long the memory is now",
        arguments: [(memory: 420, shows: true), (memory: 100, shows: false)])
    func waited(memory: UInt64, shows: Bool) throws {
        let host = try LoneHost()
        host.pass(microseconds: 10_000_000)
        try host.call(length: 100)
        let id = try #require(host.sent().first).header.common.senderID.peer.rawValue
        func ask(memory: UInt64) {
            host.receive(
                .resend(ResendFields(offset: 0, length: 1, priority: 7)), id: id, from: LoneHost.server,
                extensions: HeaderExtension(tag: HeaderExtension.tag(token: 5, memory: memory * 1_000_000)))
        }
        host.pass(microseconds: 1_000)
        host.now = host.now.advanced(byNanoseconds: 300_000_000)
        ask(memory: 100)
        host.pass(microseconds: 10)
        _ = host.sent()
        ask(memory: 250)
        #expect(host.failures().isEmpty && host.sent().allSatisfy { $0.payloadLength == 0 })
        host.pass(microseconds: 20_000)
        _ = host.sent()
        ask(memory: memory)
        #expect(host.sent().count { $0.payloadLength > 0 } == (shows ? 1 : 0))
        #expect(host.failures() == (shows ? [] : [.peerRestarted]))
    }

    @Test("a client shows the token of a server that it knows once in a second")
    func shownOften() throws {
        let host = try LoneHost()
        let server = HeaderExtension(tag: HeaderExtension.tag(token: 7, memory: 1_000_000_000))
        var proofs: [UInt32] = []
        for (cookie, wait) in [0, 1, 1, 990, 10].enumerated() {
            host.pass(microseconds: UInt64(wait) * 1000)
            try host.call(length: 100, cookie: UInt64(cookie))
            let sent = try #require(host.sent().first { $0.payloadLength > 0 })
            if case .data(let data) = sent.header.body { proofs.append(data.proof) }
            host.data(
                0..<10, of: 10, id: sent.header.common.senderID.peer.rawValue, from: LoneHost.server,
                extensions: server)
        }
        #expect(host.endpoint.statistics.callsCompleted == 5)
        #expect(proofs == [0, 7, 0, 0, 7])
    }

    @Test("what one answer tells about a server's memory holds for the other calls to it")
    func sameMemory() throws {
        let host = try LoneHost()
        host.pass(microseconds: 10_000)
        try host.call(length: 100, cookie: 1)
        host.pass(microseconds: 1000)
        try host.call(length: 100, cookie: 2)
        host.pass(microseconds: 30_000)
        _ = host.sent()
        // The server started at time 0, and what it said 11 and 12 ms later was long on its way. The second call was
        // asked about 15 ms after it began: by itself the answer might be that of a server that has started since.
        for (id, memory) in [(1001, 11), (1003, 12)] as [(UInt64, UInt64)] {
            let answer = HeaderExtension(
                marks: id == 1001 ? .toFirst : [], tag: HeaderExtension.tag(token: 7, memory: memory * 1_000_000))
            host.receive(.rpcUnknown, id: id, from: LoneHost.server, extensions: answer)
            #expect(host.said() == ["DATA 0..<100"])
        }
        #expect(host.failures().isEmpty)
    }

    @Test("a client whose record had to make room is not taken for a new one")
    func evicted() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumPeers = 16
        configuration.peerIdleLimit = .zero
        configuration.memoryProbation = .seconds(30)
        let host = try LoneHost(configuration)
        let first = PeerAddress(ipv4: 0x0A00_0101, port: 4000)
        Self.request(host, from: first, as: HeaderExtension(tag: 1))
        let token = try #require(host.sent().first?.header.common.extensions.token)
        host.pass(microseconds: 40_000_000)
        for number in 1...16 as ClosedRange<UInt64> {
            host.pass(microseconds: 1000)
            let address = PeerAddress(ipv4: 0x0A00_0100 + UInt32(number), port: 4000)
            Self.request(host, from: address, as: HeaderExtension(tag: number))
            try host.respond(try #require(try host.requests().first).rpc, length: 100)
            host.receive(.ack(AckFields()), id: 2, from: address, extensions: HeaderExtension(tag: number))
        }
        _ = host.sent()
        #expect(
            Self.request(host, as: HeaderExtension(tag: 17)) == .dropped(.tooManyPeers),
            "no record is given up within a second")
        #expect(host.said().first == "BUSY")
        host.pass(microseconds: 1_000_000)
        Self.request(host, as: HeaderExtension(tag: 17))
        #expect(try host.requests().count == 1)
        Self.request(host, from: first, as: HeaderExtension(tag: 1), proof: token)
        #expect(try host.requests().isEmpty, "what was proved before counts no more")
        let challenge = try #require(host.sent().first { $0.summary == "RESEND 0..<1" })
        let answer = challenge.header.common.extensions
        #expect(
            answer.memory == 1_000_000_000, "of what the first client asked for until its end nothing is certain")
        #expect(answer.token != token)
        host.endpoint.checkInvariants()
    }
}
