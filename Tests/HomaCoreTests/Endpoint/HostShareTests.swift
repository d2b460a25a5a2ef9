// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Rule: shares are a host's, by whichever of its ports, and who has shown nothing yet has next to none.
@Suite("Shares per host")
struct HostShareTests {
    /// A port of a host.
    static func port(_ number: UInt16, of host: UInt32 = 1) -> PeerAddress {
        PeerAddress(ipv4: 0x0A00_0200 + host, port: 5000 + number)
    }

    static func tag(_ address: PeerAddress) -> UInt64 { address.low << 16 | UInt64(address.port) }

    static func begin(_ host: LoneHost, _ id: UInt64, length: Int, from address: PeerAddress) {
        host.data(
            0..<1000, of: length, id: id, incoming: 1000, from: address,
            extensions: HeaderExtension(tag: Self.tag(address)))
    }

    @Test("all ports of a host have the requests of one")
    func requests() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumServerRPCsPerHost = 20
        let host = try LoneHost(configuration)
        for number in 0..<10 as Range<UInt16> {
            for id in 1...4 as ClosedRange<UInt64> {
                Self.begin(host, id * 2, length: 2000, from: Self.port(number))
            }
        }
        #expect(host.endpoint.rpcCount == 20)
        #expect(host.dropped(.tooManyRPCs) == 20)
        #expect(host.sent().filter { $0.header.common.type == .busy }.count == 20, "nobody is refused by silence")
        Self.begin(host, 2, length: 2000, from: Self.port(0, of: 2))
        #expect(host.endpoint.rpcCount == 21, "another host has its own")
        host.endpoint.checkInvariants()
    }

    @Test("a host has half of the records for peers at most, as far as it has something under way")
    func records() throws {
        let host = try LoneHost(.small)
        for number in 0..<60 as Range<UInt16> { Self.begin(host, 2, length: 2000, from: Self.port(number)) }
        #expect(host.endpoint.rpcCount == 32, "of 64")
        for number in 0..<20 as Range<UInt32> {
            Self.begin(host, 2, length: 2000, from: Self.port(0, of: 10 + number))
        }
        #expect(host.endpoint.rpcCount == 52)
        host.endpoint.checkInvariants()
    }

    @Test("the ports of a host share its places among those granted to")
    func places() throws {
        var configuration = GranterTests.configuration()
        configuration.overcommitment = 4
        let host = try LoneHost(configuration)
        for number in 0..<8 as Range<UInt16> { Self.begin(host, 2, length: 20_000, from: Self.port(number)) }
        #expect(host.endpoint.granter.activeCount == 4)
        _ = host.sent()
        // Longer ones, of one other host, whose ids tell them apart.
        for id in [102, 104, 106] as [UInt64] { Self.begin(host, id, length: 90_000, from: Self.port(0, of: 2)) }
        let granted = GranterTests.grants(host)
        #expect(granted[102] != nil && granted[104] != nil, "two places each")
        #expect(granted[106] == nil)
        host.endpoint.checkInvariants()
    }

    @Test("strangers have the places that nobody else wants, and lose them to anybody who is known")
    func trials() throws {
        var configuration = GranterTests.configuration()
        configuration.overcommitment = 2
        let host = try StrangerTests.host(configuration)
        for number in 0..<4 as Range<UInt16> { Self.begin(host, 2, length: 20_000, from: Self.port(number)) }
        #expect(host.endpoint.granter.activeCount == 2)
        _ = host.sent()
        // Known by the token that it shows.
        let known = Self.port(0, of: 2)
        let token = host.endpoint.life.token(for: known)
        var marked = HeaderExtension(tag: 9)
        marked.marks = .proof
        for id in [102, 104] as [UInt64] {
            host.receive(
                .data(
                    DataFields(messageLength: 90_000, incoming: 1000, proof: token, offset: 0, payloadLength: 1000)),
                id: id, from: known, extensions: marked)
        }
        let granted = GranterTests.grants(host)
        #expect(granted[102] != nil && granted[104] != nil, "however long they are")
        host.endpoint.checkInvariants()
        // Its messages gone, strangers have places again; and keep them when they are known.
        for id in [102, 104] as [UInt64] {
            host.receive(.rpcUnknown, id: id, from: known, extensions: HeaderExtension(tag: 9))
            host.endpoint.checkInvariants()
        }
        #expect(host.endpoint.granter.activeCount == 2)
        for number in 0..<4 as Range<UInt16> {
            let peer = host.endpoint.findPeer(Self.port(number))
            host.endpoint.validate(try #require(peer))
            host.endpoint.checkInvariants()
        }
        #expect(host.endpoint.granter.activeCount == 2)
    }

    @Test("strangers that are granted to have the window of one message together")
    func windowOfTrials() throws {
        let host = try StrangerTests.host(GranterTests.configuration())
        var granted: [UInt32] = []
        for number in 1...4 as ClosedRange<UInt32> {
            Self.begin(host, 2, length: 20_000, from: Self.port(0, of: number))
            granted.append(try #require(GranterTests.grants(host)[2]).offset)
        }
        #expect(granted == [11_000, 6000, 4333, 3500])
    }

    @Test("what a stranger says to have sent counts as far as it comes")
    func claims() throws {
        let host = try StrangerTests.host()
        host.data(
            0..<1, of: 1_000_000, id: 2, incoming: 60_000, from: Self.port(0), extensions: HeaderExtension(tag: 1))
        #expect(host.endpoint.incomingBytes <= 1500, "a packet")
        let ignorant = try LoneHost(.small)
        ignorant.data(0..<1, of: 1_000_000, id: 2, incoming: 60_000, from: Self.port(0))
        #expect(ignorant.endpoint.incomingBytes > 59_000, "others are believed")
    }

    @Test("a host that fills the memory with what does not come makes room when others wait")
    func memory() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumMessageBytes = 200_000
        let host = try LoneHost(configuration, regionLength: 1 << 20)
        var offset = 1000
        for id in 1...9 as ClosedRange<UInt64> {
            Self.begin(host, 2 * id, length: 120_000, from: Self.port(UInt16(id)))
        }
        // A byte now and then.
        func drip(rounds: Int) {
            for _ in 0..<rounds {
                for id in 1...9 as ClosedRange<UInt64> {
                    host.data(
                        offset..<offset + 1, of: 120_000, id: 2 * id, from: Self.port(UInt16(id)),
                        extensions: HeaderExtension(tag: Self.tag(Self.port(UInt16(id)))))
                }
                offset += 1
                host.pass(microseconds: 3000)
            }
        }
        drip(rounds: 100)
        #expect(host.endpoint.statistics.requestsEvicted == 0, "nobody else wants it")
        Self.begin(host, 2, length: 150_000, from: Self.port(0, of: 2))
        let waiting = host.endpoint.statistics.bufferStalls
        #expect(waiting > 0)
        let found = host.endpoint.findPeer(Self.port(0, of: 2))
        let other = try #require(found)
        var rounds = 0
        while host.endpoint.peers.at(other).pointee.heldBytes == 0, rounds < 100 {
            drip(rounds: 1)
            rounds += 1
        }
        #expect(rounds < 50, "\(rounds) of 3 ms")
        #expect(host.endpoint.statistics.requestsEvicted > 0)
        #expect(host.dropped(.noBuffers) > 0, "what comes again is refused, and counted as what it is")
        host.endpoint.checkInvariants()
    }

    @Test("while others wait for memory a request begins if its host's share of it has room for all of the request")
    func memoryShare() throws {
        let host = try LoneHost(.small, regionLength: 1 << 20)
        Self.begin(host, 2, length: 400_000, from: Self.port(0))
        Self.begin(host, 2, length: 300_000, from: Self.port(0, of: 2))
        Self.begin(host, 4, length: 500_000, from: Self.port(0, of: 2))
        #expect(host.endpoint.statistics.bufferStalls == 1)
        _ = host.sent()
        // Half of the memory is 524 288 bytes.
        Self.begin(host, 4, length: 200_000, from: Self.port(1))
        #expect(host.endpoint.rpcCount == 3)
        #expect(host.said() == ["BUSY"])
        Self.begin(host, 4, length: 100_000, from: Self.port(1))
        #expect(host.endpoint.rpcCount == 4)
        host.endpoint.checkInvariants()
    }

    @Test("calls to each peer come from a port of their own, which no other peer can foretell")
    func ports() throws {
        var random = SeededRandom(seed: 5)
        let host = try LoneHost(life: HostLife(using: &random))
        host.endpoint.hideClientPorts()
        var ports: Set<UInt16> = []
        for number in 0..<40 as Range<UInt32> {
            let peer = PeerStoreTests.address(number)
            try host.call(length: 100, to: peer)
            let sent = try #require(host.sent().first { $0.payloadLength > 0 })
            let port = sent.header.common.sourcePort
            #expect(port >= HomaLimits.firstClientPort)
            ports.insert(port)
            guard number == 0 else { continue }
            // The answer to another port than that is nobody's.
            for (answered, port) in [(false, port ^ 1), (true, port)] {
                host.receive(
                    .data(DataFields(messageLength: 10, incoming: 10, offset: 0, payloadLength: 10)),
                    id: sent.header.common.senderID.peer.rawValue, from: peer,
                    ports: (sent.header.common.destinationPort, port))
                let arrived = host.events().contains { if case .responseArrived = $0 { true } else { false } }
                #expect(arrived == answered)
            }
        }
        #expect(ports.count > 35)
    }
}
