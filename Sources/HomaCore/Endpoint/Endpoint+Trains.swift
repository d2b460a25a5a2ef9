// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// Trains: packets of one message that leave one after the other, and differ in hardly anything.
extension Endpoint {
    /// Gives out further packets of the message whose packet ``nextPacket(at:into:)`` has just given out, as long as
    /// they would come next anyway. Each carries as many bytes as that one, from where the one before ends, and its
    /// header is that of the packet before after ``PacketHeader/advance(_:to:)``.
    ///
    /// A train costs little more than a packet. It ends before the last packet of a message, and before one with an
    /// acknowledgement, of another priority, or sent again; with a pacer every packet comes alone.
    /// - Parameter limit: 0 or more.
    /// - Returns: how many packets, 0 … `limit`. They count as sent.
    public mutating func continueTrain(
        after packet: UnsafePointer<OutgoingPacket>, atMost limit: Int, at now: Instant
    ) -> Int {
        let slot = recentSender
        guard slot != RPCTable.none, tuning.linkRate == nil, !tuning.probesUnscheduled, controlPackets.isEmpty,
            !sendQueue.isOldestsTurn, sendQueue.shortest == slot
        else { return 0 }
        let rpc = rpcs.at(slot)
        let segment = rpc.pointee.outgoing.segment
        guard packet.pointee.payloadLength == Int(segment), rpc.pointee.outgoing.resends.isEmpty,
            peers.at(rpc.pointee.peer).pointee.ackCount == 0
        else { return 0 }
        let next = rpc.pointee.outgoing.next
        let unscheduled = rpc.pointee.outgoing.unscheduled
        guard next != unscheduled else { return 0 }
        let last = rpc.pointee.outgoing.length - 1
        let end = min(next < unscheduled ? min(unscheduled, last) : last, rpc.pointee.outgoing.granted)
        guard end > next else { return 0 }
        let count = min(Int((end - next) / segment), limit)
        guard count > 0 else { return 0 }
        let bytes = count * Int(segment)
        rpc.pointee.outgoing.next = next + UInt32(bytes)
        rpc.pointee.lastHeard = now
        account(slot, packets: count, bytes: bytes, at: now)
        requeue(slot)
        return count
    }
}
