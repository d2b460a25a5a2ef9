// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaPosix
import Testing

@testable import HomaIO

/// On the loopback device; two hosts are in Scripts/netns-checks.sh. One after the other, since all raw sockets of a
/// host see all packets.
@Suite(.serialized)
struct RawIPDriverTests {
    /// A GRANT as in docs/protocol.md: from port 4000 to port 0x8000.
    private static func grant(from source: UInt16, to target: UInt16) -> [UInt8] {
        let head = [UInt8(source >> 8), UInt8(source & 255), UInt8(target >> 8), UInt8(target & 255)]
        return head + [0, 0, 0, 0, 0, 0, 0, 0x11, 0x50, 6, 0, 0, 0, 0, 0xB9, 0x7D, 0, 0, 0, 0, 0, 0, 0, 3]
            + [0, 3, 0xA9, 0x80, 3]
    }

    private func options(ipv6: Bool) -> UDPSocketOptions {
        var options = UDPSocketOptions.loopback(ipv6: ipv6)
        options.reportsTrafficClass = true
        return options
    }

    private func send(_ bytes: [UInt8], with driver: inout RawIPDriver, to peer: PeerAddress, priority: UInt8 = 0) {
        bytes.withUnsafeBytes { driver.reserveHeader().copyMemory(from: $0) }
        driver.append(
            headerByteCount: bytes.count, payload: nil, payloadByteCount: 0, to: peer, priority: priority)
        #expect(driver.flush().sentPackets == 1)
    }

    private func collect(_ driver: inout RawIPDriver, _ count: Int, seconds: Int = 2) -> [Packet] {
        var packets: [Packet] = []
        let limit = MonotonicClock.process.now() + .seconds(seconds)
        while packets.count < count, MonotonicClock.process.now() < limit {
            for index in 0..<driver.receive() {
                let packet = driver.datagram(index)
                #expect(packet.segmentSize == packet.byteCount)
                packets.append(
                    Packet(
                        bytes: Array(UnsafeRawBufferPointer(start: packet.baseAddress, count: packet.byteCount)),
                        source: packet.source, trafficClass: packet.trafficClass))
            }
        }
        return packets
    }

    @Test(.enabled(if: PacketRingDriverTests.isPermitted), arguments: [false, true])
    func `A packet is the IP payload, byte for byte, and its port names the peer`(isIPv6: Bool) throws {
        guard !isIPv6 || isIPv6Available else { return }
        var server = try RawIPDriver(options(ipv6: isIPv6))
        var client = try RawIPDriver(options(ipv6: isIPv6))
        try server.open(4000)
        try client.open(0x8000)
        var peer = server.localAddress
        peer.port = 4000
        send(Self.grant(from: 0x8000, to: 4000), with: &client, to: peer, priority: 7)
        let arrived = collect(&server, 1)
        var source = client.localAddress
        source.port = 0x8000
        #expect(arrived == [Packet(bytes: Self.grant(from: 0x8000, to: 4000), source: source, trafficClass: 0xE0)])
        send(Self.grant(from: 4000, to: 0x8000), with: &server, to: source, priority: 2)
        #expect(collect(&client, 1).map(\.trafficClass) == [0x40])
        // Each saw what was for the other, and the kernel gave both to both.
        _ = collect(&server, 1, seconds: 0)
        #expect(server.statistics.foreignFrames + client.statistics.foreignFrames >= 1)
        #expect(server.statistics.refusedPackets + client.statistics.refusedPackets == 0)
    }

    @Test(.enabled(if: PacketRingDriverTests.isPermitted), arguments: [false, true])
    func `A packet to nobody's port is answered with port unreachable, quoting it`(isIPv6: Bool) throws {
        guard !isIPv6 || isIPv6Available else { return }
        var driver = try RawIPDriver(options(ipv6: isIPv6))
        try driver.open(0x8000)
        var peer = driver.localAddress
        peer.port = 31_234
        send(Self.grant(from: 0x8000, to: 31_234), with: &driver, to: peer)
        _ = collect(&driver, 1, seconds: 1)
        #expect(driver.statistics.refusedPackets == 1)
        let report = driver.nextError()
        let error = try #require(report)
        #expect(error.kind == .portUnreachable)
        #expect(error.peer == peer)
        #expect(error.withPayload { Array($0) }.prefix(28) == Self.grant(from: 0x8000, to: 31_234).prefix(28))
    }

