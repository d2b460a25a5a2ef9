// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaPosix
import Testing

@testable import HomaIO

/// On the loopback device, where arrivals come through the rings and packets leave through the socket; two hosts are in
/// Scripts/netns-checks.sh.
struct PacketRingDriverTests {
    /// True with CAP_NET_RAW.
    static let isPermitted: Bool = {
        let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }()

    private func collect(_ driver: inout PacketRingDriver, _ count: Int) -> [Packet] {
        var packets: [Packet] = []
        let limit = MonotonicClock.process.now() + .seconds(2)
        while packets.count < count, MonotonicClock.process.now() < limit {
            for index in 0..<driver.receive() {
                let datagram = driver.datagram(index)
                let bytes = UnsafeRawBufferPointer(start: datagram.baseAddress, count: datagram.byteCount)
                for start in stride(from: 0, to: bytes.count, by: datagram.segmentSize) {
                    packets.append(
                        Packet(
                            bytes: Array(bytes[start..<min(start + datagram.segmentSize, bytes.count)]),
                            source: datagram.source, trafficClass: datagram.trafficClass))
                }
            }
        }
        return packets
    }

    @Test(.enabled(if: isPermitted), arguments: [false, true])
    func `Datagrams and trains of a socket come through the rings`(isIPv6: Bool) throws {
        guard !isIPv6 || isIPv6Available else { return }
        var receiver = try PacketRingDriver(.loopback(ipv6: isIPv6))
        var sender = try UDPDriver(.loopback(ipv6: isIPv6))
        let sent = (0..<40).map { pattern($0, count: $0 < 30 ? 1400 : 100 + $0) }
        for packet in sent { sender.queue(packet, to: receiver.localAddress, priority: 5) }
        #expect(sender.flush().sentPackets == 40)
        let packets = collect(&receiver, 40)
        #expect(packets.map(\.bytes) == sent)
        #expect(packets.allSatisfy { $0.source == sender.localAddress && $0.trafficClass == 0xA0 })
        #expect(receiver.statistics.receivedPackets == 40)
    }

    @Test(.enabled(if: isPermitted))
    func `What the rings cannot send leaves through the socket`() throws {
        var sender = try PacketRingDriver(.loopback())
        var receiver = try UDPDriver(.loopback())
        let bytes = pattern(3, count: 300)
        bytes.withUnsafeBytes { payload in
            sender.reserveHeader().copyMemory(from: UnsafeRawBufferPointer(rebasing: payload[0..<4]))
            sender.append(
                headerByteCount: 4, payload: payload.baseAddress! + 4, payloadByteCount: 296,
                to: receiver.localAddress, priority: 1)
            #expect(sender.flush().sentPackets == 1)
        }
        #expect(sender.queuedPackets == 0)
        #expect(receiver.collect(1).map(\.bytes) == [bytes])
        #expect(sender.statistics.sentThroughSocket == 1)
    }

    @Test(.enabled(if: isPermitted))
    func `More than the ring holds is lost and counted, and the rest is whole`() throws {
        var rings = PacketRingOptions()
        rings.receiveFrames = 64
        var receiver = try PacketRingDriver(.loopback(), rings: rings)
        var sender = try UDPDriver(.loopback())
        // Lengths in turns, so that they are no train.
        for number in 0..<100 {
            sender.queue(pattern(number, count: 100 + number % 2), to: receiver.localAddress)
            _ = sender.flush()
        }
        let first = collect(&receiver, 64)
        #expect(first.count == 64)
        let rest = receiver.receive()
        #expect(rest == 0, "and this gives the frames back")
        sender.queue(pattern(200, count: 50), to: receiver.localAddress)
        _ = sender.flush()
        #expect(collect(&receiver, 1).map(\.bytes) == [pattern(200, count: 50)])
        #expect(receiver.statistics.receiveOverflows == 36)
    }

    @Test(arguments: [0, 100, 3000, 1 << 20])
    func `Ring sizes that are no power of two or out of range are refused`(size: Int) {
        var rings = PacketRingOptions()
        rings.frameBytes = size
        #expect(throws: SystemError.self) { _ = try PacketRingDriver(.loopback(), rings: rings) }
    }
}
