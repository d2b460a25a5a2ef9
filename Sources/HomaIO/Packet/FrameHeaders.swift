// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import HomaBase

/// What stands in front of every Homa packet to one peer on an Ethernet link: the kernel's offload header
/// (virtio_net_hdr), Ethernet, IPv4 or IPv6, and UDP. Made once for a path, copied and completed for each packet.
///
/// The UDP checksum is left to the kernel or the device, as for packets of ordinary sockets: the field holds the
/// pseudo-header's sum, and the offload header says where the rest begins.
struct FrameHeaders {
    /// The longest: 10 + 14 + 40 + 8 bytes, rounded up.
    static let capacity = 80
    static let ethernetOffset = Int(HOMA_OFFLOAD_HEADER)
    static let networkOffset = ethernetOffset + 14
    private static let hopLimit: UInt8 = 64
    private static let udp: UInt8 = 17

    private var bytes: InlineArray<80, UInt8>
    /// 52 with IPv4, 72 with IPv6.
    let count: Int
    let isIPv4: Bool
    /// Sum of the IPv4 header with length, TOS and checksum zero.
    private let networkSum: UInt64
    /// Sum of the pseudo-header without the length.
    private let pseudoSum: UInt64

    /// ETH_P_IP or ETH_P_IPV6.
    var protocolNumber: UInt16 { isIPv4 ? 0x0800 : 0x86DD }

    /// Both addresses must be of the same family; their ports are the UDP ports.
    init(from source: PeerAddress, to target: PeerAddress, ownHardware: HardwareAddress, nextHardware: HardwareAddress)
    {
        isIPv4 = target.isIPv4
        count = Self.networkOffset + (isIPv4 ? 20 : 40) + 8
        bytes = .init(repeating: 0)
        let isIPv4 = isIPv4
        let sums = withUnsafeMutableBytes(of: &bytes) { buffer -> (UInt64, UInt64) in
            let base = buffer.baseAddress!
            nextHardware.store(at: base + Self.ethernetOffset)
            ownHardware.store(at: base + Self.ethernetOffset + 6)
            base.storeBigEndian(UInt16(isIPv4 ? 0x0800 : 0x86DD), at: Self.ethernetOffset + 12)
            let network = base + Self.networkOffset
            let addressBytes = isIPv4 ? 8 : 32
            let addresses = network + (isIPv4 ? 12 : 8)
            if isIPv4 {
                Self.fillIPv4(network, from: source, to: target)
            } else {
                Self.fillIPv6(network, from: source, to: target)
            }
            let transport = addresses + addressBytes
            transport.storeBigEndian(source.port, at: 0)
            transport.storeBigEndian(target.port, at: 2)
            return (
                isIPv4 ? InternetChecksum.sum(network, count: 20) : 0,
                InternetChecksum.sum(addresses, count: addressBytes) &+ InternetChecksum.term(UInt16(Self.udp))
            )
        }
        networkSum = sums.0
        pseudoSum = sums.1
    }

    private static func fillIPv4(
        _ network: UnsafeMutableRawPointer, from source: PeerAddress, to target: PeerAddress
    ) {
        network.storeBytes(of: 0x45, as: UInt8.self)
        // Identification 0, and never to be fragmented.
        network.storeBigEndian(UInt16(0x4000), at: 6)
        network.storeBytes(of: hopLimit, toByteOffset: 8, as: UInt8.self)
        network.storeBytes(of: udp, toByteOffset: 9, as: UInt8.self)
        network.storeBigEndian(source.ipv4, at: 12)
        network.storeBigEndian(target.ipv4, at: 16)
    }

    private static func fillIPv6(
        _ network: UnsafeMutableRawPointer, from source: PeerAddress, to target: PeerAddress
    ) {
        network.storeBytes(of: udp, toByteOffset: 6, as: UInt8.self)
        network.storeBytes(of: hopLimit, toByteOffset: 7, as: UInt8.self)
        network.storeBigEndian(source.high, at: 8)
        network.storeBigEndian(source.low, at: 16)
        network.storeBigEndian(target.high, at: 24)
        network.storeBigEndian(target.low, at: 32)
    }

    /// Writes the headers of one packet or train.
    ///
    /// - Parameters:
    ///   - start: room for ``count`` bytes.
    ///   - payloadBytes: UDP payload of the packet, or of the whole train.
    ///   - segmentBytes: UDP payload of each packet of a train but the last; 0: one packet.
    ///   - trafficClass: IPv4 TOS or IPv6 traffic class.
    ///   - copiedBytes: how much of the payload the kernel is to copy instead of sending it from where it lies.
    func write(
        to start: UnsafeMutableRawPointer, payloadBytes: Int, segmentBytes: Int, trafficClass: UInt8, copiedBytes: Int
    ) {
        withUnsafeBytes(of: bytes) { start.copyMemory(from: $0.baseAddress!, byteCount: count) }
        let linkBytes = count - Self.ethernetOffset
        start.storeBytes(of: 1, as: UInt8.self)  // VIRTIO_NET_HDR_F_NEEDS_CSUM
        start.storeBytes(of: segmentBytes > 0 ? UInt8(HOMA_OFFLOAD_TRAIN) : 0, toByteOffset: 1, as: UInt8.self)
        start.storeBytes(
            of: UInt16(truncatingIfNeeded: linkBytes + copiedBytes), toByteOffset: 2, as: UInt16.self)
        start.storeBytes(of: UInt16(truncatingIfNeeded: segmentBytes), toByteOffset: 4, as: UInt16.self)
        start.storeBytes(of: UInt16(truncatingIfNeeded: linkBytes - 8), toByteOffset: 6, as: UInt16.self)
        start.storeBytes(of: 6, toByteOffset: 8, as: UInt16.self)

        let network = start + Self.networkOffset
        let transportBytes = UInt16(truncatingIfNeeded: 8 + payloadBytes)
        if isIPv4 {
            let total = 20 + transportBytes
            network.storeBytes(of: trafficClass, toByteOffset: 1, as: UInt8.self)
            network.storeBigEndian(total, at: 2)
            let sum = networkSum &+ InternetChecksum.term(total) &+ InternetChecksum.term(UInt16(trafficClass))
            network.storeBytes(of: ~InternetChecksum.fold(sum), toByteOffset: 10, as: UInt16.self)
        } else {
            network.storeBigEndian(0x6000_0000 | UInt32(trafficClass) << 20, at: 0)
            network.storeBigEndian(transportBytes, at: 4)
        }
        let transport = start + (count - 8)
        transport.storeBigEndian(transportBytes, at: 4)
        let sum = InternetChecksum.fold(pseudoSum &+ InternetChecksum.term(transportBytes))
        transport.storeBytes(of: sum, toByteOffset: 6, as: UInt16.self)
    }
}

/// An Ethernet address.
struct HardwareAddress: Equatable {
    var bytes: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)

    static func == (one: HardwareAddress, other: HardwareAddress) -> Bool { one.bytes == other.bytes }

    func store(at place: UnsafeMutableRawPointer) {
        withUnsafeBytes(of: bytes) { place.copyMemory(from: $0.baseAddress!, byteCount: 6) }
    }
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    func storeBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
    }
}

extension UnsafeRawPointer {
    @inline(__always)
    func loadBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type) -> Value {
        Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}
