// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// Packets leaving: control packets first, then the message whose turn it is.
extension Endpoint {
    /// The packet to transmit now, or nil when there is none, or the link has enough to do.
    ///
    /// A driver that sends many packets uses ``nextPacket(at:into:)``, which copies less.
    public mutating func nextPacket(at now: Instant) -> OutgoingPacket? {
        withUnsafeTemporaryAllocation(of: OutgoingPacket.self, capacity: 1) { packet in
            nextPacket(at: now, into: packet.baseAddress!) ? packet[0] : nil
        }
    }

    /// Writes the packet to transmit now to `packet`, which need not be initialized. False when there is
    /// none, or the link has enough to do; then `packet` means nothing.
    public mutating func nextPacket(at now: Instant, into packet: UnsafeMutablePointer<OutgoingPacket>) -> Bool {
        if granter.isDue { issueGrants(at: now) }
        recentSender = RPCStore.none
        if !controlPackets.isEmpty {
            controlPackets.popFirst(into: packet)
            let type = packet.pointee.header.common.type
            counters.packetsSent[Int(type.rawValue) - 0x10] += 1
            pacer.charge(tuning.wire.control(type), at: now)
            record(sent: packet, again: false, at: now)
            return true
        }
        guard var slot = sendQueue.next() else { return false }
        if !pacer.mayLeave(at: now), !bypassesPacer(slot) {
            // It may be the turn of the oldest message, which must not hold up a short one.
            guard let shortest = sendQueue.shortest, bypassesPacer(shortest) else { return false }
            slot = shortest
        }
        writeDataPacket(slot, at: now, into: packet)
        return true
    }

    /// Short messages go at once, but not the short rest of a long message: many of those, or one that
    /// must go again, would fill the queue.
    private mutating func bypassesPacer(_ slot: UInt32) -> Bool {
        rpcs.at(slot).pointee.outgoing.length < tuning.pacerBypass
    }

    private mutating func issueGrants(at now: Instant) {
        while let grant = granter.nextGrant() {
            if grant.isForLost {
                askForLost(grant)
                continue
            }
            rpcs.at(grant.slot).pointee.incoming.grantPriority = grant.priority
            noteGrant(grant.slot, from: grant.from, at: now)
            notePace(grant.slot, from: grant.from, at: now)
            if grant.isForOldest { counters.oldestGrants += 1 }
            record(.granted, grant.slot, detail: grant.priority, grant.from, grant.offset, at: now)
            sendControl(.grant(GrantFields(offset: grant.offset, priority: grant.priority)), for: grant.slot)
        }
    }

    /// Field by field: a whole packet built on the stack would be copied twice on its way out.
    private mutating func writeDataPacket(
        _ slot: UInt32, at now: Instant, into packet: UnsafeMutablePointer<OutgoingPacket>
    ) {
        let rpc = rpcs.at(slot)
        if rpc.pointee.id.rawValue == 0 {
            identify(slot)
            if rpc.pointee.kind == .message { chooseKind(slot, at: now) }
        }
        let peer = peers.at(rpc.pointee.peer)
        let segment = takeSegment(slot, at: now)
        account(slot, packets: 1, bytes: segment.range.count, at: now)
        requeue(slot)
        if !segment.isRetransmission { recentSender = slot }
        // What goes again may be unknown to a server that wants to see that it is wanted now.
        let shows = rpc.pointee.isClient && (segment.isRetransmission || showsToken(peer, at: now))
        let proof = shows ? peer.pointee.token : 0
        var marks = marks(of: slot)
        if proof != 0 { marks.insert(.proof) }
        packet.pointee.header.writeData(
            CommonHeader(
                sourcePort: rpc.pointee.localPort, destinationPort: rpc.pointee.peerPort, type: .data,
                senderID: rpc.pointee.id, extensions: ownExtension(marks, tag: tag(of: slot))),
            DataFields(
                messageLength: rpc.pointee.outgoing.length, incoming: max(segment.incoming, segment.range.upperBound),
                ack: proof == 0 ? takeAck(from: peer) : .none, proof: proof,
                unusedDistance: UInt32(clamping: (nextID.rawValue &- rpc.pointee.id.rawValue) / 2),
                cutoffVersion: peer.pointee.cutoffVersion, isRetransmission: segment.isRetransmission,
                oldestUnfinishedDistance: oldestUnfinishedDistance(rpc, peer),
                remaining: remainingTime(of: rpc, at: now), offset: segment.range.lowerBound,
                payloadLength: UInt32(segment.range.count)))
        packet.pointee.peer = way(of: slot)
        packet.pointee.priority = segment.priority
        packet.pointee.payload = rpc.pointee.outgoing.payload
        packet.pointee.payloadOffset = Int(segment.range.lowerBound)
        packet.pointee.payloadLength = segment.range.count
        // Sent again because the way may be too narrow for the datagram it was in, it goes alone.
        packet.pointee.bundleBytes = segment.isRetransmission ? 0 : peer.pointee.bundleBytes
        packet.pointee.isUnheard = peer.pointee.liveness.isUnheard(at: now)
        record(sent: packet, again: segment.isRetransmission, at: now)
        if tuning.probesUnscheduled, !segment.isRetransmission,
            segment.range.upperBound == rpc.pointee.outgoing.unscheduled
        {
            sendLossProbe(slot)
        }
        // Last: the record may go with it.
        if !segment.isRetransmission, rpc.pointee.kind != .call, rpc.pointee.outgoing.isFullySent {
            messageHasLeft(slot, at: now)
        }
    }

