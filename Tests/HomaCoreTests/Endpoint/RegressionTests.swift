// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

@Suite("Faults found by reading the core")
struct RegressionTests {
    @Test("when the message whose turn it is goes away, those behind it get the free buffers")
    func waitingBehindAnAbortedMessage() throws {
        let host = try LoneHost(regionLength: 1 << 20)
        // One message holds nearly half of the pages; another needs more than the rest and waits.
        host.data(0..<1000, of: 450_000, id: 2, incoming: 60_000)
        let waiter = try host.call(length: 10)
        host.data(0..<1000, of: 900_000, id: 1001, incoming: 60_000, from: LoneHost.server)
        #expect(host.endpoint.waitingForBuffers == 1)
        // Short ones pass it until it has earned its turn; from then on they wait, with pages free.
        var id: UInt64 = 10
        while host.endpoint.waitingForBuffers == 1, id < 2000 {
            host.data(0..<1000, of: 60_000, id: id)
            if host.endpoint.waitingForBuffers == 1 { host.receive(.rpcUnknown, id: id) }
            id += 2
        }
        #expect(host.endpoint.waitingForBuffers == 2)
        host.endpoint.abort(waiter, failure: .aborted, at: host.now)
        #expect(host.endpoint.waitingForBuffers == 0)
    }

    @Test("short newcomers that pass a waiting message earn it its turn")
    func newcomersDoNotStarveTheWaiting() throws {
        let host = try LoneHost(regionLength: 1 << 20)
        host.data(0..<1000, of: 900_000, id: 2, incoming: 60_000)
        host.data(0..<1000, of: 900_000, id: 4, incoming: 60_000)
        #expect(host.endpoint.waitingForBuffers == 1)
        var passed = 0
        for id in stride(from: 10, to: 2000, by: 2) as StrideTo<UInt64> {
            host.data(0..<1000, of: 60_000, id: id)
            if host.endpoint.waitingForBuffers > 1 { break }
            host.receive(.rpcUnknown, id: id)
            passed += 1
        }
        #expect(passed < 400, "5 % of 400 × 60 000 bytes pays for 900 000")
    }

    @Test("a pool that cannot hold the longest message is refused, since that message would block all others")
    func messageLongerThanThePool() {
        #expect(throws: ConfigurationError.self) { try LoneHost(regionLength: 512 << 10) }
    }

    @Test("a packet longer than a bpage is dropped, since it could lie in three places")
    func packetLongerThanABpage() throws {
        var configuration = EndpointConfiguration.small
        configuration.packetBytesCap = 4096
        let host = try LoneHost(configuration, regionLength: 1 << 20, bpageSize: 4096)
        let disposition = host.data(0..<12_000, of: 50_000, id: 2)
        guard case .dropped = disposition else {
            Issue.record("accepted: \(disposition)")
            return
        }
    }

