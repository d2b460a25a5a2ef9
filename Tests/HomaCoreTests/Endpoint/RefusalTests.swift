// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWire
import Testing

@Suite("What keeps packets away, and where they leave from")
struct RefusalTests {
    private static let router = PeerAddress(ipv4: 0x0A00_00FE, port: 0)
    private static let unreachable = Refusal(.hostUnreachable, .hint, code: 113, reporter: router)

    /// Lets time pass, with everything that the endpoint does meanwhile.
    private func run(_ host: LoneHost, milliseconds: UInt64, each body: () -> Void = {}) {
        for _ in 0..<milliseconds {
            host.now = host.now + .milliseconds(1)
            host.endpoint.expireTimers(at: host.now)
            _ = host.sent()
            body()
        }
    }

    private func report(_ host: LoneHost, _ refusal: Refusal, about id: UInt64 = 1000) {
        host.endpoint.unreachable(LoneHost.server, because: refusal, offending: RPCID(rawValue: id), at: host.now)
    }

    @Test("a host that cannot be reached for a moment costs no call")
    func moment() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        run(host, milliseconds: 200) { report(host, Self.unreachable) }
        #expect(host.failures() == [] && host.endpoint.rpcCount == 1)
        host.data(0..<10, of: 10, id: 1001, from: LoneHost.server)
        #expect(host.endpoint.rpcCount == 0 && host.failures() == [])
        #expect(host.endpoint.refusal(by: LoneHost.server) == nil)
    }

    @Test("a call that nobody answers fails as what was said last, and as silence only when nothing was")
    func reason() throws {
        for isTold in [true, false] {
            let host = try LoneHost()
            try host.call(length: 10)
            _ = host.sent()
            run(host, milliseconds: 1000) { if isTold { report(host, Self.unreachable) } }
            #expect(host.failures() == [isTold ? .hostUnreachable : .timedOut])
            #expect(host.endpoint.refusal(by: LoneHost.server) == (isTold ? Self.unreachable : nil))
        }
    }

    @Test("what was said before the server's last word is no reason for its silence")
    func outdated() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        report(host, Self.unreachable)
        run(host, milliseconds: 1)
        host.receive(.busy, id: 1001, from: LoneHost.server)
        run(host, milliseconds: 1500)
        #expect(host.failures() == [.timedOut])
    }

    @Test("a refusal of the own system ends calls when it has lasted, and not when it was one of few")
    func lasting() throws {
        let forbidden = Refusal(.sendRefused, .lasting, code: 1, isProhibition: true)
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        run(host, milliseconds: 40) { report(host, forbidden) }
        host.receive(.busy, id: 1001, from: LoneHost.server)
        run(host, milliseconds: 49) { report(host, forbidden) }
        #expect(host.failures() == [])
        run(host, milliseconds: 20) { report(host, forbidden) }
        #expect(host.failures() == [.sendRefused])
        #expect(RPCFailure.sendRefused.mayHaveRun)
    }

    @Test("a refusal of long ago does not make one that has just begun a lasting one, though nothing came meanwhile")
    func longAgo() throws {
        let forbidden = Refusal(.sendRefused, .lasting, code: 1, isProhibition: true)
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        report(host, forbidden)
        run(host, milliseconds: 1500)
        #expect(host.failures() == [.sendRefused], "it was the reason for the silence")
        try host.call(length: 10)
        let id = try #require(host.sent().first).header.common.senderID.rawValue
        report(host, forbidden, about: id)
        run(host, milliseconds: 49) { report(host, forbidden, about: id) }
        #expect(host.failures() == [])
        run(host, milliseconds: 1) { report(host, forbidden, about: id) }
        #expect(host.failures() == [.sendRefused])
    }

    @Test("a request whose first packet, sent once, found nobody has certainly not run; others may have")
    func notRun() throws {
        func failures(after milliseconds: UInt64, isFirst: Bool) throws -> [RPCFailure] {
            let host = try LoneHost()
            try host.call(length: 10, cookie: 1)
            try host.call(length: 10, cookie: 2)
            _ = host.sent()
            run(host, milliseconds: milliseconds)
            host.endpoint.unreachable(
                LoneHost.server, because: Refusal(.portUnreachable, .final), offending: RPCID(rawValue: 1000),
                isFirst: isFirst, at: host.now)
            return host.failures()
        }
        #expect(try failures(after: 1, isFirst: true) == [.portClosed, .portUnreachable])
        #expect(try failures(after: 1, isFirst: false) == [.portUnreachable, .portUnreachable])
        // It was asked about meanwhile, so that somebody may have had it and gone.
        #expect(try failures(after: 50, isFirst: true) == [.portUnreachable, .portUnreachable])
        #expect(!RPCFailure.portClosed.mayHaveRun && RPCFailure.portUnreachable.mayHaveRun)
    }

    @Test("nothing is asked of the system for a stranger, before it is known who is there")
    func strangers() throws {
        let host = try LoneHost(trusting: false)
        func added() -> [PeerAddress] {
            host.events().compactMap { if case .pathWanted(let peer) = $0 { peer } else { nil } }
        }
        host.data(0..<10, of: 10, id: 2000)
        #expect(added() == [])
        try host.call(length: 10, to: LoneHost.client)
        #expect(added() == [LoneHost.client])
        try host.call(length: 10, to: LoneHost.server)
        #expect(added() == [LoneHost.server])
        try host.call(length: 10, to: LoneHost.server)
        #expect(added() == [])
    }

    @Test("a request is answered from the own address it came to, however many the peer calls at a time")
    func ownAddresses() throws {
        let host = try LoneHost()
        func at(_ local: UInt16) -> PeerAddress {
            var address = LoneHost.client
            address.local = local
            return address
        }
        func wayOfAnswers(_ id: UInt64) -> [UInt16] {
            host.sent().filter { $0.header.common.senderID.rawValue == id }.map(\.peer.local)
        }
        host.data(0..<10, of: 10, id: 2000, from: at(3))
        host.data(0..<10, of: 10, id: 2002, from: at(4))
        var requests: [ArrivedRequest] = []
        for event in host.events() { if case .requestArrived(let request) = event { requests.append(request) } }
        try #require(requests.count == 2)
        _ = host.sent()
        for request in requests { try host.respond(request.rpc, length: 5000) }
        let packets = host.sent().filter { $0.payloadLength > 0 }
        #expect(Set(packets.filter { $0.header.common.senderID.rawValue == 2001 }.map(\.peer.local)) == [3])
        #expect(Set(packets.filter { $0.header.common.senderID.rawValue == 2003 }.map(\.peer.local)) == [4])
        // It asks at another address from now on.
        host.receive(.resend(ResendFields(offset: 0, length: 100, priority: 7)), id: 2000, from: at(5))
        #expect(Set(wayOfAnswers(2001)) == [5])
        // Nothing is known of this one: that is said from where it was asked.
        host.receive(.resend(ResendFields(offset: 0, length: 100, priority: 7)), id: 2100, from: at(6))
        #expect(wayOfAnswers(2101) == [6])
    }

    @Test("calls leave from whichever address the system chooses")
    func calls() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        #expect(host.sent().map(\.peer.local) == [0])
        var address = LoneHost.server
        address.local = 3
        host.receive(.resend(ResendFields(offset: 0, length: 10, priority: 7)), id: 1001, from: address)
        #expect(host.sent().map(\.peer.local) == [0])
    }

    @Test("the own address is no part of who a peer is")
    func equality() {
        var one = LoneHost.client
        one.local = 7
        #expect(one == LoneHost.client && one.hashValue == LoneHost.client.hashValue)
        #expect(!one.isSameWay(as: LoneHost.client) && one.description == LoneHost.client.description)
    }
}
