// SPDX-License-Identifier: Apache-2.0

import CHomaPosix
import Glibc
import HomaBase
@testable import HomaIO
import HomaPosix
import Testing

@Suite("UDP driver, when things go wrong")
struct UDPDriverFaultTests {
    @Test("a plain socket sees the priority in the traffic class", arguments: ["v4", "v6", "mapped"])
    func trafficClass(kind: String) throws {
        let receiver = try PlainSocket(ipv6: kind == "v6")
        var sender = try kind == "mapped" ? UDPDriver() : UDPDriver(.loopback(ipv6: kind == "v6"))
        for priority in 0..<8 as Range<UInt8> { sender.queue([priority, 1], to: receiver.address, priority: priority) }
        #expect(sender.flush().sentPackets == 8)
        #expect(receiver.trafficClasses(8) == (0..<8).map { $0 << 5 })
    }

    @Test("the driver reports the traffic class when asked", arguments: [false, true])
    func reportedTrafficClass(ipv6: Bool) throws {
        var options = UDPSocketOptions()
        options.reportsTrafficClass = true
        var receiver = try UDPDriver(options)
        var sender = try UDPDriver(.loopback(ipv6: ipv6))
        var peer = sender.localAddress
        peer.port = receiver.localPort
        for _ in 0..<3 { sender.queue([1, 2, 3], to: peer, priority: 6) }
        _ = sender.flush()
        #expect(receiver.collect(3).map(\.trafficClass) == [192, 192, 192])
    }

    @Test(
        "a closed port is reported with peer and payload, and hurts no other packet", arguments: ["v4", "v6", "mapped"])
    func portUnreachable(kind: String) throws {
        var sender = try kind == "mapped" ? UDPDriver() : UDPDriver(.loopback(ipv6: kind == "v6"))
        var receiver = try UDPDriver(.loopback(ipv6: kind == "v6"))
        let dead = try UDPDriver(.loopback(ipv6: kind == "v6")).localAddress
        let payload = pattern(3, count: 200)
        sender.queue(payload, to: dead)
        _ = sender.flush()
        for i in 0..<3 { sender.queue([UInt8(i)], to: receiver.localAddress, priority: UInt8(i)) }
        #expect(sender.flush().sentPackets == 3)
        #expect(receiver.collect(3).map(\.bytes) == [[0], [1], [2]])
        #expect(sender.mayHaveErrors == true)

        let report = sender.nextError()
        let error = try #require(report)
        #expect(error.kind == .portUnreachable)
        #expect(error.peer == dead)
        #expect(error.withPayload { Array($0) } == Array(payload[0..<64]))
        let next = sender.nextError()
        #expect(next?.peer == nil)
        #expect(sender.mayHaveErrors == false)
        #expect(sender.statistics.errorReports == 1 && sender.statistics.droppedPackets == 0)
    }

    @Test("receiving goes on after an ICMP error")
    func receiveAfterError() throws {
        var driver = try UDPDriver(.loopback())
        let dead = try UDPDriver(.loopback()).localAddress
        driver.queue([1], to: driver.localAddress)
        _ = driver.flush()
        driver.queue([2], to: dead)
        _ = driver.flush()
        #expect(driver.collect(1).map(\.bytes) == [[1]])
        #expect(driver.mayHaveErrors == true)
    }

    @Test(
        "a packet too long for the path is dropped and reported; its neighbours leave",
        arguments: ["v4", "v6", "mapped"])
    func tooBig(kind: String) throws {
        var sender = try kind == "mapped" ? UDPDriver() : UDPDriver(.loopback(ipv6: kind == "v6"))
        var receiver = try UDPDriver(.loopback(ipv6: kind == "v6"))
        sender.queue([1], to: receiver.localAddress)
        sender.queue(pattern(5, count: 65_530), to: receiver.localAddress)
        sender.queue([2], to: receiver.localAddress)
        #expect(sender.flush() == FlushResult(sentPackets: 2, droppedPackets: 1, remainder: .none))
        #expect(sender.statistics.droppedTooBig == 1)
        #expect(receiver.collect(2).map(\.bytes) == [[1], [2]])
        let report = sender.nextError()
        let error = try #require(report)
        #expect(error.kind == .messageTooBig(mtu: kind == "v6" ? 65_536 : 65_535))
        #expect(error.peer == receiver.localAddress)
        #expect(error.withPayload { Array($0) } == Array(pattern(5, count: 4)))
        let next = sender.nextError()
        #expect(next?.peer == nil)
        #expect(sender.isUsingGSO == true)
    }

