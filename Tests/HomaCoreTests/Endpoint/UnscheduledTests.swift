// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Asking for fewer unscheduled bytes")
struct UnscheduledTests {
    private static func configuration(adapts: Bool = true) -> EndpointConfiguration {
        var configuration = EndpointConfiguration.small
        configuration.adaptsUnscheduled = adapts
        configuration.unscheduledBytes = 40_000
        configuration.maximumIncoming = 400_000
        configuration.grantIncrement = 1
        return configuration
    }

    private static func peer(_ number: Int) -> PeerAddress {
        PeerAddress(ipv4: 0x0A00_0100 | UInt32(number), port: 4000)
    }

    /// First packets of a message from each of so many peers, and what they are told.
    private static func burst(_ host: LoneHost, _ peers: Int, id: UInt64, cutoffs: UInt16 = 1) -> [CutoffsFields] {
        for number in 0..<peers {
            host.data(0..<1416, of: 500_000, id: id, incoming: 40_000, from: peer(number), cutoffs: cutoffs)
        }
        return told(host)
    }

    private static func told(_ host: LoneHost) -> [CutoffsFields] {
        host.sent().compactMap { if case .cutoffs(let fields) = $0.header.body { fields } else { nil } }
    }

    @Test("a receiver that many send to at once asks for less, each sender as soon as it sends")
    func asks() throws {
        let host = try LoneHost(Self.configuration())
        let told = Self.burst(host, 12, id: 2)
        #expect(told.map { $0.cutoffs[0] } == [20_000, 20_000, 20_000, 20_000, 20_000, 10_000, 10_000])
        #expect(told.map(\.version) == [2, 2, 2, 2, 2, 3, 3])
        #expect(host.endpoint.statistics.unscheduledChanges == 2)
        #expect(host.endpoint.unscheduledCutoffs.cutoffs[0] == 10_000)
        // Those who sent before, or have heard an older wish, hear it with their next packet, though no millisecond
        // has passed; those who know it do not.
        for number in 0..<12 {
            host.data(1416..<2832, of: 500_000, id: 2, incoming: 40_000, from: Self.peer(number), cutoffs: 2)
        }
        #expect(Self.told(host).count == 10)
        host.data(2832..<4248, of: 500_000, id: 2, incoming: 40_000, from: Self.peer(0), cutoffs: 3)
        #expect(Self.told(host).isEmpty)
    }

    @Test("a receiver that does not adapt asks for nothing, whatever its cutoffs begin with")
    func off() throws {
        var configuration = Self.configuration(adapts: false)
        configuration.unscheduledCutoffs[0] = 77
        let host = try LoneHost(configuration)
        #expect(Self.burst(host, 12, id: 2).isEmpty)
        let told = Self.burst(host, 1, id: 4, cutoffs: 9)
        #expect(told.map { $0.cutoffs[0] } == [0])
        #expect(told.first?.version == 1)
    }

