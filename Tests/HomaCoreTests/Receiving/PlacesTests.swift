// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Places among the messages granted to, and what each place is worth.
@Suite("Places among those granted to")
struct PlacesTests {
    /// A host where strangers are on trial.
    private static func host(
        overcommitment: Int, perHost: Int? = nil, window: Int? = 10_000
    ) throws -> LoneHost {
        var configuration = GranterTests.configuration()
        configuration.overcommitment = overcommitment
        configuration.activeMessagesPerHost = perHost
        configuration.window = window
        configuration.maximumIncoming = 120_000
        configuration.adaptsWindows = false
        return try StrangerTests.host(configuration)
    }

    /// A message from somebody who shows that he hears us.
    private static func known(_ host: LoneHost, _ id: UInt64, length: Int, from number: UInt32) {
        let address = HostShareTests.port(0, of: number)
        var marked = HeaderExtension(tag: HostShareTests.tag(address))
        marked.marks = .proof
        let token = host.endpoint.life.token(for: address)
        host.receive(
            .data(
                DataFields(
                    messageLength: UInt32(length), incoming: 1000, proof: token, offset: 0, payloadLength: 1000)),
            id: id, from: address, extensions: marked)
    }

    private static func stranger(_ host: LoneHost, _ id: UInt64, length: Int, from number: UInt32) {
        HostShareTests.begin(host, id, length: length, from: HostShareTests.port(0, of: number))
    }

    private static func end(_ host: LoneHost, _ id: UInt64, from number: UInt32) {
        let address = HostShareTests.port(0, of: number)
        host.receive(.rpcUnknown, id: id, from: address, extensions: HeaderExtension(tag: HostShareTests.tag(address)))
        host.endpoint.checkInvariants()
    }

    @Test("a place that becomes free goes to somebody known before any stranger, however short that one's message")
    func knownFirst() throws {
        let host = try Self.host(overcommitment: 1)
        Self.known(host, 2, length: 20_000, from: 1)
        Self.stranger(host, 4, length: 5_000, from: 2)
        Self.known(host, 6, length: 90_000, from: 3)
        #expect(GranterTests.grants(host).keys.sorted() == [2])
        Self.end(host, 2, from: 1)
        #expect(GranterTests.grants(host).keys.sorted() == [6])
    }

    @Test("a place that becomes free goes to a stranger rather than to a host that has all it may have")
    func fullHostLast() throws {
        let host = try Self.host(overcommitment: 2, perHost: 1)
        Self.known(host, 2, length: 20_000, from: 1)
        Self.known(host, 4, length: 20_000, from: 2)
        Self.known(host, 6, length: 30_000, from: 1)
        Self.stranger(host, 8, length: 40_000, from: 3)
        #expect(GranterTests.grants(host).keys.sorted() == [2, 4])
        Self.end(host, 4, from: 2)
        #expect(GranterTests.grants(host).keys.sorted() == [8])
    }

    @Test("a place that becomes free goes to the host with fewest, however short another's message")
    func fewestFirst() throws {
        let host = try Self.host(overcommitment: 2)
        Self.known(host, 2, length: 20_000, from: 1)
        Self.known(host, 4, length: 20_000, from: 2)
        Self.known(host, 6, length: 30_000, from: 1)
        Self.known(host, 8, length: 90_000, from: 3)
        #expect(GranterTests.grants(host).keys.sorted() == [2, 4])
        Self.end(host, 4, from: 2)
        #expect(GranterTests.grants(host).keys.sorted() == [8])
    }

    @Test("a host that has all it may have displaces its own messages, and no stranger's")
    func ownVictim() throws {
        let host = try Self.host(overcommitment: 2, perHost: 1)
        Self.known(host, 2, length: 50_000, from: 1)
        Self.stranger(host, 4, length: 90_000, from: 2)
        #expect(GranterTests.grants(host).keys.sorted() == [2, 4])
        Self.known(host, 6, length: 40_000, from: 1)
        #expect(GranterTests.grants(host).keys.sorted() == [6])
        let records = host.endpoint.peers.find(HostShareTests.port(0, of: 1))
        #expect(host.endpoint.peers.host(of: try #require(records)).pointee.activeGrants == 1)
        host.endpoint.checkInvariants()
    }

