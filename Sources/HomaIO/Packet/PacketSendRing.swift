// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// Frames on their way to the devices: filled here, and sent by one system call for as many as go to one interface.
///
/// The kernel copies each frame (see ``FrameHeaders/write(to:payloadBytes:segmentBytes:trafficClass:copiedBytes:)``).
/// It could send from the ring's memory instead, but over virtual devices a packet may still lie unread at its
/// receiver when its frame is said to be free.
struct PacketSendRing: ~Copyable {
    private let ring: PacketRing
    private var next = 0
    /// The first frame that the kernel has not been seen to take, and how many follow it.
    private var firstPending = 0
    private(set) var pendingCount = 0
    private var interface: UInt32 = 0
    private var protocolNumber: UInt16 = 0

    init(frameBytes: Int, frameCount: Int) throws(SystemError) {
        var ring = homa_ring()
        try SystemError.checkPacketSocket(
            homa_ring_open_send(UInt32(frameBytes), UInt32(frameCount), &ring), "send ring")
        self.ring = PacketRing(ring)
    }

    /// Longest packet or train with its headers that fits into a frame.
    var capacity: Int { ring.frameBytes - Int(HOMA_SEND_FRAME_HEADER) }

    /// Where the next frame's headers go; nil when all frames are under way.
    @inline(__always)
    func reserve() -> UnsafeMutableRawPointer? {
        let frame = ring.frame(next)
        let free = UInt32(TP_STATUS_AVAILABLE)
        return homa_frame_status(frame) == free ? frame + Int(HOMA_SEND_FRAME_HEADER) : nil
    }

    /// True when frames wait that leave another way than `path`, and so must be kicked off first.
    @inline(__always)
    func mustKick(before interface: UInt32, _ protocolNumber: UInt16) -> Bool {
        pendingCount > 0 && (self.interface != interface || self.protocolNumber != protocolNumber)
    }

    /// Lets the frame just filled go with the next ``kick()``.
    @inline(__always)
    mutating func commit(byteCount: Int, interface: UInt32, protocolNumber: UInt16) {
        let frame = ring.frame(next)
        homa_frame_set_length(frame, UInt32(byteCount))
        homa_frame_set_status(frame, UInt32(TP_STATUS_SEND_REQUEST))
        self.interface = interface
        self.protocolNumber = protocolNumber
        if pendingCount == 0 { firstPending = next }
        pendingCount += 1
        next = ring.next(next)
    }

    /// Sends the committed frames. 0: all are gone. Else an error code: with EAGAIN some are left for later, with
    /// others they have been taken back.
    mutating func kick() -> Int32 {
        guard pendingCount > 0 else { return 0 }
        let code = -homa_ring_kick(ring.descriptor, interface, protocolNumber)
        while pendingCount > 0, homa_frame_status(ring.frame(firstPending)) & UInt32(TP_STATUS_SEND_REQUEST) == 0 {
            firstPending = ring.next(firstPending)
            pendingCount -= 1
        }
        guard pendingCount > 0 else { return 0 }
        switch code {
        case 0, EAGAIN, EINTR, ENOBUFS, ENOMEM: return EAGAIN
        default: return code
        }
    }

    /// Takes the committed frames back; how many there were. The kernel goes on at the first of them.
    mutating func takeBack() -> Int {
        let count = pendingCount
        next = firstPending
        var index = firstPending
        while pendingCount > 0 {
            homa_frame_set_status(ring.frame(index), UInt32(TP_STATUS_AVAILABLE))
            index = ring.next(index)
            pendingCount -= 1
        }
        return count
    }
}