    /// Method: without checksums the kernel refuses segmentation, but not the packets.
    @Test("a refused train goes packet by packet, and the next one is not even tried")
    func gsoRefused() throws {
        var sender = try UDPDriver(.loopback())
        try #require(sender.isUsingGSO == true)
        var receiver = try UDPDriver(.loopback())
        var one: Int32 = 1
        #expect(setsockopt(sender.fileDescriptor, SOL_SOCKET, SO_NO_CHECK, &one, 4) == 0)
        let packets = (0..<20).map { pattern($0, count: 1000) }
        for round in 1...2 {
            for bytes in packets { sender.queue(bytes, to: receiver.localAddress) }
            #expect(sender.flush() == FlushResult(sentPackets: 20, droppedPackets: 0, remainder: .none))
            #expect(receiver.collect(20).map(\.bytes) == packets)
            #expect(sender.statistics.gsoFallbacks == 1, "round \(round)")
        }
        #expect(sender.statistics.sentPackets == 40 && sender.statistics.sentTrains == 0)
        #expect(sender.isUsingGSO == true, "other peers may still have trains")
    }

    @Test("more refusing peers than can be remembered end segmentation for good")
    func gsoRefusedEverywhere() throws {
        var sender = try UDPDriver(.loopback())
        try #require(sender.isUsingGSO == true)
        let receiver = try UDPDriver(.loopback())
        var one: Int32 = 1
        #expect(setsockopt(sender.fileDescriptor, SOL_SOCKET, SO_NO_CHECK, &one, 4) == 0)
        for host in 1...9 as ClosedRange<UInt32> {
            // Nobody listens there; what matters is that these are nine peers.
            for _ in 0..<2 {
                sender.queue([1, 2, 3], to: PeerAddress(ipv4: 0x7F00_0001, port: receiver.localPort &+ UInt16(host)))
            }
            _ = sender.flush()
        }
        #expect(sender.isUsingGSO == false)
        #expect(sender.statistics.gsoFallbacks == 9)
    }

    @Test("a receive buffer that is too small loses datagrams, and says how many")
    func overflow() throws {
        var options = UDPSocketOptions.loopback()
        options.receiveBufferBytes = 1
        var receiver = try UDPDriver(options)
        var sender = try UDPDriver(.loopback())
        for _ in 0..<10 {
            for i in 0..<10 { sender.queue(pattern(i, count: 500 + i), to: receiver.localAddress) }
            _ = sender.flush()
        }
        let before = receiver.collect(100).count
        sender.queue([1], to: receiver.localAddress)
        _ = sender.flush()
        #expect(receiver.collect(1).map(\.bytes) == [[1]])
        #expect(before < 100)
        #expect(receiver.statistics.receiveOverflows == UInt64(100 - before))
    }

    @Test("a datagram longer than a slot is counted and skipped")
    func truncated() throws {
        var options = UDPSocketOptions.loopback()
        options.receiveSlotBytes = 1000
        options.gro = .off
        var receiver = try UDPDriver(options)
        var sender = try UDPDriver(.loopback())
        for count in [1001, 10, 2000, 1000, 1500, 20] {
            sender.queue(pattern(1, count: count), to: receiver.localAddress)
        }
        #expect(sender.flush().sentPackets == 6)
        #expect(receiver.collect(3).map(\.bytes.count) == [10, 1000, 20])
        #expect(receiver.statistics.truncated == 3 && receiver.statistics.receivedPackets == 3)
    }
}

/// A UDP socket made without the driver.
struct PlainSocket: ~Copyable {
    let descriptor: Int32
    let address: PeerAddress

    init(ipv6: Bool) throws {
        let descriptor = socket(ipv6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var one: Int32 = 1
        if ipv6 {
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_RECVTCLASS, &one, 4)
        } else {
            setsockopt(descriptor, Int32(IPPROTO_IP), IP_RECVTOS, &one, 4)
        }
        var bound = ipv6 ? PeerAddress(high: 0, low: 1, port: 0) : PeerAddress(ipv4: 0x7F00_0001, port: 0)
        let result = bound.withSocketAddress { bytes in
            bind(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        try #require(result == 0)
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutableBytes(of: &storage) {
            _ = getsockname(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
            bound = PeerAddress(socketAddress: UnsafeRawBufferPointer($0)) ?? bound
        }
        self.descriptor = descriptor
        address = bound
    }

    deinit { close(descriptor) }

    func trafficClasses(_ count: Int) -> [UInt8] {
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: 2048, alignment: 1)
        defer { buffer.deallocate() }
        var slot = homa_incoming()
        slot.base = buffer
        slot.capacity = 2048
        return (0..<count).compactMap { _ in
            for _ in 0..<1000 {
                if homa_receive(descriptor, &slot, 1, 0) == 1 { return slot.traffic_class }
                usleep(500)
            }
            return nil
        }
    }
}
