// SPDX-License-Identifier: Apache-2.0

import HomaBase
@testable import HomaIO
import HomaPosix
import Testing

@Suite("UDP driver")
struct UDPDriverTests {
    @Test("one packet arrives whole, with its sender's address", arguments: [false, true])
    func single(ipv6: Bool) throws {
        var sender = try UDPDriver(.loopback(ipv6: ipv6))
        var receiver = try UDPDriver(.loopback(ipv6: ipv6))
        let bytes = pattern(1, count: 1400)
        sender.queue(bytes, to: receiver.localAddress)
        #expect(sender.queuedPackets == 1)
        #expect(sender.flush() == FlushResult(sentPackets: 1, droppedPackets: 0, remainder: .none))
        #expect(sender.queuedPackets == 0)
        #expect(receiver.collect(1) == [Packet(bytes: bytes, source: sender.localAddress)])
        #expect(receiver.statistics.receivedBytes == 1400)
    }

    @Test("one wildcard socket serves both families")
    func dualStack() throws {
        var node = try UDPDriver()
        try #require(node.isDualStack == true)
        for ipv6 in [false, true] {
            var other = try UDPDriver(.loopback(ipv6: ipv6))
            var address = other.localAddress
            node.queue([9, 8, 7], to: address)
            #expect(node.flush().sentPackets == 1)
            let there = other.collect(1)
            #expect(there.map(\.bytes) == [[9, 8, 7]])
            address.port = node.localPort
            #expect(there.first?.source == address)
            other.queue([1, 2], to: address)
            _ = other.flush()
            #expect(node.collect(1) == [Packet(bytes: [1, 2], source: other.localAddress)])
        }
    }

    @Test("an IPv4-only socket drops packets to IPv6 peers, and goes on")
    func wrongFamily() throws {
        var options = UDPSocketOptions()
        options.binding = .wildcard(port: 0, family: .ipv4)
        var driver = try UDPDriver(options)
        #expect(driver.isDualStack == false)
        let loopback = PeerAddress(ipv4: 0x7F00_0001, port: driver.localPort)
        driver.queue([1], to: PeerAddress(high: 0, low: 1, port: 9))
        driver.queue([2], to: loopback)
        #expect(driver.flush() == FlushResult(sentPackets: 1, droppedPackets: 1, remainder: .none))
        #expect(driver.statistics.droppedUnreachable == 1)
        #expect(driver.collect(1).map(\.bytes) == [[2]])
    }

    struct Mode: Sendable, CustomTestStringConvertible {
        var gso: UDPSocketOptions.Offload
        var gro: UDPSocketOptions.Offload
        var ipv6: Bool
        var testDescription: String { "gso \(gso), gro \(gro), \(ipv6 ? "IPv6" : "IPv4")" }
    }

    static let modes = [false, true].flatMap { ipv6 in
        [
            Mode(gso: .automatic, gro: .automatic, ipv6: ipv6), Mode(gso: .automatic, gro: .off, ipv6: ipv6),
            Mode(gso: .off, gro: .automatic, ipv6: ipv6), Mode(gso: .off, gro: .off, ipv6: ipv6),
        ]
    }