    @Test("messages count until their unscheduled bytes are here, their senders fall silent, or they end")
    func ends() throws {
        let host = try LoneHost(Self.configuration())
        _ = Self.burst(host, 5, id: 2)
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 200_000)
        host.data(1416..<39_999, of: 500_000, id: 2, incoming: 40_000, from: Self.peer(0))
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 200_000)
        host.data(39_999..<40_000, of: 500_000, id: 2, incoming: 40_000, from: Self.peer(0))
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 160_000)
        host.data(40_000..<41_416, of: 500_000, id: 2, incoming: 41_416, from: Self.peer(0))
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 160_000)
        host.receive(.rpcUnknown, id: 2, from: Self.peer(1))
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 120_000, "the client has given up")
        host.pass(microseconds: 5_000)
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 0, "silent")
        #expect(host.endpoint.unscheduled.halvings == 0)
        host.data(0..<1000, of: 1000, id: 4, from: Self.peer(7))
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 0, "all of it in one packet")
    }

    @Test("a message of a sender that heeds a limit counts until a grant has brought more of it")
    func heeded() throws {
        let host = try LoneHost(Self.configuration())
        host.data(0..<1416, of: 500_000, id: 2, incoming: 1416)
        host.data(0..<1416, of: 1416, id: 4, incoming: 1416)
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 40_000)
        host.data(1416..<2832, of: 500_000, id: 2, incoming: 50_000)
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 0)
        // Twelve that hold back are as many as twelve that do not.
        for number in 0..<12 {
            host.data(0..<1416, of: 500_000, id: 6, incoming: 1416, from: Self.peer(number))
        }
        #expect(host.endpoint.unscheduled.wish == 10_000)
    }

    @Test("responses count like requests")
    func responses() throws {
        let host = try LoneHost(Self.configuration())
        for number in 0..<6 { try host.call(length: 100, to: Self.peer(number)) }
        for (number, packet) in host.sent().enumerated() {
            host.data(
                0..<1416, of: 100_000, id: packet.header.common.senderID.peer.rawValue, incoming: 40_000,
                from: Self.peer(number))
        }
        #expect(Self.told(host).map { $0.cutoffs[0] } == [20_000])
    }

    @Test("a message that waits for memory does not count")
    func waiting() throws {
        let host = try LoneHost(Self.configuration(), regionLength: 2 << 20)
        _ = Self.burst(host, 12, id: 2)
        let held = host.endpoint.allInformation(at: host.now).filter { !$0.waitsForBuffers }.count
        #expect(held < 12)
        #expect(host.endpoint.unscheduled.total(halvings: 0) == held * 40_000)
    }

    /// Bytes that go unscheduled of a long call to a peer that has asked for so many.
    private static func unscheduled(_ wish: UInt32, extensions: HeaderExtension = LoneHost.ours, rounds: Bool = true)
        throws -> Int
    {
        var configuration = Self.configuration(adapts: false)
        configuration.roundsUnscheduledToPackets = rounds
        let host = try LoneHost(configuration)
        try host.call(length: 10)
        host.receive(
            .cutoffs(CutoffsTests.fields([wish, 0, 0, 0, 0, 1_000_000, 0, 0], version: 9)), id: 1001,
            from: LoneHost.server, extensions: extensions)
        _ = host.sent()
        try host.call(length: 500_000)
        let packets = host.sent()
        guard case .data(let data)? = packets.first?.header.body else { return 0 }
        #expect(data.cutoffVersion == 9)
        #expect(packets.allSatisfy { $0.header.body.type == .data })
        #expect(Int(data.incoming) == packets.reduce(0) { $0 + $1.payloadLength })
        return Int(data.incoming)
    }

    @Test("senders send no more unscheduled than they are asked for, and never more than they would")
    func complies() throws {
        #expect(try Self.unscheduled(0) == 29 * 1416)
        #expect(try Self.unscheduled(10_000) == 8 * 1416, "whole packets")
        #expect(try Self.unscheduled(10_000, rounds: false) == 10_000)
        #expect(try Self.unscheduled(1_000_000) == 29 * 1416)
        #expect(try Self.unscheduled(.max, rounds: false) == 40_000)
    }

    @Test("nonsense is harmless: a packet goes in any case, and peers without extensions cannot ask")
    func hostile() throws {
        #expect(try Self.unscheduled(1) == 1416)
        #expect(try Self.unscheduled(1, rounds: false) == 1416)
        #expect(try Self.unscheduled(1, extensions: .none) == 29 * 1416)
    }

    @Test("what was asked for is taken back by the next table")
    func takenBack() throws {
        var configuration = Self.configuration(adapts: false)
        configuration.bytesUnderWayPerPeer = 2_000_000
        let host = try LoneHost(configuration)
        try host.call(length: 10)
        for (version, wish, packets) in [(2, 5_000, 4), (3, 0, 29), (4, 2_000, 2)] as [(UInt16, UInt32, Int)] {
            host.receive(
                .cutoffs(CutoffsTests.fields([wish, 0, 0, 0, 0, 1_000_000, 0, 0], version: version)), id: 1001,
                from: LoneHost.server)
            _ = host.sent()
            try host.call(length: 500_000)
            #expect(host.sent().count == packets)
        }
    }

    @Test("shards adopt the wish with the table")
    func adopted() throws {
        var configuration = Self.configuration()
        configuration.maximumIncoming = 800_000
        let first = try LoneHost(configuration, shard: 0, of: 2)
        let second = try LoneHost(configuration, shard: 1, of: 2)
        #expect(first.endpoint.unscheduled.isOn && !second.endpoint.unscheduled.isOn)
        _ = Self.burst(first, 6, id: 4)
        #expect(first.endpoint.unscheduledCutoffs.cutoffs[0] == 20_000)
        second.endpoint.adopt(first.endpoint.unscheduledCutoffs)
        let told = Self.burst(second, 1, id: 2)
        #expect(told.map { $0.cutoffs[0] } == [20_000] && told.first?.version == 2)
    }

    @Test("a message counts no longer when its sender is asked where it remains, or brings next to nothing")
    func silent() throws {
        let host = try LoneHost(Self.configuration())
        _ = Self.burst(host, 1, id: 2)
        host.pass(microseconds: 4_000)
        // That it has brought enough is seen after 5 ms.
        host.data(1416..<20_000, of: 500_000, id: 2, incoming: 40_000, from: Self.peer(0))
        host.pass(microseconds: 4_900)
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 40_000)
        host.pass(microseconds: 200)
        #expect(host.said().contains { $0.hasPrefix("RESEND") })
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 0)
        _ = Self.burst(host, 1, id: 4)
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 40_000)
        for byte in 1416..<1426 {
            host.pass(microseconds: 2_000)
            host.data(byte..<byte + 1, of: 500_000, id: 4, incoming: 40_000, from: Self.peer(0))
        }
        #expect(host.endpoint.unscheduled.total(halvings: 0) == 0)
    }
}
