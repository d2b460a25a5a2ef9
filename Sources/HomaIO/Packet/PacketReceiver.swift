// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// One family's arrivals: a ring that the kernel fills, looked at without a system call.
struct PacketReceiver: ~Copyable {
    /// Frames looked at in one go, whether or not they are of use.
    private static let batch = 64
    /// Packets longer than a frame that can be handed out at once.
    private static let longSlots = 8
    /// A train and its Ethernet header.
    private static let longBytes = 65_536 + 64

    private let ring: PacketRing
    private let isIPv6: Bool
    private let port: UInt16
    private var head = 0
    /// Frames before `head` that are handed out and go back to the kernel with the next look.
    private var taken = 0
    private let long: MappedRegion

    init(family: Int32, port: UInt16, options: PacketRingOptions, receiveBufferBytes: Int) throws(SystemError) {
        let long = try MappedRegion(byteCount: Self.longSlots * Self.longBytes)
        var ring = homa_ring()
        try SystemError.checkPacketSocket(
            homa_ring_open_receive(
                family, port, UInt32(options.frameBytes), UInt32(options.receiveFrames),
                UInt32(clamping: receiveBufferBytes), &ring), "receive ring")
        self.ring = PacketRing(ring)
        self.long = long
        isIPv6 = family == AF_INET6
        self.port = port
    }

    var descriptor: Int32 { ring.descriptor }

    /// Gives the frames of the last look back, and fills `output` with what has come since; how many.
    ///
    /// Datagrams lie in the ring until the next call.
    mutating func take(
        into output: UnsafeMutablePointer<ReceivedDatagram>, locals: inout LocalAddresses, own: inout OwnAddresses,
        statistics: inout UDPStatistics
    ) -> Int {
        release()
        guard homa_frame_status(ring.frame(head)) & UInt32(TP_STATUS_USER) != 0 else { return 0 }
        var count = 0
        var longCount = 0
        while taken < Self.batch {
            let frame = ring.frame(head)
            let status = homa_frame_status(frame)
            guard status & UInt32(TP_STATUS_USER) != 0 else { break }
            var description = homa_frame()
            homa_frame_read(frame, &description)
            let isLong = status & UInt32(TP_STATUS_COPY) != 0
            if isLong && longCount == Self.longSlots { break }
            head = ring.next(head)
            taken += 1
            if status & UInt32(TP_STATUS_LOSING) != 0 { countLosses(&statistics) }
            if isLong {
                let slot = long.baseAddress + longCount * Self.longBytes
                guard homa_packet_receive(ring.descriptor, slot, Self.longBytes, &description) == 0 else {
                    statistics.truncated += 1
                    continue
                }
                longCount += 1
            }
            if description.is_cut != 0 && !isLong {
                // The socket's buffer had no room for the whole of it.
                statistics.receiveOverflows += 1
                continue
            }
            if let datagram = datagram(description, &locals, &own, &statistics) {
                output[count] = datagram
                count += 1
            }
        }
        statistics.receiveBatches += 1
        return count
    }

    /// The most datagrams of one look.
    static var maximumDatagrams: Int { batch }

    /// The kernel's count of what the ring had no room for.
    func countLosses(_ statistics: inout UDPStatistics) {
        statistics.receiveOverflows += UInt64(max(0, homa_ring_take_losses(ring.descriptor)))
    }

    private mutating func release() {
        var index = head - taken
        if index < 0 { index += ring.frameCount }
        while taken > 0 {
            homa_frame_set_status(ring.frame(index), UInt32(TP_STATUS_KERNEL))
            index = ring.next(index)
            taken -= 1
        }
    }

    private func datagram(
        _ frame: homa_frame, _ locals: inout LocalAddresses, _ own: inout OwnAddresses,
        _ statistics: inout UDPStatistics
    ) -> ReceivedDatagram? {
        let trust = UInt32(TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID)
        let origin = ReceivedFrame.Origin(
            isIPv6: isIPv6, interface: frame.interface, hasTrustedChecksum: frame.status & trust != 0, port: port)
        do throws(FrameFault) {
            let received = try ReceivedFrame(frame.network, count: Int(frame.captured), origin: origin)
            let target = received.destination
            guard locals.contains(target) else { throw .foreign }
            var source = received.source
            if !locals.isBound {
                source.local = own.number(
                    of: homa_source(high: target.high, low: target.low, interface: frame.interface))
            }
            let segment = frame.is_segmented != 0 ? Int(frame.segment_size) : received.payloadCount
            guard segment > 0 else { throw .malformed }
            let isSingle = segment >= received.payloadCount
            statistics.receivedDatagrams += 1
            statistics.receivedBytes += UInt64(received.payloadCount)
            statistics.receivedPackets += isSingle ? 1 : UInt64((received.payloadCount + segment - 1) / segment)
            return ReceivedDatagram(
                baseAddress: received.payload, byteCount: received.payloadCount,
                segmentSize: min(segment, received.payloadCount), source: source,
                trafficClass: received.trafficClass)
        } catch {
            switch error {
            case .malformed: statistics.malformedFrames += 1
            case .badChecksum: statistics.badChecksums += 1
            case .foreign: statistics.foreignFrames += 1
            }
            return nil
        }
    }
}

/// The receivers of a driver, one for each family.
struct PacketReceivers: ~Copyable {
    private let base: UnsafeMutablePointer<PacketReceiver>
    private(set) var count = 0

    private init() { base = .allocate(capacity: 2) }

    /// One for each family in which a socket bound to `address` can be reached.
    static func open(
        for address: PeerAddress, isDualStack: Bool, options: PacketRingOptions, receiveBufferBytes: Int
    ) throws(SystemError) -> PacketReceivers {
        var receivers = PacketReceivers()
        for family in [AF_INET, AF_INET6] where family == AF_INET ? address.isIPv4 || isDualStack : !address.isIPv4 {
            let receiver = try PacketReceiver(
                family: family, port: address.port, options: options, receiveBufferBytes: receiveBufferBytes)
            receivers.append(receiver)
        }
        return receivers
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    private mutating func append(_ receiver: consuming PacketReceiver) {
        precondition(count < 2)
        (base + count).initialize(to: receiver)
        count += 1
    }

    @inline(__always)
    func pointer(_ index: Int) -> UnsafeMutablePointer<PacketReceiver> { base + index }
}
