// SPDX-License-Identifier: Apache-2.0

import CHomaPosix
import Glibc
import HomaBase
import HomaPosix
import Testing

@testable import HomaIO

@Suite("The busiest peer's own socket")
struct BusiestPeerTests {
    @Test(
        "a peer that sends most of the datagrams wins the vote, wherever the others come in",
        arguments: 1...8 as ClosedRange<UInt64>
    )
    func majority(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var vote = BusiestPeer()
        let peers = (1...50).map { homa_address(high: 0, low: $0, scope: 0, port: 7) }
        for _ in 0..<2_000 {
            vote.vote(for: random.nextUnit() < 0.75 ? peers[0] : peers[1 + Int(random.nextUnit() * 49)])
        }
        #expect(vote.candidate.isSame(as: peers[0]))
        #expect(vote.votes >= BusiestPeer.votesToLead)
    }

    @Test("peers that send equally much win nothing", arguments: [2, 3, 40])
    func equals(count: Int) {
        var vote = BusiestPeer()
        for turn in 0..<10_000 {
            vote.vote(for: homa_address(high: 0, low: 1, scope: 0, port: UInt16(1 + turn % count)))
        }
        #expect(vote.votes < BusiestPeer.votesToLead)
    }

    /// Sends `count` datagrams one by one, so that none is lost, and takes them.
    private func send(_ count: Int, from sender: inout UDPDriver, to receiver: inout UDPDriver, at address: PeerAddress)
    {
        for number in 0..<count {
            sender.queue([1, UInt8(number & 255)], to: address)
            _ = sender.flush()
            #expect(receiver.collect(1) == [Packet(bytes: [1, UInt8(number & 255)], source: sender.localAddress)])
        }
    }

    private func connect(_ node: inout UDPDriver) {
        let isConnected = node.connectToBusiestPeer()
        #expect(isConnected)
    }

    struct Setting: Sendable, CustomTestStringConvertible {
        var wildcard: Bool
        var ipv6: Bool
        var testDescription: String { "\(wildcard ? "wildcard" : "one address"), \(ipv6 ? "IPv6" : "IPv4") peers" }
    }

    static let settings = [false, true].flatMap { wildcard in
        [false, true].map { Setting(wildcard: wildcard, ipv6: $0) }
    }

    private func makeNode(_ setting: Setting) throws -> UDPDriver {
        try UDPDriver(setting.wildcard ? UDPSocketOptions() : .loopback(ipv6: setting.ipv6))
    }

    private func address(of node: borrowing UDPDriver, _ setting: Setting) -> PeerAddress {
        setting.ipv6
            ? PeerAddress(high: 0, low: 1, port: node.localPort) : PeerAddress(ipv4: 0x7F00_0001, port: node.localPort)
    }

    @Test("packets of the busiest peer and of others arrive and leave, before and after", arguments: settings)
    func exchange(setting: Setting) throws {
        var node = try makeNode(setting)
        var busy = try UDPDriver(.loopback(ipv6: setting.ipv6))
        var other = try UDPDriver(.loopback(ipv6: setting.ipv6))
        let here = address(of: node, setting)
        send(BusiestPeer.votesToLead - 1, from: &busy, to: &node, at: here)
        #expect(node.wantsToConnect == false)
        send(1, from: &busy, to: &node, at: here)
        try #require(node.wantsToConnect == true)
        connect(&node)
        let connected = node.connectedPeer
        #expect(connected == busy.localAddress)
        #expect(node.wantsToConnect == false)

        for _ in 0..<20 {
            send(3, from: &busy, to: &node, at: here)
            send(1, from: &other, to: &node, at: here)
            node.queue([7, 7], to: busy.localAddress)
            node.queue([8, 8], to: other.localAddress)
            node.queue([9, 9], to: busy.localAddress)
            #expect(node.flush() == FlushResult(sentPackets: 3))
            #expect(busy.collect(2) == [Packet(bytes: [7, 7], source: here), Packet(bytes: [9, 9], source: here)])
            #expect(other.collect(1) == [Packet(bytes: [8, 8], source: here)])
        }
        #expect(node.statistics.connections == 1)
    }