    /// Which bytes of a message go next, and what is said about them.
    private struct Segment {
        var range: Range<UInt32>
        var incoming: UInt32
        var priority: UInt8
        var isRetransmission: Bool
    }

    private mutating func takeSegment(_ slot: UInt32, at now: Instant) -> Segment {
        let rpc = rpcs.at(slot)
        guard let again = ranges.first(rpc.pointee.outgoing.resends) else {
            let range = rpc.pointee.outgoing.packet(startingAt: rpc.pointee.outgoing.next, atMost: mostPayload(slot))
            if range.lowerBound == 0 { rpc.pointee.outgoing.begunAt = now }
            rpc.pointee.outgoing.next = range.upperBound
            rpc.pointee.outgoing.lastSent = now
            noteProgress(slot, at: now)
            noteAhead(slot)
            if range.upperBound == rpc.pointee.outgoing.length, tuning.adaptsTimers { rpc.pointee.sentAt = now }
            return Segment(
                range: range,
                incoming: rpc.pointee.outgoing.isHeldBack
                    ? rpc.pointee.outgoing.unscheduled : rpc.pointee.outgoing.granted,
                priority: rpc.pointee.outgoing.priority(at: range.lowerBound), isRetransmission: false)
        }
        let whole = rpc.pointee.outgoing.packet(startingAt: again.lowerBound, atMost: mostPayload(slot))
        let range = whole.lowerBound..<min(whole.upperBound, again.upperBound)
        ranges.consumeFirst(UInt32(range.count), of: &rpc.pointee.outgoing.resends)
        rpc.pointee.lastAsked = now
        counters.packetsRetransmitted += 1
        counters.bytesRetransmitted += UInt64(range.count)
        return Segment(
            range: range,
            incoming: peer(of: slot).pointee.speaksExtensions
                ? again.upperBound : max(again.upperBound, rpc.pointee.outgoing.granted),
            priority: min(rpc.pointee.outgoing.resendPriority, tuning.highestPriority), isRetransmission: true)
    }

    mutating func account(_ slot: UInt32, packets: Int, bytes: Int, at now: Instant) {
        counters.packetsSent[0] += UInt64(packets)
        counters.bytesSent += UInt64(bytes)
        sendQueue.sent(bytes, of: slot, segment: Int(rpcs.at(slot).pointee.outgoing.segment))
        pacer.charge(tuning.wire.data(payload: bytes), at: now)
    }

    /// Tells a server how far back our oldest unfinished call to it lies, so that it need not
    /// remember what finished before.
    private mutating func oldestUnfinishedDistance(
        _ rpc: UnsafeMutablePointer<RPC>, _ peer: UnsafeMutablePointer<Peer>
    ) -> UInt16 {
        guard rpc.pointee.isClient, peer.pointee.speaksExtensions else { return 0 }
        // A message that is over for us without an acknowledgement may still be on its way.
        guard tuning.acknowledgesMessages else { return 0 }
        // Nor does one shard know of the others' calls.
        guard shardCount == 1 else { return 0 }
        guard let first = peer.pointee.calls.first else { return 0 }
        let oldest = rpcs.at(first).pointee.id.rawValue
        let distance = (rpc.pointee.id.rawValue - oldest) / 2
        return distance < UInt64(UInt16.max) ? UInt16(distance + 1) : 0
    }
}
