// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
@testable import HomaIO
import HomaPosix
import Synchronization
import Testing

extension UDPSocketOptions {
    /// Options for a socket on 127.0.0.1, or on ::1.
    static func loopback(ipv6: Bool = false) -> UDPSocketOptions {
        var options = UDPSocketOptions()
        options.binding = .address(
            ipv6 ? PeerAddress(high: 0, low: 1, port: 0) : PeerAddress(ipv4: 0x7F00_0001, port: 0))
        return options
    }
}

/// A packet as the receiver sees it, cut out of a joined train.
struct Packet: Equatable {
    var bytes: [UInt8]
    var source: PeerAddress
    var trafficClass: UInt8 = 0
}

extension UDPDriver {
    /// Queues `bytes`, the first four at most as header.
    mutating func queue(_ bytes: [UInt8], to peer: PeerAddress, priority: UInt8 = 0, isUnheard: Bool = false) {
        bytes.withUnsafeBytes { payload in
            let header = reserveHeader()
            let headerCount = min(4, payload.count)
            header.copyMemory(from: UnsafeRawBufferPointer(rebasing: payload[0..<headerCount]))
            // Payload must outlive the flush: tests that use this keep it in `PayloadStore`.
            let rest = PayloadStore.keep(Array(bytes.dropFirst(headerCount)))
            append(
                headerByteCount: headerCount, payload: rest, payloadByteCount: payload.count - headerCount,
                to: peer, priority: priority, isUnheard: isUnheard)
        }
    }

    /// Receives until `count` packets are here or half a second has brought nothing new.
    mutating func collect(_ count: Int) -> [Packet] {
        var packets: [Packet] = []
        let clock = MonotonicClock()
        var limit = clock.now() + .milliseconds(500)
        while packets.count < count, clock.now() < limit {
            let datagrams = receive()
            for i in 0..<datagrams { packets += cut(datagram(i)) }
            if datagrams > 0 { limit = clock.now() + .milliseconds(500) } else { usleep(200) }
        }
        return packets
    }

    private func cut(_ datagram: ReceivedDatagram) -> [Packet] {
        let bytes = UnsafeRawBufferPointer(start: datagram.baseAddress, count: datagram.byteCount)
        return stride(from: 0, to: datagram.byteCount, by: max(1, datagram.segmentSize)).map { start in
            Packet(
                bytes: Array(bytes[start..<min(start + datagram.segmentSize, datagram.byteCount)]),
                source: datagram.source, trafficClass: datagram.trafficClass)
        }
    }
}

/// Payload of test packets; never freed, since a test process is short.
enum PayloadStore {
    static func keep(_ bytes: [UInt8]) -> UnsafeRawPointer? {
        guard !bytes.isEmpty else { return nil }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        copy.copyBytes(from: bytes)
        return UnsafeRawPointer(copy.baseAddress)
    }
}

/// `count` bytes that differ from packet to packet and from place to place.
func pattern(_ seed: Int, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed &* 7 &+ $0 >> 8) }
}

/// A thread of its own: tests must not block the concurrent pool's threads on each other.
final class TestThread: @unchecked Sendable {
    private var thread = pthread_t()

    init(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Body(body))
        pthread_create(&thread, nil, runBody, box.toOpaque())
    }

    func join() { pthread_join(thread, nil) }

    fileprivate final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

private func runBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context { Unmanaged<TestThread.Body>.fromOpaque(context).takeRetainedValue().run() }
    return nil
}

final class SharedCounter: Sendable {
    let value = Atomic(0)
}