    @Test("a train of forty packets arrives complete and cut in the right places", arguments: modes)
    func train(mode: Mode) throws {
        var options = UDPSocketOptions.loopback(ipv6: mode.ipv6)
        options.gso = mode.gso
        options.gro = mode.gro
        var sender = try UDPDriver(options)
        var receiver = try UDPDriver(options)
        let packets = (0..<40).map { pattern($0, count: $0 == 39 ? 333 : 1400) }
        for bytes in packets { sender.queue(bytes, to: receiver.localAddress, priority: 3) }
        #expect(sender.flush().sentPackets == 40)
        #expect(receiver.collect(40).map(\.bytes) == packets)
        #expect(sender.statistics.sentTrains == (mode.gso == .automatic ? 1 : 0))
        #expect(sender.statistics.sentPackets == 40 && sender.statistics.sentBytes == 39 * 1400 + 333)
        #expect(receiver.statistics.receivedPackets == 40)
        if mode.gso == .automatic && mode.gro == .automatic { #expect(receiver.statistics.receivedDatagrams == 1) }
    }

    @Test("a system without calls for many messages at once carries all the same", arguments: [false, true])
    func singly(ipv6: Bool) throws {
        var options = UDPSocketOptions.loopback(ipv6: ipv6)
        options.batching = .off
        options.gso = .off
        options.gro = .off
        var sender = try UDPDriver(options)
        var receiver = try UDPDriver(options)
        let packets = (0..<40).map { pattern($0, count: 10 + 30 * $0) }
        for bytes in packets { sender.queue(bytes, to: receiver.localAddress, priority: 3) }
        #expect(sender.flush() == FlushResult(sentPackets: 40))
        #expect(receiver.collect(40).map(\.bytes) == packets)
        // In one batch, after the first of all.
        #expect(receiver.statistics.receiveBatches < 10)
        // One that cannot leave in the middle of them is the only one that does not.
        let nobody = PeerAddress(ipv4: 0, port: 0)
        for number in 0..<6 { sender.queue([UInt8(number)], to: number == 3 ? nobody : receiver.localAddress) }
        #expect(sender.flush() == FlushResult(sentPackets: 5, droppedPackets: 1, remainder: .none))
        #expect(receiver.collect(5).map(\.bytes) == [[0], [1], [2], [4], [5]])
    }

    @Test("packets are marked as their priority is to be, the usual one too", arguments: [false, true])
    func marks(ipv6: Bool) throws {
        for classes in [[UInt8](repeating: 0, count: 8), [4, 8, 12, 16, 20, 24, 28, 32]] {
            var options = UDPSocketOptions.loopback(ipv6: ipv6)
            options.trafficClasses = classes
            options.reportsTrafficClass = true
            var sender = try UDPDriver(options)
            var receiver = try UDPDriver(options)
            for priority in 0..<8 as Range<UInt8> {
                sender.queue([priority], to: receiver.localAddress, priority: priority)
            }
            _ = sender.flush()
            #expect(receiver.collect(8).map(\.trafficClass) == classes)
            // Alone they leave by another call.
            for priority in 0..<8 as Range<UInt8> {
                sender.queue([priority], to: receiver.localAddress, priority: priority)
                _ = sender.flush()
            }
            #expect(receiver.collect(8).map(\.trafficClass) == classes)
        }
    }

    @Test("sockets share a port only with those of their own node")
    func sharing() throws {
        var options = UDPSocketOptions.loopback()
        options.sharers = 2
        let first = try UDPDriver(options)
        options.binding = .address(first.localAddress)
        for sharers in [1, 2, 3] {
            var others = options
            others.sharers = sharers
            #expect(throws: SystemError.self) { _ = try UDPDriver(others) }
        }
        options.joinsSharers = true
        let second = try UDPDriver(options)
        #expect(second.localAddress == first.localAddress)
        options.joinsSharers = false
        #expect(throws: SystemError.self) { _ = try UDPDriver(options) }
    }

    @Test("what the system grants less of than was asked for is told, and nothing else")
    func shortfalls() throws {
        var options = UDPSocketOptions.loopback()
        options.receiveBufferBytes = 100_000
        options.sendBufferBytes = 100_000
        let small = try UDPDriver(options)
        #expect(small.shortfalls == [])
        #expect(small.granted.receiveBufferBytes >= 100_000)
        // More than there can be.
        options.receiveBufferBytes = Int(Int32.max)
        let large = try UDPDriver(options)
        #expect(large.shortfalls.count == 1 && large.shortfalls.first?.contains("net.core.rmem_max") == true)
        options = .loopback()
        options.trafficClasses = [1, 2, 3]
        #expect(throws: SystemError.self) { _ = try UDPDriver(options) }
        options.trafficClasses = Array(repeating: 1, count: 8)
        #expect(throws: SystemError.self) { _ = try UDPDriver(options) }
    }

    @Test("peers and priorities mixed in one flush keep their order")
    func mixed() throws {
        var sender = try UDPDriver()
        var receivers = [PeerAddress]()
        var first = try UDPDriver(.loopback())
        var second = try UDPDriver(.loopback(ipv6: true))
        receivers = [first.localAddress, second.localAddress]
        for i in 0..<200 {
            sender.queue(pattern(i, count: 100), to: receivers[i / 3 % 2], priority: UInt8(i / 5 % 8))
        }
        #expect(sender.flush().sentPackets == 200)
        let numbers = 0..<200
        #expect(first.collect(102).map(\.bytes) == numbers.filter { $0 / 3 % 2 == 0 }.map { pattern($0, count: 100) })
        #expect(second.collect(98).map(\.bytes) == numbers.filter { $0 / 3 % 2 == 1 }.map { pattern($0, count: 100) })
        #expect(sender.statistics.sentTrains > 10)
    }

    @Test("lengths that grow, shrink, and exceed a train's limits break trains, never packets")
    func unequal() throws {
        var options = UDPSocketOptions.loopback()
        options.maximumTrainBytes = 10_000
        var sender = try UDPDriver(options)
        var receiver = try UDPDriver(options)
        // [100 100 50] [100 200?]: the first train ends at 50; 100 then 200 cannot share one.
        let lengths = [100, 100, 50, 100, 200, 200, 1, 1, 12_000, 5000, 5000, 5000] + Array(repeating: 3, count: 70)
        for (i, length) in lengths.enumerated() { sender.queue(pattern(i, count: length), to: receiver.localAddress) }
        #expect(sender.flush().sentPackets == lengths.count)
        #expect(receiver.collect(lengths.count).map(\.bytes) == lengths.enumerated().map { pattern($0, count: $1) })
        // 100 100 50 | 100 | 200 200 1 | 1 | 12000 | 5000 5000 | 5000 3 | 64 × 3 | 5 × 3
        #expect(sender.statistics.sentTrains == 6)
    }

    @Test("a full queue is flushed and used again, many times over")
    func reuse() throws {
        var options = UDPSocketOptions.loopback()
        options.sendQueueCapacity = 5
        var sender = try UDPDriver(options)
        var receiver = try UDPDriver(.loopback())
        for i in 0..<50 {
            sender.queue(pattern(i, count: 64), to: receiver.localAddress)
            if sender.isFull { #expect(sender.flush().sentPackets == 5) }
        }
        #expect(receiver.collect(50).map(\.bytes) == (0..<50).map { pattern($0, count: 64) })
    }

    @Test("options out of range are errors that name them")
    func badOptions() {
        var options = UDPSocketOptions()
        options.receiveSlots = 65
        #expect { _ = try UDPDriver(options) } throws: { "\($0)".contains("receiveSlots is 65, not 1 to 64") }
    }

    @Test("a port in use is an error that names the address")
    func addressInUse() throws {
        let first = try UDPDriver(.loopback())
        var options = UDPSocketOptions()
        options.binding = .address(first.localAddress)
        let address = "\(first.localAddress)"
        #expect { _ = try UDPDriver(options) } throws: { "\($0)" == "bind (\(address)): Address already in use" }
    }

    @Test("buffers are granted, and loopback carries the longest packets there are")
    func sizes() throws {
        let driver = try UDPDriver()
        #expect(driver.receiveBufferBytes > 100_000 && driver.sendBufferBytes > 100_000)
        // An IPv4 packet's own length field ends at 65 535.
        #expect(driver.pathMTU(to: PeerAddress(ipv4: 0x7F00_0001, port: 9)) == 65_535)
        #expect(driver.pathMTU(to: PeerAddress(high: 0, low: 1, port: 0)) == 65_536)
    }
}