    @Test("strangers' places together count as one when the window is shared")
    func sharing() throws {
        let host = try Self.host(overcommitment: 8, window: nil)
        for number in 1...4 as ClosedRange<UInt32> { Self.stranger(host, 2, length: 300_000, from: number) }
        _ = host.sent()
        Self.known(host, 4, length: 400_000, from: 9)
        // Among two and one more.
        #expect(GranterTests.grants(host)[4]?.offset == 41_000)
    }

    @Test("a stranger's message that needs no grants counts as far as it comes, too")
    func claimsWithoutGrants() throws {
        let host = try StrangerTests.host()
        let address = HostShareTests.port(0)
        for (range, bytes) in [(0..<1000, 1416), (1000..<2000, 2000), (2000..<5000, 5000)] {
            host.data(
                range, of: 60_000, id: 2, incoming: 60_000, from: address, extensions: HeaderExtension(tag: 1))
            #expect(host.endpoint.incomingBytes == bytes)
        }
    }

    @Test("where other shards leave a window of less than a step, half of it is granted at a time")
    func halfSteps() throws {
        var configuration = GranterTests.configuration()
        configuration.window = nil
        configuration.adaptsWindows = false
        configuration.maximumIncoming = 90_000
        configuration.grantIncrement = 10_000
        let host = try LoneHost(configuration)
        // With 17 elsewhere: an eighteenth of what may come, and a nineteenth for the message.
        host.endpoint.granter.apply(activeMessages: 17)
        GranterTests.begin(host, 2, length: 100_000, peer: 1)
        #expect(GranterTests.grants(host)[2]?.offset == 5736)
        host.data(1000..<3367, of: 100_000, id: 2, from: GranterTests.peer(1))
        #expect(GranterTests.grants(host).isEmpty)
        host.data(3367..<3368, of: 100_000, id: 2, from: GranterTests.peer(1))
        #expect(GranterTests.grants(host)[2]?.offset == 8104, "2368 more")
    }

    @Test("however many messages the other shards have, a packet may be on its way, and more when they are over")
    func otherShards() throws {
        var configuration = GranterTests.configuration()
        configuration.window = nil
        configuration.adaptsWindows = false
        let host = try LoneHost(configuration)
        host.endpoint.granter.apply(activeMessages: 5000)
        #expect(host.endpoint.granter.incomingLimit == 1416 && host.endpoint.granter.window == 1416)
        GranterTests.begin(host, 2, length: 100_000, peer: 1)
        #expect(GranterTests.grants(host)[2]?.offset == 2416)
        host.endpoint.granter.apply(activeMessages: 0)
        #expect(GranterTests.grants(host)[2]?.offset == 100_000)
    }

    @Test("of hosts whose messages are as long, the one that waits longer has the place that becomes free")
    func longerWait() throws {
        for order in [[2, 3], [3, 2]] as [[UInt32]] {
            let host = try Self.host(overcommitment: 1)
            for number in 1...3 as ClosedRange<UInt32> {
                Self.known(host, 100, length: 1000, from: number)
            }
            Self.known(host, 2, length: 15_000, from: 1)
            for number in order {
                host.pass(microseconds: 100)
                Self.known(host, UInt64(2 * number), length: 20_000, from: number)
            }
            _ = host.sent()
            Self.end(host, 2, from: 1)
            #expect(GranterTests.grants(host).keys.sorted() == [UInt64(2 * order[0])])
        }
    }

