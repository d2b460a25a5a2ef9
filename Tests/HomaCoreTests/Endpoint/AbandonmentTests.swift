// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

extension LoneHost {
    /// Why requests were abandoned, since the last question about events.
    func abandonments() -> [AbandonmentReason] {
        events().compactMap { if case .requestAbandoned(_, _, let reason) = $0 { reason } else { nil } }
    }
}

/// Calls that are given up, and requests that nobody waits for.
@Suite("Cancellation and deadlines")
struct AbandonmentTests {
    static let named = HeaderExtension(tag: 7)

    // MARK: At the client

    @Test("a call that is given up is over at once, and its server hears it once, if it has heard of the call")
    func cancel() throws {
        let host = try LoneHost()
        let handle = try host.call(length: 100)
        _ = host.sent()
        host.abort(handle)
        #expect(host.said() == ["RPC_UNKNOWN"])
        #expect(host.failures() == [.aborted])
        host.abort(handle)
        host.pass(microseconds: 10_000_000)
        #expect(host.said().isEmpty && host.events().isEmpty && host.endpoint.rpcCount == 0)
        // What it did not hear it asks about.
        host.receive(.resend(ResendFields(offset: 0, length: 100, priority: 7)), id: 1001, from: Self.serverPeer)
        host.receive(.needAck, id: 1001, from: Self.serverPeer)
        #expect(host.said() == ["RPC_UNKNOWN", "ACK +0"])
    }

    private static var serverPeer: PeerAddress { LoneHost.server }

    @Test("of a call that has not begun nobody is told")
    func cancelUnsent() throws {
        var configuration = EndpointConfiguration.small
        configuration.callsUnderWayPerPeer = 1
        let host = try LoneHost(configuration)
        try host.call(length: 100)
        let second = try host.call(length: 100, cookie: 2)
        _ = host.sent()
        host.abort(second)
        #expect(host.said().isEmpty)
        #expect(host.failures() == [.aborted])
    }

    @Test("a call is given up while its response arrives, and its buffers go back")
    func cancelArriving() throws {
        let host = try LoneHost()
        let handle = try host.call(length: 100)
        host.data(0..<1000, of: 200_000, id: 1001, incoming: 10_000, from: LoneHost.server)
        #expect(host.pool.statistics.leasesLive == 1)
        _ = host.sent()
        host.abort(handle)
        let packets = host.sent()
        #expect(packets.map(\.summary) == ["RPC_UNKNOWN"])
        #expect(packets[0].header.common.extensions.marks == .cancelled, "the server has shown extensions")
        #expect(host.pool.statistics.leasesLive == 0 && host.endpoint.incomingBytes == 0)
    }

