// SPDX-License-Identifier: Apache-2.0

import CFaults
import Glibc
import HomaBase
import Testing

@testable import HomaIO

/// The kernel has no room for packets to one peer: its table of neighbours is full, or one of several devices is.
@Suite("Peers that the kernel has no room for")
struct RefusedPeersTests {
    private static let start = Instant(nanoseconds: 1_000_000_000)

    private static func after(_ microseconds: UInt64) -> Instant {
        start.advanced(byNanoseconds: microseconds * 1000)
    }

    @Test("packets to others leave at once and in order, before and behind refused ones", arguments: [ENOBUFS, ENOMEM])
    func othersGoOn(error: Int32) throws {
        var sender = try UDPDriver(.loopback())
        var good = try UDPDriver(.loopback())
        var refused = try UDPDriver(.loopback())
        homa_fail_sends_to(refused.localPort, error)
        defer { homa_fail_sends_to(refused.localPort, 0) }
        for number in 0..<6 as Range<UInt8> {
            // Of different lengths, so that they make no train.
            sender.queue([UInt8](repeating: number, count: 10 + Int(number)), to: good.localAddress)
            sender.queue([UInt8](repeating: number, count: 30 + Int(number)), to: refused.localAddress)
        }
        let result = sender.flush(at: Self.start)
        #expect(result == FlushResult(sentPackets: 6, droppedPackets: 0, remainder: .retryRefused))
        #expect(good.collect(6).map(\.bytes.count) == [10, 11, 12, 13, 14, 15])
        #expect(sender.queuedPackets == 6)

        // The room comes back in time: nothing is lost, and the order is as it was.
        sender.queue([9], to: refused.localAddress)
        _ = sender.flush(at: Self.after(500))
        homa_fail_sends_to(refused.localPort, 0)
        #expect(sender.flush(at: Self.after(900)) == FlushResult(sentPackets: 7))
        #expect(refused.collect(7).map(\.bytes.count) == [30, 31, 32, 33, 34, 35, 1])
        #expect(sender.queuedPackets == 0 && sender.statistics.droppedPackets == 0)
    }

    @Test("what stays refused for a millisecond is dropped and counted, whether a train or alone")
    func dropped() throws {
        var sender = try UDPDriver(.loopback())
        let refused = try UDPDriver(.loopback())
        homa_fail_sends_to(refused.localPort, ENOBUFS)
        defer { homa_fail_sends_to(refused.localPort, 0) }
        for _ in 0..<20 { sender.queue(pattern(1, count: 1000), to: refused.localAddress) }
        sender.queue([1], to: refused.localAddress)
        var time: UInt64 = 0
        while sender.queuedPackets > 0, time < 10_000 {
            _ = sender.flush(at: Self.after(time))
            #expect(time >= 1000 || sender.queuedPackets == 21)
            time += 100
        }
        #expect(sender.queuedPackets == 0)
        #expect(sender.statistics.droppedNoRoom == 21 && sender.statistics.droppedPackets == 21)
    }

    @Test("refused packets never fill the queue that others need")
    func full() throws {
        var options = UDPSocketOptions.loopback()
        options.sendQueueCapacity = 32
        var sender = try UDPDriver(options)
        var good = try UDPDriver(.loopback())
        let refused = try UDPDriver(.loopback())
        homa_fail_sends_to(refused.localPort, ENOBUFS)
        defer { homa_fail_sends_to(refused.localPort, 0) }
        var arrived = 0
        for number in 0..<200 {
            if sender.isFull { _ = sender.flush(at: Self.after(UInt64(number))) }
            sender.queue(pattern(number, count: 10 + number % 3), to: refused.localAddress)
            if sender.isFull { _ = sender.flush(at: Self.after(UInt64(number))) }
            sender.queue(pattern(number, count: 10 + number % 3), to: good.localAddress)
            _ = sender.flush(at: Self.after(UInt64(number)))
            arrived += good.collect(1).count
        }
        #expect(arrived == 200)
    }