    @Test("long trains through the connected socket arrive whole")
    func trains() throws {
        var node = try UDPDriver(.loopback())
        var busy = try UDPDriver(.loopback())
        send(BusiestPeer.votesToLead, from: &busy, to: &node, at: node.localAddress)
        connect(&node)
        let packets = (0..<40).map { pattern($0, count: 1400) }
        for bytes in packets { node.queue(bytes, to: busy.localAddress, priority: 2) }
        #expect(node.flush().sentPackets == 40)
        #expect(busy.collect(40).map(\.bytes) == packets)
        #expect(node.statistics.sentTrains == 1)
    }

    @Test("another peer takes the socket over only when it sends far more")
    func replaced() throws {
        var node = try UDPDriver(.loopback())
        var first = try UDPDriver(.loopback())
        var second = try UDPDriver(.loopback())
        send(BusiestPeer.votesToLead, from: &first, to: &node, at: node.localAddress)
        connect(&node)
        send(2 * BusiestPeer.votesToLead, from: &second, to: &node, at: node.localAddress)
        #expect(node.wantsToConnect == false)
        // What thousands of further datagrams would do, up to the last few.
        for _ in 0..<(BusiestPeer.votesToReplace - node.busiestPeer.votes - 5) {
            node.busiestPeer.vote(for: node.busiestPeer.candidate)
        }
        send(4, from: &second, to: &node, at: node.localAddress)
        #expect(node.wantsToConnect == false)
        send(1, from: &second, to: &node, at: node.localAddress)
        try #require(node.wantsToConnect == true)
        connect(&node)
        let connected = node.connectedPeer
        #expect(connected == second.localAddress)
        send(3, from: &first, to: &node, at: node.localAddress)
        send(3, from: &second, to: &node, at: node.localAddress)
    }

    @Test("the port stays closed to everybody else", arguments: [false, true])
    func exclusive(asksToShare: Bool) throws {
        var node = try UDPDriver(.loopback())
        var busy = try UDPDriver(.loopback())
        send(BusiestPeer.votesToLead, from: &busy, to: &node, at: node.localAddress)
        connect(&node)
        let intruder = try UDPSocket(family: AF_INET)
        if asksToShare { intruder.set(SOL_SOCKET, SO_REUSEPORT, 1) }
        #expect(throws: SystemError.self) { try intruder.bind(to: node.localAddress) }
    }

    @Test("a closed peer is reported through its own socket")
    func refused() throws {
        var node = try UDPDriver(.loopback())
        let gone: PeerAddress
        do {
            var busy = try UDPDriver(.loopback())
            send(BusiestPeer.votesToLead, from: &busy, to: &node, at: node.localAddress)
            connect(&node)
            gone = busy.localAddress
        }
        node.queue([1, 2, 3], to: gone)
        _ = node.flush()
        #expect(node.receive() == 0)
        let report = node.nextError()
        let error = try #require(report)
        #expect(error.kind == .portUnreachable && error.peer == gone)
    }

    @Test("a driver told not to never makes a second socket")
    func switchedOff() throws {
        var options = UDPSocketOptions.loopback()
        options.connectsToBusiestPeer = false
        var node = try UDPDriver(options)
        var busy = try UDPDriver(.loopback())
        send(2 * BusiestPeer.votesToLead, from: &busy, to: &node, at: node.localAddress)
        #expect(node.wantsToConnect == false)
    }

    @Test("a sleeping thread is woken by the connected socket")
    func wakes() throws {
        var node = try UDPDriver(.loopback())
        var busy = try UDPDriver(.loopback())
        send(BusiestPeer.votesToLead, from: &busy, to: &node, at: node.localAddress)
        connect(&node)
        let clock = MonotonicClock.process
        let before = node.wait(until: clock.now(), forRoom: false)
        #expect(before.isEmpty)
        busy.queue([5], to: node.localAddress)
        _ = busy.flush()
        let events = node.wait(until: clock.now() + .milliseconds(500), forRoom: false)
        #expect(events.contains(.readable))
        let room = node.wait(until: clock.now() + .milliseconds(500), forRoom: true)
        #expect(room.contains(.writable))
    }
}