    @Test("every packet of a request says how much time is left, also what goes again, and no packet of a response")
    func stated() throws {
        let host = try LoneHost()
        try host.call(length: 3000, deadline: Instant(nanoseconds: 50_000_000))
        #expect(Self.remaining(host.sent()) == [50_016_000, 50_016_000, 50_016_000])
        host.pass(microseconds: 2_000)
        host.receive(.resend(ResendFields(offset: 0, length: 3000, priority: 7)), id: 1001, from: LoneHost.server)
        #expect(Self.remaining(host.sent()) == [48_000_000, 48_000_000, 48_000_000])

        try host.call(length: 10)
        #expect(Self.remaining(host.sent()) == [nil])
        host.data(0..<10, of: 10, id: 2, microseconds: 1_000)
        try host.respond(try #require(try host.requests().first).rpc, length: 10)
        #expect(Self.remaining(host.sent()) == [nil])
    }

    private static func remaining(_ packets: [OutgoingPacket]) -> [UInt64?] {
        packets.compactMap {
            if case .data(let data) = $0.header.body { .some(data.remaining.nanoseconds) } else { nil }
        }
    }

    @Test("a train says the same in every packet")
    func train() throws {
        let host = try LoneHost()
        _ = try host.endpoint.call(
            CallRequest(
                destination: LoneHost.server, serverPort: 99, clientPort: 0x8000, length: 20_000, payload: 1, cookie: 1,
                deadline: Instant(nanoseconds: 1_000_000)), at: .zero)
        let next = host.endpoint.nextPacket(at: .zero)
        let first = try #require(next)
        var packet = first
        let followers = host.endpoint.continueTrain(after: &packet, atMost: 5, at: .zero)
        #expect(followers == 5)
        var bytes = [UInt8](repeating: 0, count: 57)
        try bytes.withUnsafeMutableBytes { bytes in
            first.header.write(into: bytes)
            PacketHeader.advance(bytes.baseAddress!, to: 1416)
            guard case .data(let data) = try PacketHeader.parse(UnsafeRawBufferPointer(bytes)).body else { return }
            #expect(data.offset == 1416 && data.remaining.nanoseconds == 1_000_000)
        }
    }

    // MARK: At the server

    @Test("a request that is given up ends in every state, its buffers go back, and it never runs", arguments: 0..<4)
    func cancelled(state: Int) throws {
        let host = try LoneHost()
        host.data(0..<1000, of: state == 0 ? 2000 : 1000, id: 2)
        if state > 0 {
            let request = try #require(try host.requests().first)
            if state == 2 { try host.respond(request.rpc, length: 100_000) }
            if state == 3 { host.endpoint.decline(request.rpc, at: host.now) }
        }
        host.receive(.rpcUnknown, id: 2)
        #expect(host.abandonments() == (state == 1 ? [.cancelled] : []))
        #expect(host.endpoint.rpcCount == 0 && host.pool.statistics.leasesLive == 0)
        #expect(host.endpoint.statistics.requestsCancelled == 1)
        #expect(host.data(0..<1000, of: 1000, id: 2) == .dropped(.finishedBefore))
        host.receive(.rpcUnknown, id: 2)
        #expect(host.abandonments().isEmpty)
        host.endpoint.checkInvariants()
    }

    @Test("an answer to a request that was given up goes nowhere")
    func answerToNobody() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2)
        let request = try #require(try host.requests().first)
        host.receive(.rpcUnknown, id: 2)
        #expect(try !host.respond(request.rpc, length: 10))
        #expect(try !host.fail(request.rpc, length: 10))
        host.endpoint.decline(request.rpc, at: host.now)
        #expect(host.said().filter { $0.hasPrefix("DATA") || $0 == "RPC_UNKNOWN" }.isEmpty)
    }

    @Test("a request that its own cancellation has overtaken does not run, if its client is known")
    func overtaken() throws {
        let host = try LoneHost()
        let cancelled = HeaderExtension(marks: .cancelled, tag: 7)
        #expect(host.receive(.rpcUnknown, id: 4, extensions: cancelled) == .dropped(.unknownRPC))
        #expect(try host.serve(id: 2, extensions: Self.named))
        #expect(host.receive(.rpcUnknown, id: 6, extensions: cancelled) == .consumed)
        #expect(host.data(0..<10, of: 10, id: 6, extensions: Self.named) == .dropped(.finishedBefore))
        // Nobody else's word counts, and other requests of the client's run.
        let other = HeaderExtension(marks: .cancelled, tag: 9)
        #expect(host.receive(.rpcUnknown, id: 8, extensions: other) == .dropped(.unknownRPC))
        #expect(try host.serve(id: 8, extensions: Self.named))
    }

    @Test("what a client answers to RESENDs about what it never asked for does not shut it out")
    func reflected() throws {
        let host = try LoneHost()
        #expect(try host.serve(id: 2, extensions: Self.named))
        for number in 1...10 as ClosedRange<UInt64> {
            #expect(
                host.receive(.rpcUnknown, id: number << 40, extensions: Self.named) == .dropped(.unknownRPC))
        }
        #expect(try host.serve(id: 4, extensions: Self.named))
        // A client that is asked about a call that it never made does not say that it has given it up.
        let client = try MessageTests.acquainted()
        client.receive(
            .resend(ResendFields(offset: 0, length: -1, priority: 7)), id: 1 << 40 | 1, from: LoneHost.server)
        #expect(client.sent().map(\.header.common.extensions.marks) == [[]])
    }

    @Test("a request in service whose time is over is told to the application once, and is not answered")
    func deadlineInService() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2, microseconds: 10_240)
        let request = try #require(try host.requests().first)
        // A thousandth more, for clocks that do not run alike.
        #expect(request.deadline == Instant(nanoseconds: 10_250_000))
        host.pass(microseconds: 10_249)
        #expect(host.abandonments().isEmpty)
        host.pass(microseconds: 1)
        #expect(host.abandonments() == [.deadlinePassed])
        #expect(try !host.respond(request.rpc, length: 10))
        #expect(host.endpoint.statistics.requestsExpired == 1)
        #expect(host.endpoint.rpcCount == 0)
        let due = host.endpoint.nextDeadline
        #expect(due == nil)
        #expect(host.data(0..<10, of: 10, id: 2, microseconds: 10_000) == .dropped(.finishedBefore))
    }

    @Test("a request of which a part is missing when its time is over is forgotten, and taken if it is sent again")
    func deadlineIncomplete() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 2000, id: 2, microseconds: 3_000)
        host.pass(microseconds: 4_000)
        #expect(host.endpoint.rpcCount == 0 && host.pool.statistics.leasesLive == 0)
        #expect(host.endpoint.statistics.requestsExpired == 1)
        host.data(0..<1000, of: 2000, id: 2, microseconds: 3_000)
        host.data(1000..<2000, of: 2000, id: 2, microseconds: 3_000)
        #expect(try host.requests().count == 1)
    }

    @Test("a one-way message that was forgotten so does not count as delivered")
    func deadlineOfMessage() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 2000, id: 2, microseconds: 3_000, extensions: MessageTests.marked)
        host.pass(microseconds: 4_000)
        _ = host.sent()
        host.receive(
            .resend(ResendFields(offset: 0, length: -1, priority: 7)), id: 2, extensions: MessageTests.marked)
        #expect(host.said() == ["RPC_UNKNOWN"])
    }

    @Test("a response that has not arrived when the time is over is let go without a word to the application")
    func deadlineOfResponse() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2, microseconds: 10_000)
        try host.respond(try #require(try host.requests().first).rpc, length: 200_000)
        host.pass(microseconds: 11_000)
        #expect(host.endpoint.rpcCount == 0)
        #expect(host.endpoint.statistics.requestsExpired == 0, "it was answered in time")
        let events = host.events()
        #expect(events.contains { if case .payloadReleased(77) = $0 { true } else { false } })
        #expect(!events.contains { if case .requestAbandoned = $0 { true } else { false } })
    }

    @Test("without extensions, and without a deadline, a request in service waits for ever and needs no timer")
    func noDeadline() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2, microseconds: 10, extensions: .none)
        host.data(0..<10, of: 10, id: 4)
        #expect(try host.requests().allSatisfy { $0.deadline == .distantFuture })
        let due = host.endpoint.nextDeadline
        #expect(due == nil)
        host.pass(microseconds: 100_000_000)
        #expect(host.endpoint.rpcCount == 2)
    }

    @Test(
        "of calls that are given up at random over a bad network nothing is left, and none runs after it was given up")
    func net() throws {
        for seed in 0..<6 as Range<UInt64> {
            let hosts = try (1...3).map { try TestHost(number: $0, seed: seed) }
            let net = TestNet(hosts: hosts, faults: Faults(loss: 0.05, duplication: 0.05, delay: 50_000), seed: seed)
            net.serviceTime = 5_000_000
            var random = SeededRandom(seed: seed)
            var handles: [(Int, RPCHandle)] = []
            for cookie in 1...150 as ClosedRange<UInt64> {
                let client = Int.random(in: 0..<3, using: &random)
                let time = UInt64.random(in: 100_000...8_000_000, using: &random)
                let handle = try net.call(
                    from: client, to: (client + 1) % 3, length: Int.random(in: 1...60_000, using: &random),
                    cookie: cookie,
                    deadline: cookie % 3 == 0 ? net.now.advanced(byNanoseconds: time) : .distantFuture)
                handles.append((client, handle))
                try net.run(until: net.now.advanced(byNanoseconds: 200_000))
                if cookie % 2 == 0, let (client, handle) = handles.randomElement(using: &random) {
                    hosts[client].endpoint.abort(handle, failure: .aborted, at: net.now)
                    net.drain(client)
                }
            }
            try net.run()
            for host in hosts {
                let due = host.endpoint.nextDeadline
                #expect(host.endpoint.rpcCount == 0 && due == nil)
                #expect(host.pool.statistics.leasesLive == 0)
                #expect(host.executions.values.allSatisfy { $0 == 1 })
                #expect(host.payloadsHeld.isEmpty && host.corruptions == 0)
                host.endpoint.checkInvariants()
            }
            #expect(hosts.reduce(0) { $0 + $1.abandoned } > 0)
        }
    }
}