    @Test(
        "when packets to hosts that are silent fill the buffer, the others leave by another socket of the same port",
        arguments: [false, true], ["no socket of its own", "one before", "one after"])
    func unheard(ipv6: Bool, busiest: String) throws {
        var sender = try UDPDriver(.loopback(ipv6: ipv6))
        var good = try UDPDriver(.loopback(ipv6: ipv6))
        var silent = try UDPDriver(.loopback(ipv6: ipv6))
        if busiest == "one before" { try connectSomebody(to: &sender) }
        for number in 0..<6 { sender.queue(pattern(number, count: 1000), to: silent.localAddress, isUnheard: true) }
        _ = sender.flush(at: Self.start)
        #expect(silent.collect(6).count == 6)
        homa_fail_sends_to(silent.localPort, EAGAIN)
        defer { homa_fail_sends_to(silent.localPort, 0) }
        for number in 0..<6 {
            sender.queue(pattern(number, count: 10 + number), to: silent.localAddress, isUnheard: true)
            sender.queue(pattern(number, count: 30 + number), to: good.localAddress)
        }
        #expect(sender.flush(at: Self.after(10)) == FlushResult(sentPackets: 6, remainder: .waitUnheard))
        let arrived = good.collect(6)
        #expect(arrived.map(\.bytes.count) == [30, 31, 32, 33, 34, 35])
        #expect(Set(arrived.map(\.source)) == [sender.localAddress])
        if busiest == "one after" { try connectSomebody(to: &sender) }
        // What comes back comes to the socket that receives, from whoever it is.
        for number in 0..<50 {
            var other = try UDPDriver(.loopback(ipv6: ipv6))
            for peer in 0..<2 {
                if peer == 0 {
                    good.queue([1, 2, 3, 4, 5], to: sender.localAddress)
                } else {
                    other.queue([UInt8](repeating: 7, count: 3 + number % 40), to: sender.localAddress)
                }
            }
            _ = good.flush(at: Self.after(20))
            _ = other.flush(at: Self.after(20))
            let count = sender.collect(2).count
            #expect(count == 2)
        }
        // There is room again: nothing is lost.
        homa_fail_sends_to(silent.localPort, 0)
        #expect(sender.flush(at: Self.after(5_000)) == FlushResult(sentPackets: 6))
        #expect(silent.collect(6).map(\.bytes.count) == [10, 11, 12, 13, 14, 15])
        #expect(sender.statistics.droppedPackets == 0)
    }

    /// Gives a third peer a socket of its own.
    private func connectSomebody(to sender: inout UDPDriver) throws {
        var busy = try UDPDriver(.loopback(ipv6: !sender.localAddress.isIPv4))
        for number in 0..<100 as Range<UInt8> {
            busy.queue([1, 2, number], to: sender.localAddress)
            _ = busy.flush(at: Self.start)
            let arrived = sender.collect(1).count
            #expect(arrived == 1)
        }
        let isConnected = sender.connectToBusiestPeer()
        #expect(isConnected && sender.connectedPeer == busy.localAddress)
    }

    @Test("what finds no room for a tenth of a second is dropped and counted, and asks the kernel seldom")
    func unheardForLong() throws {
        var sender = try UDPDriver(.loopback())
        let silent = try UDPDriver(.loopback())
        sender.queue([1], to: silent.localAddress, isUnheard: true)
        _ = sender.flush(at: Self.start)
        homa_fail_sends_to(silent.localPort, EAGAIN)
        defer { homa_fail_sends_to(silent.localPort, 0) }
        for number in 0..<20 { sender.queue([2, UInt8(number)], to: silent.localAddress, isUnheard: true) }
        for time in 0..<9_900 as Range<UInt64> {
            _ = sender.flush(at: Self.after(10 + 10 * time))
            #expect(sender.queuedPackets == 20)
        }
        #expect(sender.statistics.sendBufferFull < 1_100)
        for time in 0..<50 as Range<UInt64> { _ = sender.flush(at: Self.after(100_000 + 10 * time)) }
        #expect(sender.queuedPackets == 0 && sender.statistics.droppedNoRoom == 20)
    }

    @Test("the oldest queued packet is known, so that payload is kept as long as a packet points to it, and no longer")
    func oldest() throws {
        var sender = try UDPDriver(.loopback())
        let good = try UDPDriver(.loopback())
        let refused = try UDPDriver(.loopback())
        homa_fail_sends_to(refused.localPort, ENOBUFS)
        defer { homa_fail_sends_to(refused.localPort, 0) }
        sender.queue([1], to: good.localAddress)
        sender.queue([2, 2], to: refused.localAddress)
        sender.queue([3, 3, 3], to: good.localAddress)
        #expect(sender.sendQueue.oldestQueued == 0)
        _ = sender.flush(at: Self.start)
        #expect(sender.sendQueue.oldestQueued == 1)
        homa_fail_sends_to(refused.localPort, 0)
        _ = sender.flush(at: Self.after(10))
        #expect(sender.sendQueue.oldestQueued == 3 && sender.sendQueue.appendedPackets == 3)
    }
}
