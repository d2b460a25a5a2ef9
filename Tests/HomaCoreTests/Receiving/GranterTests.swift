// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

@Suite("Grants")
struct GranterTests {
    static func peer(_ number: UInt32) -> PeerAddress { PeerAddress(ipv4: 0x0A00_0100 + number, port: 4000) }

    /// Fixed windows of 10 000 bytes, a grant for every byte, no share for the oldest.
    static func configuration() -> EndpointConfiguration {
        var configuration = EndpointConfiguration.small
        configuration.window = 10_000
        configuration.grantIncrement = 1
        configuration.fifoGrantFraction = 0
        return configuration
    }

    /// Who was granted what since the last question, by the client's identifier.
    static func grants(_ host: LoneHost) -> [UInt64: GrantFields] {
        var result: [UInt64: GrantFields] = [:]
        for packet in host.sent() {
            if case .grant(let grant) = packet.header.body {
                result[packet.header.common.senderID.rawValue ^ 1] = grant
            }
        }
        return result
    }

    /// The first 1000 bytes of a message, its only unscheduled ones.
    static func begin(_ host: LoneHost, _ id: UInt64, length: Int, peer number: UInt32) {
        host.data(0..<1000, of: length, id: id, incoming: 1000, from: peer(number))
    }

    // MARK: Windows

    @Test("a fixed window is granted ahead of what has arrived")
    func fixedWindow() throws {
        let host = try LoneHost(Self.configuration())
        Self.begin(host, 2, length: 50_000, peer: 1)
        #expect(Self.grants(host)[2]?.offset == 11_000)
        host.data(1000..<3000, of: 50_000, id: 2, from: Self.peer(1))
        #expect(Self.grants(host)[2]?.offset == 13_000)
        host.data(1000..<3000, of: 50_000, id: 2, from: Self.peer(1))
        #expect(Self.grants(host).isEmpty, "a duplicate brings no grant")
        host.data(10_000..<11_000, of: 50_000, id: 2, from: Self.peer(1))
        #expect(Self.grants(host)[2]?.offset == 14_000, "what counts is how much has arrived, not how far")
    }

