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
