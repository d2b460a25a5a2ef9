// SPDX-License-Identifier: Apache-2.0

internal import HomaBase

/// Why a received frame is dropped before anybody looks for a Homa packet in it.
enum FrameFault: Error, Equatable {
    /// A header is cut short, or its lengths contradict each other or the frame's.
    case malformed
    /// A checksum is wrong, or missing where IPv6 demands one.
    case badChecksum
    /// Not for this node, or from an address or port that nobody can answer to.
    case foreign
}

/// A UDP datagram, or a train of them, in a received frame. The kernel has not looked at it yet, so every
/// field is checked here that its IP and UDP layers would check.
struct ReceivedFrame {
    let payload: UnsafeRawPointer
    let payloadCount: Int
    let source: PeerAddress
    /// Without port.
    let destination: PeerAddress
    let trafficClass: UInt8

    /// Where a frame was taken from.
    struct Origin {
        var isIPv6: Bool
        /// Index of the interface.
        var interface: UInt32
        /// The device has checked the UDP checksum, or the packet never left this machine.
        var hasTrustedChecksum: Bool
        /// The node's UDP port.
        var port: UInt16
    }

    /// The loopback device has this index in every network namespace (LOOPBACK_IFINDEX, net/flow.h).
    private static let loopback: UInt32 = 1

    /// Reads the `count` bytes from the network header on; padding after the datagram is ignored.
    init(_ network: UnsafeRawPointer, count: Int, origin: Origin) throws(FrameFault) {
        let networkBytes: Int
        let transportBytes: Int
        if origin.isIPv6 {
            (networkBytes, transportBytes) = try Self.checkIPv6(network, count: count)
        } else {
            (networkBytes, transportBytes) = try Self.checkIPv4(network, count: count)
        }
        let transport = network + networkBytes
        let length = Int(transport.loadBigEndian(4, as: UInt16.self))
        guard length > 8, length <= transportBytes else { throw .malformed }
        guard transport.loadBigEndian(2, as: UInt16.self) == origin.port else { throw .foreign }
        try Self.checkChecksum(network, transport, length: length, origin)
        source = try Self.source(network, port: transport.loadBigEndian(0, as: UInt16.self), origin)
        if origin.isIPv6 {
            destination = PeerAddress(
                high: network.loadBigEndian(24, as: UInt64.self), low: network.loadBigEndian(32, as: UInt64.self),
                port: 0)
            trafficClass = UInt8(truncatingIfNeeded: network.loadBigEndian(0, as: UInt16.self) >> 4)
        } else {
            destination = PeerAddress(ipv4: network.loadBigEndian(16, as: UInt32.self), port: 0)
            trafficClass = network.load(fromByteOffset: 1, as: UInt8.self)
        }
        payload = transport + 8
        payloadCount = length - 8
    }

    /// Bytes of the IP header, and of what follows it in the datagram.
    private static func checkIPv4(_ network: UnsafeRawPointer, count: Int) throws(FrameFault) -> (Int, Int) {
        guard count >= 28 else { throw .malformed }
        let first = network.load(as: UInt8.self)
        let headerBytes = Int(first & 15) * 4
        let total = Int(network.loadBigEndian(2, as: UInt16.self))
        guard first >> 4 == 4, headerBytes >= 20, total >= headerBytes + 8, total <= count,
            network.load(fromByteOffset: 9, as: UInt8.self) == 17,
            network.loadBigEndian(6, as: UInt16.self) & 0x3FFF == 0
        else { throw .malformed }
        guard InternetChecksum.fold(InternetChecksum.sum(network, count: headerBytes)) == 0xFFFF else {
            throw .badChecksum
        }
        return (headerBytes, total - headerBytes)
    }

    private static func checkIPv6(_ network: UnsafeRawPointer, count: Int) throws(FrameFault) -> (Int, Int) {
        guard count >= 48 else { throw .malformed }
        let following = Int(network.loadBigEndian(4, as: UInt16.self))
        guard network.load(as: UInt8.self) >> 4 == 6, network.load(fromByteOffset: 6, as: UInt8.self) == 17,
            following >= 8, following + 40 <= count
        else { throw .malformed }
        return (40, following)
    }

    private static func checkChecksum(
        _ network: UnsafeRawPointer, _ transport: UnsafeRawPointer, length: Int, _ origin: Origin
    ) throws(FrameFault) {
        let isMissing = transport.load(fromByteOffset: 6, as: UInt16.self) == 0
        if isMissing, origin.isIPv6 { throw .badChecksum }
        if isMissing || origin.hasTrustedChecksum { return }
        let addresses =
            origin.isIPv6
            ? InternetChecksum.sum(network + 8, count: 32) : InternetChecksum.sum(network + 12, count: 8)
        let sum =
            addresses &+ InternetChecksum.term(17) &+ InternetChecksum.term(UInt16(truncatingIfNeeded: length))
            &+ InternetChecksum.sum(transport, count: length)
        guard InternetChecksum.fold(sum) == 0xFFFF else { throw .badChecksum }
    }

    private static func source(
        _ network: UnsafeRawPointer, port: UInt16, _ origin: Origin
    ) throws(FrameFault) -> PeerAddress {
        guard port != 0 else { throw .foreign }
        guard origin.isIPv6 else {
            let address = network.loadBigEndian(12, as: UInt32.self)
            let isLoopback = address >> 24 == 127
            guard address >> 24 != 0, address >> 28 < 14, !isLoopback || origin.interface == loopback else {
                throw .foreign
            }
            return PeerAddress(ipv4: address, port: port)
        }
        var address = PeerAddress(
            high: network.loadBigEndian(8, as: UInt64.self), low: network.loadBigEndian(16, as: UInt64.self),
            port: port)
        let isLoopback = address.high == 0 && address.low == 1
        let isReserved = address.high == 0 && !isLoopback
        guard !isReserved, address.high >> 56 != 0xFF, !isLoopback || origin.interface == loopback else {
            throw .foreign
        }
        // As the kernel reports it: the interface belongs to the address of a link.
        if address.high >> 54 == 0xFE80 >> 6 { address.scope = origin.interface }
        return address
    }
}