    @Test("without a fixed window, all that may come is shared among the active messages and one more")
    func dynamicWindow() throws {
        var configuration = Self.configuration()
        configuration.window = nil
        configuration.maximumIncoming = 120_000
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 900_000, peer: 1)
        #expect(Self.grants(host)[2]?.offset == 61_000)
        Self.begin(host, 4, length: 800_000, peer: 2)
        #expect(Self.grants(host)[4]?.offset == 41_000)
        host.data(1000..<2000, of: 900_000, id: 2, from: Self.peer(1))
        #expect(Self.grants(host).isEmpty, "the window of the first has shrunk")
        // 59 000 and 40 000 bytes are on their way; a third gets 30 000 ahead, but only 21 000 are left.
        Self.begin(host, 6, length: 700_000, peer: 3)
        #expect(Self.grants(host)[6]?.offset == 22_000)
        #expect(host.endpoint.incomingBytes == 120_000)
    }

    @Test("no grant goes beyond the end of the message, and none comes after that")
    func messageEnd() throws {
        let host = try LoneHost(Self.configuration())
        Self.begin(host, 2, length: 5000, peer: 1)
        #expect(Self.grants(host)[2]?.offset == 5000)
        for packet in 1..<4 { host.data(packet * 1000..<(packet + 1) * 1000, of: 5000, id: 2, from: Self.peer(1)) }
        #expect(Self.grants(host).isEmpty)
    }

    @Test("small steps are saved up, except the last")
    func increment() throws {
        var configuration = Self.configuration()
        configuration.grantIncrement = 3000
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 16_500, peer: 1)
        var offsets: [UInt32] = []
        for packet in 1..<12 {
            offsets += Self.grants(host).values.map(\.offset)
            host.data(packet * 1000..<(packet + 1) * 1000, of: 16_500, id: 2, from: Self.peer(1))
        }
        #expect(offsets == [11_000, 14_000, 16_500])
    }

    @Test("a message without buffers is not granted to")
    func withoutBuffers() throws {
        let host = try LoneHost(Self.configuration(), regionLength: 1 << 20)
        Self.begin(host, 2, length: 1_000_000, peer: 1)
        _ = host.sent()
        Self.begin(host, 4, length: 500_000, peer: 2)
        #expect(host.sent().isEmpty)
        #expect(host.endpoint.incomingBytes == 10_000)
        host.receive(.rpcUnknown, id: 2, from: Self.peer(1))
        #expect(Self.grants(host)[4]?.offset == 10_000, "nothing of it counts as received")
    }

    // MARK: Who is active

    @Test("no more messages are granted to at once than the overcommitment allows; the shortest come first")
    func overcommitment() throws {
        var configuration = Self.configuration()
        configuration.overcommitment = 2
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 300_000, peer: 1)
        Self.begin(host, 4, length: 200_000, peer: 2)
        #expect(Self.grants(host).keys.sorted() == [2, 4])
        Self.begin(host, 6, length: 400_000, peer: 3)
        #expect(Self.grants(host).isEmpty)
        Self.begin(host, 8, length: 100_000, peer: 4)
        #expect(Self.grants(host).keys.sorted() == [8], "displaces the longest")
        host.data(1000..<2000, of: 300_000, id: 2, from: Self.peer(1))
        #expect(Self.grants(host).isEmpty, "displaced")
        host.data(1000..<2000, of: 200_000, id: 4, from: Self.peer(2))
        #expect(Self.grants(host).keys.sorted() == [4])
        // When one ends, the shortest of those waiting takes its place.
        host.receive(.rpcUnknown, id: 8, from: Self.peer(4))
        #expect(Self.grants(host).keys.sorted() == [2])
    }

    @Test("every peer gets one active message before any gets two")
    func peerBalance() throws {
        var configuration = Self.configuration()
        configuration.overcommitment = 2
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 20_000, peer: 1)
        Self.begin(host, 4, length: 30_000, peer: 1)
        #expect(Self.grants(host).keys.sorted() == [2, 4])
        Self.begin(host, 6, length: 900_000, peer: 2)
        #expect(Self.grants(host).keys.sorted() == [6], "though it is much longer")
        host.data(1000..<2000, of: 30_000, id: 4, from: Self.peer(1))
        #expect(Self.grants(host).isEmpty, "the longer of the first peer's two was the victim")
        // A freed place goes to the peer with fewest active messages.
        Self.begin(host, 8, length: 800_000, peer: 3)
        #expect(Self.grants(host).keys.sorted() == [8], "shorter than the second peer's")
        host.receive(.rpcUnknown, id: 2, from: Self.peer(1))
        #expect(Self.grants(host).keys.sorted() == [4])
    }

    @Test("a peer has no more active messages than the configured limit")
    func perPeerLimit() throws {
        var configuration = Self.configuration()
        configuration.activeMessagesPerHost = 1
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 200_000, peer: 1)
        #expect(Self.grants(host).keys.sorted() == [2])
        Self.begin(host, 4, length: 300_000, peer: 1)
        #expect(Self.grants(host).isEmpty)
        Self.begin(host, 6, length: 100_000, peer: 1)
        #expect(Self.grants(host).keys.sorted() == [6], "a shorter one takes the peer's place")
        host.data(1000..<2000, of: 200_000, id: 2, from: Self.peer(1))
        #expect(Self.grants(host).isEmpty)
        host.receive(.rpcUnknown, id: 6, from: Self.peer(1))
        #expect(Self.grants(host).keys.sorted() == [2])
    }

    // MARK: Priorities

    @Test("priorities follow the live remaining bytes, from the lowest levels up")
    func ranks() throws {
        // With the default cutoffs levels 0 … 3 are for granted data.
        let host = try LoneHost(Self.configuration())
        Self.begin(host, 2, length: 900_000, peer: 1)
        #expect(Self.grants(host)[2]?.priority == 0)
        Self.begin(host, 4, length: 100_000, peer: 2)
        #expect(Self.grants(host)[4]?.priority == 1)
        for number in 3...6 as ClosedRange<UInt32> {
            Self.begin(host, UInt64(number) * 2, length: 100_000 * Int(number), peer: number)
        }
        _ = host.sent()
        // Six active, four levels: ranks 0 … 2 have a level each, the others share the lowest.
        var seen: [UInt64: UInt8] = [:]
        for (id, length) in [(2, 900_000), (4, 100_000), (6, 300_000), (8, 400_000), (10, 500_000), (12, 600_000)]
            as [(UInt64, Int)]
        {
            host.data(1000..<2000, of: length, id: id, from: Self.peer(UInt32(id / 2)))
            seen[id] = Self.grants(host)[id]?.priority
        }
        #expect(seen == [4: 3, 6: 2, 8: 1, 10: 0, 12: 0, 2: 0])
    }

    @Test("a message that has become the shortest gets the highest level")
    func liveRank() throws {
        let host = try LoneHost(Self.configuration())
        Self.begin(host, 2, length: 50_000, peer: 1)
        Self.begin(host, 4, length: 60_000, peer: 2)
        #expect(Self.grants(host)[4]?.priority == 0)
        for start in stride(from: 1000, to: 20_000, by: 1000) {
            host.data(start..<start + 1000, of: 60_000, id: 4, from: Self.peer(2))
        }
        _ = host.sent()
        host.data(20_000..<21_000, of: 60_000, id: 4, from: Self.peer(2))
        #expect(Self.grants(host)[4]?.priority == 1)
    }

    // MARK: Headroom

    @Test("unscheduled bytes count, also those of messages that need no grants", arguments: [true, false])
    func unscheduledCounts(counts: Bool) throws {
        var configuration = Self.configuration()
        configuration.countsUnscheduledIncoming = counts
        configuration.maximumIncoming = 120_000
        let host = try LoneHost(configuration)
        host.data(0..<1000, of: 60_000, id: 2, incoming: 60_000, from: Self.peer(1))
        host.data(0..<1000, of: 60_000, id: 4, incoming: 60_000, from: Self.peer(2))
        #expect(host.endpoint.incomingBytes == (counts ? 118_000 : 0))
        Self.begin(host, 6, length: 500_000, peer: 3)
        #expect(Self.grants(host)[6]?.offset == (counts ? 3000 : 11_000))
    }

    @Test("no sender's word counts for more than it could have been given", arguments: [10_000, nil])
    func claims(window: Int?) throws {
        var configuration = Self.configuration()
        configuration.window = window
        let host = try LoneHost(configuration)
        host.data(0..<1000, of: 1_000_000, id: 2, incoming: 1_000_000, from: Self.peer(1))
        #expect(host.endpoint.incomingBytes == 60_000)
    }

    @Test("grants held back for lack of headroom are sent when data arrives")
    func headroomReturns() throws {
        var configuration = Self.configuration()
        configuration.maximumIncoming = 12_000
        configuration.overcommitment = 4
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 100_000, peer: 1)
        Self.begin(host, 4, length: 90_000, peer: 2)
        let first = Self.grants(host)
        #expect(first[2]?.offset == 11_000 && first[4]?.offset == 3000)
        host.data(1000..<2000, of: 100_000, id: 2, from: Self.peer(1))
        #expect(Self.grants(host)[4]?.offset == 4000, "the shorter one is served first")
        #expect(host.endpoint.incomingBytes == 12_000)
    }

    @Test("who follows a message that is granted to its end is not left out")
    func nextInTurn() throws {
        var configuration = Self.configuration()
        configuration.maximumIncoming = 11_000
        let host = try LoneHost(configuration)
        host.data(0..<1000, of: 12_000, id: 2, from: Self.peer(1))
        for (id, number) in [(4, 2), (6, 3), (8, 4)] as [(UInt64, UInt32)] {
            Self.begin(host, id, length: 1000 * Int(id), peer: number)
        }
        #expect(Self.grants(host).isEmpty)
        host.receive(.rpcUnknown, id: 2, from: Self.peer(1))
        let granted = Self.grants(host)
        #expect(granted[4]?.offset == 4000 && granted[6]?.offset == 6000 && granted[8]?.offset == 4000)
        #expect(host.endpoint.incomingBytes == 11_000)
    }

    @Test("a sender that falls silent holds nobody back, and is granted to again when it returns")
    func stalled() throws {
        var configuration = Self.configuration()
        configuration.maximumIncoming = 12_000
        configuration.overcommitment = 1
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 50_000, peer: 1)
        Self.begin(host, 4, length: 90_000, peer: 2)
        #expect(Self.grants(host).keys.sorted() == [2])
        host.pass(microseconds: 5000)
        #expect(Self.grants(host)[4]?.offset == 11_000)
        #expect(host.endpoint.incomingBytes == 10_000)
        host.data(1000..<2000, of: 50_000, id: 2, from: Self.peer(1))
        #expect(host.endpoint.incomingBytes == 19_000, "the bytes of both are on their way now")
        host.data(2000..<11_000, of: 50_000, id: 2, from: Self.peer(1))
        #expect(Self.grants(host)[2]?.offset == 13_000, "back in its place, with what headroom there is")
    }

    @Test("a sender that brought much, and then a byte now and then, loses its place")
    func drips() throws {
        var configuration = Self.configuration()
        configuration.overcommitment = 1
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 50_000, peer: 1)
        host.data(1000..<6000, of: 50_000, id: 2, from: Self.peer(1))
        Self.begin(host, 4, length: 90_000, peer: 2)
        #expect(Self.grants(host).keys.sorted() == [2])
        for offset in 6000..<6060 {
            host.pass(microseconds: 1000)
            host.data(offset..<offset + 1, of: 50_000, id: 2, from: Self.peer(1))
        }
        #expect(Self.grants(host)[4]?.offset == 11_000)
    }

    // MARK: The oldest

    @Test("the oldest message gets its grants out of turn, at a high priority, as data arrives")
    func oldest() throws {
        var configuration = Self.configuration()
        configuration.overcommitment = 1
        configuration.fifoGrantFraction = 0.1
        configuration.fifoGrantIncrement = 5000
        let host = try LoneHost(configuration)
        Self.begin(host, 2, length: 900_000, peer: 1)
        _ = host.sent()
        Self.begin(host, 4, length: 500_000, peer: 2)
        _ = host.sent()
        var oldest: [GrantFields] = []
        for start in stride(from: 1000, to: 120_000, by: 1000) {
            host.data(start..<start + 1000, of: 500_000, id: 4, from: Self.peer(2))
            if let grant = Self.grants(host)[2] { oldest.append(grant) }
        }
        // 120 000 bytes earn 12 000: two grants of 5000.
        #expect(oldest.map(\.offset) == [16_000, 21_000])
        #expect(oldest.allSatisfy { $0.priority == 6 })
        #expect(host.endpoint.statistics.oldestGrants == 2)
    }

    // MARK: The sender's side

    @Test("a grant releases data at its priority; one of the same offset changes that of the rest, an older none")
    func receiving() throws {
        let host = try LoneHost()
        try host.call(length: 200_000)
        _ = host.sent()
        host.receive(.grant(GrantFields(offset: 62_304, priority: 2)), id: 1001, from: LoneHost.server)
        var packets = host.sent()
        #expect(packets.map(\.summary) == ["DATA 60888..<62304"] && packets[0].priority == 2)
        #expect(
            host.receive(.grant(GrantFields(offset: 60_000, priority: 3)), id: 1001, from: LoneHost.server)
                == .dropped(.duplicate))
        host.receive(.grant(GrantFields(offset: 62_304, priority: 1)), id: 1001, from: LoneHost.server)
        #expect(host.sent().isEmpty)
        host.receive(.resend(ResendFields(offset: 62_304, length: 10, priority: 7)), id: 1001, from: LoneHost.server)
        packets = host.sent().filter { $0.payloadLength > 0 }
        #expect(packets.map(\.priority) == [1], "of the latest grant, not of the overtaken one")
        host.receive(.grant(GrantFields(offset: 1_000_000, priority: 0)), id: 1001, from: LoneHost.server)
        #expect(host.sent().last?.summary == "DATA 199656..<200000")
    }

    /// Method: random messages from random peers arrive in random order and interleaving, some fall silent, some
    /// end early. Property: the books agree with the records after every step, and end at zero.
    @Test("the books agree with the records", arguments: seeds(0..<60))
    func books(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var configuration = EndpointConfiguration.small
        configuration.overcommitment = Int.random(in: 1...4, using: &random)
        configuration.maximumIncoming = [20_000, 100_000, 1_000_000].randomElement(using: &random)!
        configuration.window = [nil, 5000, 50_000].randomElement(using: &random)!
        configuration.grantIncrement = 1
        configuration.fifoGrantIncrement = 5000
        configuration.activeMessagesPerHost = [nil, 1, 2].randomElement(using: &random)!
        let host = try LoneHost(configuration, regionLength: seed % 3 == 0 ? 1 << 20 : 16 << 20)
        var lengths: [UInt64: Int] = [:]
        for _ in 0..<400 {
            let id = UInt64.random(in: 1...20, using: &random) * 2
            let from = Self.peer(UInt32(id) % 5)
            switch Int.random(in: 0..<12, using: &random) {
            case 0: host.receive(.rpcUnknown, id: id, from: from)
            case 1: host.pass(microseconds: .random(in: 1...6000, using: &random))
            default:
                let length = lengths[id] ?? Int.random(in: 2000...200_000, using: &random)
                lengths[id] = length
                let start = Int.random(in: 0..<length / 1000, using: &random) * 1000
                host.data(
                    start..<min(length, start + 1000 * Int.random(in: 1...8, using: &random)), of: length, id: id,
                    incoming: min(length, 10_000), from: from)
            }
            for request in try host.requests() {
                lengths[request.id.clientSide.rawValue] = nil
                host.receive(.rpcUnknown, id: request.id.clientSide.rawValue, from: request.client)
            }
            host.endpoint.checkInvariants()
        }
        host.pass(microseconds: 3_000_000)
        host.endpoint.checkInvariants()
        #expect(host.endpoint.rpcCount == 0 && host.endpoint.incomingBytes == 0)
        #expect(host.endpoint.granter.activeCount == 0 && host.endpoint.rangesInUse == 0)
        #expect(host.pool.statistics.leasesLive == 0)
    }
}