    @Test(
        "a call that left before its server's memory began may have run; one that left later is sent again"
    )
    func restartDuringTheFirstCall() throws {
        let host = try LoneHost()
        try host.call(length: 100)
        _ = host.sent()
        // It is asked about after 5 ms.
        host.pass(microseconds: 6_000)
        let older = HeaderExtension(tag: HeaderExtension.tag(token: 77, memory: 5_100_000))
        let restarted = HeaderExtension(tag: HeaderExtension.tag(token: 78, memory: 5_900_000))
        host.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: older)
        let again = try #require(host.sent().last)
        guard case .data(let data) = again.header.body else {
            Issue.record("\(again.summary)")
            return
        }
        #expect(data.proof == 77 && data.isRetransmission && again.header.common.extensions.marks == .proof)
        // A late answer of the same life to an earlier probe tells nothing new.
        let late = HeaderExtension(tag: HeaderExtension.tag(token: 77, memory: 4_000_000))
        host.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: late)
        #expect(host.failures().isEmpty && host.said().isEmpty)
        host.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: restarted)
        #expect(host.failures() == [.peerRestarted])
        #expect(host.said().isEmpty)
    }

    @Test("gaps of others cannot use up the memory that retransmission needs")
    func gapsLeaveRoomForRetransmission() throws {
        let host = try LoneHost()
        // 256 RPCs reserve 1024 ranges: eight messages with 128 gaps each.
        for message in 0..<9 {
            let id = UInt64(2 + 2 * message)
            host.data(0..<1, of: 100_000, id: id)
            for gap in 1...130 { host.data(gap * 2..<gap * 2 + 1, of: 100_000, id: id) }
        }
        try host.call(length: 5000)
        _ = host.sent()
        host.receive(
            .resend(ResendFields(offset: 1416, length: 100, priority: 5)), id: 1001, from: LoneHost.server)
        #expect(host.said() == ["DATA 1416..<2832"])
    }

    @Test("a long message that is sent again waits for the pacer")
    func retransmissionIsPaced() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .gigabitsPerSecond(10)
        let host = try LoneHost(configuration)
        try host.call(length: 50_000)
        host.pass(microseconds: 100)
        _ = host.sent()
        host.receive(.resend(ResendFields(offset: 0, length: -1, priority: 5)), id: 1001, from: LoneHost.server)
        #expect(host.sent().count < 8, "5 µs at 10 Gb/s are about 4 packets")
    }

    @Test("a short message passes a long one whose turn it is as the oldest")
    func shortMessagePassesTheOldest() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .gigabitsPerSecond(1)
        configuration.fifoSendFraction = 0.5
        let host = try LoneHost(configuration)
        try host.call(length: 60_000, cookie: 1)
        try host.call(length: 40_000, cookie: 2)
        var packets = 0
        while packets < 12 {
            host.pass(microseconds: 10)
            packets += host.sent().count
        }
        // The oldest now has its turn, or had it; in every phase a short message must leave at once.
        for cookie in 3..<20 as Range<UInt64> {
            try host.call(length: 100, cookie: cookie)
            #expect(host.sent().contains { $0.payload == cookie })
            host.pass(microseconds: 12)
            _ = host.sent()
        }
    }

    @Test("a missing range is asked for even when as many bytes as were granted have arrived")
    func gapBelowBytesBeyondTheGrant() throws {
        var configuration = EndpointConfiguration.small
        configuration.activeMessagesPerHost = 1
        configuration.window = 10_000
        configuration.grantIncrement = 1
        let host = try LoneHost(configuration)
        // A shorter message takes the peer's only place among those granted to.
        host.data(0..<1000, of: 90_000, id: 2, incoming: 60_000)
        host.data(0..<1000, of: 100_000, id: 4, incoming: 1000)
        host.data(2000..<3000, of: 100_000, id: 4, incoming: 3000)
        _ = host.sent()
        for _ in 0..<10 {
            // Keeps the shorter message alive without completing it.
            host.receive(.busy, id: 2)
            host.pass(microseconds: 1000)
        }
        #expect(host.sent().contains { $0.summary == "RESEND 1000..<2000" && $0.header.common.senderID.rawValue == 5 })
    }

    @Test("a kernel client that restarted may begin its identifiers afresh after the configured silence")
    func kernelClientRestart() throws {
        let host = try LoneHost()
        for id in stride(from: 10_000, to: 14_000, by: 2) as StrideTo<UInt64> {
            #expect(try host.serve(id: id, extensions: .none))
        }
        #expect(try !host.serve(id: 2, extensions: .none), "too early: may be a late duplicate")
        host.pass(microseconds: 99_000)
        #expect(try !host.serve(id: 2, extensions: .none))
        host.pass(microseconds: 110_000)
        #expect(try host.serve(id: 2, extensions: .none))
        #expect(try host.serve(id: 4, extensions: .none))
        #expect(try !host.serve(id: 2, extensions: .none), "and none runs twice")
    }

    @Test("the memory of a client with our extensions, or with requests here, is not reset by silence")
    func noResetWithoutCause() throws {
        let host = try LoneHost()
        for id in stride(from: 10_000, to: 14_000, by: 2) as StrideTo<UInt64> { _ = try host.serve(id: id) }
        host.pass(microseconds: 2_000_000)
        #expect(try !host.serve(id: 2))
        for id in stride(from: 14_000, to: 18_000, by: 2) as StrideTo<UInt64> {
            _ = try host.serve(id: id, extensions: .none)
        }
        host.data(0..<100, of: 100, id: 18_000, extensions: .none)
        _ = try host.requests()
        host.pass(microseconds: 2_000_000)
        #expect(try !host.serve(id: 2, extensions: .none), "the client still waits for a request in service")
    }

    @Test("buffers that come free by time alone are found")
    func buffersThatComeFreeByTime() throws {
        let host = try LoneHost(regionLength: 1 << 20)
        host.data(0..<1000, of: 1_000_000, id: 2, incoming: 1000)
        host.data(0..<1000, of: 900_000, id: 4, incoming: 1000)
        #expect(host.endpoint.waitingForBuffers == 1)
        // Someone else's return, of which nobody tells the endpoint.
        let lease = host.endpoint.rpcs.at(0).pointee.incoming.lease
        _ = try host.pool.release(lease)
        host.pass(microseconds: 10_000)
        #expect(host.endpoint.waitingForBuffers == 0)
    }

    @Test("a request of which only a part arrived has not run, and may come again after its silence")
    func partialRequestMayComeAgain() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 5000, id: 2)
        host.pass(microseconds: 500_000)
        #expect(host.endpoint.rpcCount == 0)
        host.data(0..<1000, of: 1000, id: 2)
        #expect(try host.requests().count == 1)
    }

    @Test("a server that was told a false length is not kept waiting by BUSY for ever")
    func falseLength() throws {
        let host = try LoneHost()
        try host.call(length: 5000)
        _ = host.sent()
        host.receive(
            .resend(ResendFields(offset: 5000, length: 90_000, priority: 7)), id: 1001, from: LoneHost.server)
        #expect(host.said().isEmpty)
    }

    @Test("messages that fell silent do not keep the share of the oldest from others")
    func silentOldMessagesLoseTheirShare() throws {
        var configuration = EndpointConfiguration.small
        configuration.overcommitment = 1
        configuration.window = 10_000
        configuration.grantIncrement = 10_000
        configuration.fifoGrantFraction = 0.5
        configuration.fifoGrantIncrement = 10_000
        let host = try LoneHost(configuration)
        // Ten senders begin and die.
        for number in 0..<10 as Range<UInt32> {
            let address = PeerAddress(ipv4: 0x0B00_0000 + number, port: 4000)
            host.data(0..<1000, of: 500_000, id: 2, incoming: 60_000, from: address)
        }
        host.pass(microseconds: 20_000)
        // A long message, and shorter ones that always come before it.
        host.data(0..<1000, of: 900_000, id: 4, incoming: 1000)
        _ = host.sent()
        let other = PeerAddress(ipv4: 0x0C00_0000, port: 4000)
        for packet in 0..<21 {
            host.data(packet * 1000..<packet * 1000 + 1000, of: 400_000, id: 6, incoming: 60_000, from: other)
        }
        #expect(host.endpoint.statistics.oldestGrants > 0)
        #expect(host.sent().contains { $0.header.common.senderID.rawValue == 5 })
    }
}