    @Test("when a stranger becomes known, what it says to have sent counts")
    func becomesKnown() throws {
        let host = try Self.host(overcommitment: 2)
        let address = HostShareTests.port(0)
        host.data(
            0..<1000, of: 200_000, id: 2, incoming: 60_000, from: address,
            extensions: HeaderExtension(tag: HostShareTests.tag(address)))
        #expect(host.endpoint.incomingBytes == 1416)
        let peer = host.endpoint.findPeer(address)
        host.endpoint.validate(try #require(peer))
        #expect(host.endpoint.incomingBytes == 59_000)
        host.endpoint.checkInvariants()
    }

    @Test("a stranger that becomes known is granted at once what it may have then")
    func grantsWhenKnown() throws {
        let host = try Self.host(overcommitment: 8)
        for (number, offset) in [(1, 11_000), (2, 6_000)] as [(UInt32, UInt32)] {
            Self.stranger(host, 2, length: 50_000, from: number)
            #expect(GranterTests.grants(host)[2]?.offset == offset)
        }
        let peer = host.endpoint.findPeer(HostShareTests.port(0, of: 2))
        host.endpoint.validate(try #require(peer))
        #expect(GranterTests.grants(host)[2]?.offset == 11_000)
    }

    // MARK: The oldest

    /// The grants out of turn, while a short message brings so many packets of 1000 bytes.
    private static func outOfTurn(_ host: LoneHost, packets: Range<Int>) -> [UInt64: UInt32] {
        var granted: [UInt64: UInt32] = [:]
        for packet in packets {
            host.data(
                packet * 1000..<packet * 1000 + 1000, of: 300_000, id: 6, incoming: 1000, from: GranterTests.peer(3))
            for (id, grant) in GranterTests.grants(host) where id != 6 { granted[id] = grant.offset }
        }
        return granted
    }

    private static func elders() throws -> LoneHost {
        var configuration = GranterTests.configuration()
        configuration.overcommitment = 1
        configuration.fifoGrantFraction = 0.5
        configuration.fifoGrantIncrement = 5000
        let host = try LoneHost(configuration)
        for (id, length) in [(2, 900_000), (4, 800_000), (6, 300_000)] as [(UInt64, Int)] {
            GranterTests.begin(host, id, length: length, peer: UInt32(id / 2))
            host.pass(microseconds: 500)
        }
        _ = host.sent()
        return host
    }

    @Test("the oldest message gets no more out of turn than its sender makes use of; then the next has its turn")
    func unused() throws {
        let host = try Self.elders()
        // They have a window of 10 000 bytes each, and may have twice the step beyond it.
        let granted = Self.outOfTurn(host, packets: 1..<100)
        #expect(granted == [2: 21_000, 4: 21_000])
    }

    @Test("a message that was silent for a while is as old as before")
    func asOldAsBefore() throws {
        let host = try Self.elders()
        host.pass(microseconds: 30_000)
        host.data(1000..<11_000, of: 300_000, id: 6, incoming: 1000, from: GranterTests.peer(3))
        host.data(1000..<5000, of: 800_000, id: 4, incoming: 1000, from: GranterTests.peer(2))
        host.data(1000..<5000, of: 900_000, id: 2, incoming: 1000, from: GranterTests.peer(1))
        _ = host.sent()
        let granted = Self.outOfTurn(host, packets: 11..<25)
        #expect(granted[2] != nil && granted[4] == nil, "\(granted)")
    }

    @Test("a message that was silent for a while finds its place among the eight oldest")
    func amongTheOldest() throws {
        var configuration = GranterTests.configuration()
        configuration.overcommitment = 1
        configuration.fifoGrantFraction = 0.5
        configuration.fifoGrantIncrement = 5000
        let host = try LoneHost(configuration)
        func bring(_ number: Int, _ range: Range<Int>) {
            let length = number == 8 ? 300_000 : 900_000 - 1000 * number
            host.data(
                range, of: length, id: UInt64(2 * number), incoming: 1000, from: GranterTests.peer(UInt32(number)))
        }
        for number in 1...8 {
            bring(number, 0..<1000)
            host.pass(microseconds: 500)
        }
        host.pass(microseconds: 30_000)
        bring(8, 1000..<11_000)
        for number in [1, 2, 3, 4, 5, 7, 6] { bring(number, 1000..<5000) }
        _ = host.sent()
        // Each has three grants of 5000 bytes in turn: 17 have been earned in the end.
        var granted: Set<UInt64> = []
        for packet in 11..<140 {
            bring(8, packet * 1000..<packet * 1000 + 1000)
            granted.formUnion(GranterTests.grants(host).keys)
        }
        #expect(granted.contains(12) && !granted.contains(14), "\(granted.sorted())")
    }
}