    @Test(.enabled(if: PacketRingDriverTests.isPermitted))
    func `Packets too short to have ports are counted, and reach nobody`() throws {
        var driver = try RawIPDriver(options(ipv6: false))
        try driver.open(0x8001)
        var peer = driver.localAddress
        peer.port = 0x8001
        for count in 1...3 { send(Array(repeating: 0x80, count: count), with: &driver, to: peer) }
        #expect(collect(&driver, 1, seconds: 1).isEmpty)
        #expect(driver.statistics.malformedFrames == 3)
    }

    @Test func `A Homa port belongs to one node of a host at a time`() throws {
        var one = HostPorts()
        var other = HostPorts()
        try one.open(31_111)
        let mine = [one.isOurs(31_111), one.isOurs(31_112), other.isOurs(31_111)]
        #expect(mine == [true, false, false])
        var refusal: SystemError?
        do throws(SystemError) { try other.open(31_111) } catch { refusal = error }
        #expect(refusal?.code == EADDRINUSE)
        let taken = [other.belongsToSomebody(31_111), other.belongsToSomebody(31_112)]
        #expect(taken == [true, false])
        one.close(31_111)
        let isStillMine = one.isOurs(31_111)
        #expect(!isStillMine)
        try other.open(31_111)
        let isTaken = other.isOurs(31_111)
        #expect(isTaken)
    }

    @Test func `Answers to misdirected packets are limited to a thousand a second`() {
        var limit = AnswerLimit()
        let start = Instant(nanoseconds: 5_000_000_000)
        let allowed = [start, start + .milliseconds(10), start + .seconds(60)].map { now in
            (0..<5000).count { _ in limit.allowsOne(at: now) }
        }
        #expect(allowed == [1000, 10, 1000])
    }

    /// Sends bytes as raw TCP, as a kernel host with `hijack_tcp` does.
    private func sendAsTCP(_ bytes: [UInt8], to address: PeerAddress) throws {
        let file = socket(address.isIPv4 ? AF_INET : AF_INET6, Int32(SOCK_RAW.rawValue), Int32(IPPROTO_TCP))
        try #require(file >= 0)
        defer { close(file) }
        var host = address
        host.port = 0
        let sent = host.withSocketAddress { name in
            sendto(
                file, bytes, bytes.count, 0, name.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                UInt32(name.count))
        }
        #expect(sent == bytes.count)
    }

    @Test(.enabled(if: PacketRingDriverTests.isPermitted), arguments: [false, true])
    func `Packets in hijacked TCP headers are taken where they are asked for, and no other TCP`(isIPv6: Bool) throws {
        guard !isIPv6 || isIPv6Available else { return }
        var options = options(ipv6: isIPv6)
        var plain = try RawIPDriver(options)
        options.takesHijackedTCP = true
        var server = try RawIPDriver(options)
        try server.open(4000)
        let grant = Self.grant(from: 0x8000, to: 4000)
        var syn = grant
        syn[13] = 2
        var other = grant
        other[18] = 0
        for bytes in [syn, other, grant, Self.grant(from: 0x8000, to: 4001), Array(grant.prefix(16))] {
            try sendAsTCP(bytes, to: server.localAddress)
        }
        let arrived = collect(&server, 2, seconds: 1)
        var source = server.localAddress
        source.port = 0x8000
        #expect(arrived.map(\.bytes) == [grant] && arrived.first?.source == source)
        // What is for another port is left to its sender. Tests beside this one may send foreign packets, too.
        #expect(server.statistics.foreignFrames >= 1)
        #expect(plain.receive() == 0)
    }
}
