// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaIO

/// Golden bytes worked out by hand from RFC 791, 768, 8200 and linux/virtio_net.h.
struct FrameHeadersTests {
    private static let own = HardwareAddress(bytes: (2, 0, 0, 0, 0, 1))
    private static let next = HardwareAddress(bytes: (2, 0, 0, 0, 0, 2))

    private func written(
        _ headers: FrameHeaders, payload: Int, segment: Int = 0, trafficClass: UInt8 = 0xE0, copied: Int = 0
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: FrameHeaders.capacity + 8)
        bytes.withUnsafeMutableBytes {
            headers.write(
                to: $0.baseAddress!, payloadBytes: payload, segmentBytes: segment, trafficClass: trafficClass,
                copiedBytes: copied)
        }
        #expect(bytes[headers.count...].allSatisfy { $0 == 0xAA }, "nothing is written behind the headers")
        return Array(bytes.prefix(headers.count))
    }

    @Test func `An IPv4 frame has the bytes of the standards`() {
        let headers = FrameHeaders(
            from: PeerAddress(ipv4: 0x0A00_0001, port: 4000), to: PeerAddress(ipv4: 0x0A00_0002, port: 5000),
            ownHardware: Self.own, nextHardware: Self.next)
        #expect(
            written(headers, payload: 61, copied: 61) == [
                // Checksum wanted; one packet; 42 + 61 bytes copied; checksum from 34, at 6.
                1, 0, 103, 0, 0, 0, 34, 0, 6, 0,
                2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00,
                0x45, 0xE0, 0, 89, 0, 0, 0x40, 0, 64, 17, 0x25, 0xB2, 10, 0, 0, 1, 10, 0, 0, 2,
                // 0x0A00 + 0x0001 + 0x0A00 + 0x0002 + 17 + 69 = 0x1459.
                0x0F, 0xA0, 0x13, 0x88, 0, 69, 0x14, 0x59,
            ])
    }

    @Test func `An IPv6 frame has the bytes of the standards`() {
        let headers = FrameHeaders(
            from: PeerAddress(high: 0xFD77_0000_0000_0000, low: 1, port: 4000),
            to: PeerAddress(high: 0xFD77_0000_0000_0000, low: 2, port: 4000), ownHardware: Self.own,
            nextHardware: Self.next)
        #expect(
            written(headers, payload: 28, trafficClass: 0x20) == [
                1, 0, 62, 0, 0, 0, 54, 0, 6, 0,
                2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xDD,
                0x62, 0, 0, 0, 0, 36, 17, 64,
                0xFD, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                0xFD, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
                // 0xFD77 + 1 + 0xFD77 + 2 + 17 + 36 = 0x1FB26, folded.
                0x0F, 0xA0, 0x0F, 0xA0, 0, 36, 0xFB, 0x27,
            ])
    }

    @Test func `A train says how it is to be cut`() {
        let headers = FrameHeaders(
            from: PeerAddress(ipv4: 0x0A00_0001, port: 4000), to: PeerAddress(ipv4: 0x0A00_0002, port: 5000),
            ownHardware: Self.own, nextHardware: Self.next)
        let bytes = written(headers, payload: 64_000, segment: 1472)
        #expect(Array(bytes[0..<10]) == [1, 5, 42, 0, 0xC0, 0x05, 34, 0, 6, 0])
        #expect(bytes[26...27] == [0xFA, 0x1C], "the length of the whole in the IP header")
    }

    @Test(arguments: [0, 1, 2, 3, 4, 5, 8, 61, 1471, 1472])
    func `A frame that is completed as the kernel does it is accepted`(payload: Int) throws {
        for isIPv6 in [false, true] {
            var frame = TestFrame(isIPv6: isIPv6, payload: pattern(payload, count: max(1, payload)))
            frame.complete()
            let received = try frame.parsed()
            #expect(received.bytes == frame.payload)
            #expect(received.source == frame.source)
            #expect(received.trafficClass == 0x60)
        }
    }
}

/// A frame from the network header on, made by ``FrameHeaders``.
struct TestFrame {
    let isIPv6: Bool
    let payload: [UInt8]
    let source: PeerAddress
    var bytes: [UInt8]

    init(isIPv6: Bool, payload: [UInt8]) {
        self.isIPv6 = isIPv6
        self.payload = payload
        let high: UInt64 = isIPv6 ? 0xFD77_0000_0000_0000 : 0
        source = PeerAddress(high: high, low: isIPv6 ? 7 : 0xFFFF_0A00_0007, port: 1234)
        let target = PeerAddress(high: high, low: isIPv6 ? 9 : 0xFFFF_0A00_0009, port: 4000)
        let hardware = HardwareAddress(bytes: (2, 0, 0, 0, 0, 9))
        let headers = FrameHeaders(from: source, to: target, ownHardware: hardware, nextHardware: hardware)
        var whole = [UInt8](repeating: 0, count: headers.count)
        whole.withUnsafeMutableBytes {
            headers.write(
                to: $0.baseAddress!, payloadBytes: payload.count, segmentBytes: 0, trafficClass: 0x60, copiedBytes: 0)
        }
        bytes = Array(whole[FrameHeaders.networkOffset...]) + payload
    }

    /// Finishes the UDP checksum, as the device or the kernel does.
    mutating func complete() {
        let transport = isIPv6 ? 40 : 20
        var sum: UInt32 = 0
        for index in stride(from: transport, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 + (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + sum >> 16 }
        var result = ~UInt16(sum)
        if result == 0 { result = 0xFFFF }
        bytes[transport + 6] = UInt8(result >> 8)
        bytes[transport + 7] = UInt8(result & 255)
    }

    struct Parsed {
        var bytes: [UInt8]
        var source: PeerAddress
        var destination: PeerAddress
        var trafficClass: UInt8
    }

    /// What the driver makes of it; the bytes end where the memory does.
    func parsed(isTrusted: Bool = false, interface: UInt32 = 3) throws(FrameFault) -> Parsed {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
        defer { memory.deallocate() }
        memory.copyBytes(from: bytes)
        let frame = try ReceivedFrame(
            UnsafeRawPointer(memory.baseAddress!), count: bytes.count,
            origin: .init(isIPv6: isIPv6, interface: interface, hasTrustedChecksum: isTrusted, port: 4000))
        return Parsed(
            bytes: Array(UnsafeRawBufferPointer(start: frame.payload, count: frame.payloadCount)),
            source: frame.source, destination: frame.destination, trafficClass: frame.trafficClass)
    }
}
