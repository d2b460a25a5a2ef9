// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
public import HomaBase
internal import HomaPosix

/// One received datagram, or a train of them that the kernel joined.
///
/// The bytes belong to the driver and are valid until its next ``UDPDriver/receive()``.
public struct ReceivedDatagram {
    /// The first byte of the UDP payload.
    public let baseAddress: UnsafeRawPointer
    /// All bytes, 0 … 65 535.
    public let byteCount: Int
    /// Length of each packet in the train; the last may be shorter. Equal to `byteCount` for a single datagram.
    public let segmentSize: Int
    /// Who sent it, and to which of this host's addresses (``PeerAddress/local``).
    public let source: PeerAddress
    /// IPv4 TOS or IPv6 traffic class, priority in the top three bits; 0 unless
    /// ``UDPSocketOptions/reportsTrafficClass`` is set.
    public let trafficClass: UInt8
}

/// The slots that datagrams are received into. Pages of a slot come with its first use.
struct ReceiveRing: ~Copyable {
    let slotCount: Int
    let slots: UnsafeMutablePointer<homa_incoming>
    private let region: MappedRegion

    init(slotCount: Int, slotBytes: Int) throws(SystemError) {
        region = try MappedRegion(byteCount: slotCount * slotBytes)
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: homa_incoming(), count: slotCount)
        self.slotCount = slotCount
        for i in 0..<slotCount {
            slots[i].base = region.baseAddress + i * slotBytes
            slots[i].capacity = UInt32(slotBytes)
        }
    }

    deinit { slots.deallocate() }

    /// Moves truncated datagrams behind the first `count` good ones; the number of good ones.
    func skipTruncated(_ count: Int) -> Int {
        var good = 0
        for i in 0..<count where slots[i].is_truncated == 0 {
            if good != i { swap(&slots[good], &slots[i]) }
            good += 1
        }
        return good
    }
}
