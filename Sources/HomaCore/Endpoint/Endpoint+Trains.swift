// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaBuffers
public import HomaWire

/// Trains: packets of one message that leave and arrive one after the other, and differ in hardly anything.
extension Endpoint {
    // MARK: At the sender

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
        guard slot != RPCStore.none, tuning.linkRate == nil, !tuning.probesUnscheduled, controlPackets.isEmpty,
            !sendQueue.isOldestsTurn, sendQueue.shortest == slot
        else { return 0 }
        let rpc = rpcs.at(slot)
        let segment = min(rpc.pointee.outgoing.segment, mostPayload(slot))
        guard packet.pointee.payloadLength == Int(segment), rpc.pointee.outgoing.resends.isEmpty,
            peers.at(rpc.pointee.peer).pointee.ackCount == 0
        else { return 0 }
        let next = rpc.pointee.outgoing.next
        let unscheduled = rpc.pointee.outgoing.unscheduled
        guard next != unscheduled,
            next < unscheduled || packet.pointee.priority == rpc.pointee.outgoing.levels.level(at: next)
        else { return 0 }
        let last = rpc.pointee.outgoing.length - 1
        let sameLevel = next < unscheduled ? unscheduled : rpc.pointee.outgoing.levels.end(after: next)
        let end = min(sameLevel, last, rpc.pointee.outgoing.granted)
        guard end > next else { return 0 }
        let count = min(Int((end - next) / segment), limit)
        guard count > 0 else { return 0 }
        let bytes = count * Int(segment)
        rpc.pointee.outgoing.next = next + UInt32(bytes)
        rpc.pointee.outgoing.lastSent = now
        record(.sent, slot, detail: PacketType.data.rawValue, next, UInt32(bytes), at: now)
        noteProgress(slot, at: now)
        account(slot, packets: count, bytes: bytes, at: now)
        requeue(slot)
        return count
    }

    // MARK: At the receiver

    /// Takes packets into account that came right after the DATA packet that ``receive(_:from:at:)`` has just taken,
    /// each with as many bytes from where the one before ends, and its header after ``PacketHeader/advance(_:to:)``.
    ///
    /// The payload of those counted must be stored before events are drained. The others go to `receive`: the packet
    /// that completes a message, and all of them where that is not in order.
    /// - Parameter count: 0 or more.
    public mutating func receiveFollowers(
        of header: PacketHeader, count: Int, from address: PeerAddress, at now: Instant
    ) -> Followers {
        guard case .data(let first) = header.body, pool != nil,
            case .success(let slot) = findRPC(header.common, from: address, peer: findPeer(address), at: now),
            isInOrder(slot)
        else { return .none }
        let rpc = rpcs.at(slot)
        let end = rpc.pointee.incoming.end
        guard end == first.offset + first.payloadLength, rpc.pointee.incoming.length == first.messageLength,
            rpc.pointee.incoming.missing == 0
        else { return .none }
        let taken = min(count, Int((rpc.pointee.incoming.length - 1 - end) / first.payloadLength))
        guard taken > 0 else { return .none }
        var last = first
        last.offset = end + UInt32(taken - 1) * first.payloadLength
        let range = end..<last.offset + last.payloadLength
        granter.willReceive(slot)
        _ = ranges.arrive(range, in: &rpc.pointee.incoming, maximumGaps: tuning.maximumGaps)
        counters.packetsReceived[0] += UInt64(taken)
        record(.received, slot, detail: PacketType.data.rawValue, range.lowerBound, UInt32(range.count), at: now)
        noteData(slot, last, at: now)
        noteArrival(slot, bytes: UInt32(range.count), at: now)
        noteUnscheduledData(slot)
        granter.didReceive(slot, bytes: UInt32(range.count))
        return Followers(count: taken, lease: rpc.pointee.incoming.lease)
    }
}

/// Packets of a train that were taken into account.
@frozen
public struct Followers: Equatable, Sendable, BitwiseCopyable {
    /// How many.
    public let count: Int
    /// Where their message lies; means nothing if there are none.
    public let lease: BufferLease

    static let none = Followers(count: 0, lease: BufferLease(slot: 0, generation: 0))
}
