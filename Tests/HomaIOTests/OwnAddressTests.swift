// SPDX-License-Identifier: Apache-2.0

import CHomaPosix
import Glibc
import HomaBase
import Testing

@testable import HomaIO

@Suite("Own addresses")
struct OwnAddressTests {
    private static func ipv4(_ last: UInt32) -> PeerAddress { PeerAddress(ipv4: 0x7F00_0000 | last, port: 0) }

    private static func source(_ address: PeerAddress, interface: UInt32 = 0) -> homa_source {
        homa_source(high: address.high, low: address.low, interface: interface)
    }

    @Test("each address has a number of its own, and keeps it until more come than there is room for")
    func numbers() {
        var own = OwnAddresses()
        #expect(own.number(of: homa_source()) == 0)
        let numbers = (1..<OwnAddresses.capacity).map { own.number(of: Self.source(Self.ipv4(UInt32($0)))) }
        #expect(Set(numbers).count == numbers.count && !numbers.contains(0))
        for (index, number) in numbers.enumerated().reversed() {
            #expect(own.number(of: Self.source(Self.ipv4(UInt32(index + 1)))) == number)
        }
        let further = own.number(of: Self.source(Self.ipv4(1 << 20)))
        #expect(further == numbers[0])
        #expect(own.address(further, port: 9) == PeerAddress(ipv4: 0x7F10_0000, port: 9))
    }

    @Test("an address that was forgotten stands for none, and gets another number when it comes back")
    func forgotten() {
        var own = OwnAddresses()
        let first = own.number(of: Self.source(Self.ipv4(2)))
        own.forget(first)
        #expect(own.address(first, port: 9) == nil)
        let second = own.number(of: Self.source(Self.ipv4(2)))
        #expect(second != first && second != 0)
    }

    @Test("the device counts for addresses of a link only")
    func devices() {
        var own = OwnAddresses()
        let plain = PeerAddress(ipv4: 0x0A00_0001, port: 0)
        let first = own.number(of: Self.source(plain, interface: 3))
        let again = own.number(of: Self.source(plain, interface: 4))
        #expect(first == again)
        for link in [PeerAddress(ipv4: 0xA9FE_0001, port: 0), PeerAddress(high: 0xFE80 << 48, low: 1, port: 0)] {
            let one = own.number(of: Self.source(link, interface: 3))
            let other = own.number(of: Self.source(link, interface: 4))
            #expect(one != other)
            #expect(own.address(one, port: 9)?.scope == 3)
        }
    }

    /// Sends `count` datagrams to an address of the node and hears each of them answered.
    private func exchange(_ count: Int, _ client: inout UDPDriver, _ node: inout UDPDriver, at address: PeerAddress) {
        for number in 0..<count {
            client.queue([1, UInt8(number & 255)], to: address)
            _ = client.flush()
            let packets = node.collect(1)
            #expect(packets.map(\.source) == [client.localAddress])
            guard let packet = packets.first else { return }
            #expect(packet.source.local != 0)
            node.queue([2, UInt8(number & 255)], to: packet.source)
            #expect(node.flush() == FlushResult(sentPackets: 1))
            #expect(client.collect(1) == [Packet(bytes: [2, UInt8(number & 255)], source: address)])
        }
    }

    @Test("an answer leaves from the address that was called, by the busiest peer's socket too", arguments: [1, 2, 77])
    func answers(last: UInt32) throws {
        var node = try UDPDriver()
        var client = try UDPDriver(.loopback())
        var address = Self.ipv4(last)
        address.port = node.localPort
        exchange(BusiestPeer.votesToLead, &client, &node, at: address)
        #expect(node.wantsToConnect == true)
        node.improve()
        #expect(node.connectedPeer == client.localAddress)
        exchange(5, &client, &node, at: address)
        // The same peer calls another address meanwhile.
        var other = Self.ipv4(99)
        other.port = node.localPort
        exchange(5, &client, &node, at: other)
        exchange(5, &client, &node, at: address)
        #expect(node.statistics.connectionsLost == 0 && node.statistics.sourcesLost == 0)
    }

    @Test("trains leave from the address that was called")
    func trains() throws {
        var node = try UDPDriver()
        var client = try UDPDriver(.loopback())
        var address = Self.ipv4(5)
        address.port = node.localPort
        client.queue([1], to: address)
        _ = client.flush()
        let source = try #require(node.collect(1).first?.source)
        let packets = (0..<40).map { pattern($0, count: 1400) }
        for bytes in packets { node.queue(bytes, to: source, priority: 3) }
        #expect(node.flush().sentPackets == 40)
        #expect(client.collect(40) == packets.map { Packet(bytes: $0, source: address) })
        #expect(node.statistics.sentTrains == 1)
    }

    @Test("what should leave from an address that has gone leaves from another", arguments: [1, 10])
    func gone(count: Int) throws {
        var node = try UDPDriver()
        var client = try UDPDriver(.loopback())
        // TEST-NET-1, which is nobody's (RFC 5737).
        let number = node.own.number(of: Self.source(PeerAddress(ipv4: 0xC000_0201, port: 0)))
        var peer = client.localAddress
        peer.local = number
        let packets = (0..<count).map { pattern($0, count: 1000) }
        for bytes in packets { node.queue(bytes, to: peer) }
        #expect(node.flush() == FlushResult(sentPackets: count))
        #expect(client.collect(count).map(\.bytes) == packets)
        #expect(node.statistics.sourcesLost == 1 && node.statistics.droppedPackets == 0)
        // It is known to have gone, and trains are not blamed for it.
        for bytes in packets { node.queue(bytes, to: peer) }
        #expect(node.flush() == FlushResult(sentPackets: count))
        #expect(client.collect(count).map(\.bytes) == packets)
        #expect(node.statistics.sourcesLost == 1)
        #expect(node.isUsingGSO == true && node.deniedPeers.count == 0)
    }
}
