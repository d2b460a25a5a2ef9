// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// Packets leaving: control packets first, then the message whose turn it is.
extension Endpoint {
    /// The packet to transmit now, or nil when there is none, or the link has enough to do.
    public mutating func nextPacket(at now: Instant) -> OutgoingPacket? {
        issueGrants()
        if let control = controlPackets.popFirst() {
            counters.packetsSent[Int(control.header.common.type.rawValue) - 0x10] += 1
            pacer.charge(tuning.wire.control(control.header.common.type), at: now)
            return control
        }
        guard let slot = sendQueue.next() else { return nil }
        if pacer.mayLeave(at: now) || bypassesPacer(slot) { return dataPacket(slot, at: now) }
        // It may be the turn of the oldest message, which must not hold up a short one.
        guard let shortest = sendQueue.shortest, bypassesPacer(shortest) else { return nil }
        return dataPacket(shortest, at: now)
    }

    /// Short messages go at once, but not the short rest of a long message: many of those, or one that
    /// must go again, would fill the queue.
    private mutating func bypassesPacer(_ slot: UInt32) -> Bool {
        rpcs.at(slot).pointee.outgoing.length < tuning.pacerBypass
    }

    /// Sets the Homa packet bytes (header and payload) that the path to a peer carries; used for
    /// messages begun from now on. Values outside 128 … the configured cap are brought inside.
    public mutating func setMaximumPacket(bytes: Int, for address: PeerAddress) {
        guard let peer = findPeer(address) else { return }
        let payload = max(bytes, 128) - DataFields.byteCount
        peers.at(peer).pointee.segment = min(UInt32(clamping: payload), tuning.maximumSegment)
    }

    private mutating func issueGrants() {
        while let grant = granter.nextGrant(peers) {
            if grant.isForOldest { counters.oldestGrants += 1 }
            sendControl(.grant(GrantFields(offset: grant.offset, priority: grant.priority)), for: grant.slot)
        }
    }

    private mutating func dataPacket(_ slot: UInt32, at now: Instant) -> OutgoingPacket {
        let rpc = rpcs.at(slot)
        if rpc.pointee.id.rawValue == 0 {
            identify(slot)
            if rpc.pointee.kind == .message { chooseKind(slot, at: now) }
        }
        let range: Range<UInt32>
        let incoming: UInt32
        let priority: UInt8
        let isAgain: Bool
        if let again = ranges.first(rpc.pointee.outgoing.resends) {
            let packet = rpc.pointee.outgoing.packet(startingAt: again.lowerBound)
            range = packet.lowerBound..<min(packet.upperBound, again.upperBound)
            ranges.consumeFirst(UInt32(range.count), of: &rpc.pointee.outgoing.resends)
            incoming = max(again.upperBound, rpc.pointee.outgoing.granted)
            priority = rpc.pointee.outgoing.resendPriority
            isAgain = true
            counters.packetsResent += 1
            counters.bytesResent += UInt64(range.count)
        } else {
            range = rpc.pointee.outgoing.packet(startingAt: rpc.pointee.outgoing.next)
            rpc.pointee.outgoing.next = range.upperBound
            incoming = rpc.pointee.outgoing.granted
            priority =
                range.lowerBound < rpc.pointee.outgoing.unscheduled
                ? rpc.pointee.outgoing.unscheduledPriority : rpc.pointee.outgoing.scheduledPriority
            isAgain = false
            rpc.pointee.lastHeard = now
        }
        account(slot, bytes: range.count, at: now)
        requeue(slot)
        let fields = DataFields(
            messageLength: rpc.pointee.outgoing.length, incoming: max(incoming, range.upperBound),
            ack: takeAck(from: peer(of: slot)), cutoffVersion: peer(of: slot).pointee.cutoffVersion,
            isRetransmission: isAgain, oldestUnfinishedDistance: oldestUnfinishedDistance(slot),
            offset: range.lowerBound, payloadLength: UInt32(range.count))
        let packet = OutgoingPacket(
            header: PacketHeader(
                sourcePort: rpc.pointee.localPort, destinationPort: rpc.pointee.peerPort, senderID: rpc.pointee.id,
                extensions: ownExtension(marks(of: slot)), body: .data(fields)),
            peer: peer(of: slot).pointee.address, priority: priority, payload: rpc.pointee.outgoing.payload,
            payloadOffset: Int(range.lowerBound), payloadLength: range.count)
        if !isAgain, rpc.pointee.kind != .call, rpc.pointee.outgoing.isFullySent { messageHasLeft(slot, at: now) }
        return packet
    }

    private mutating func account(_ slot: UInt32, bytes: Int, at now: Instant) {
        counters.packetsSent[0] += 1
        counters.bytesSent += UInt64(bytes)
        sendQueue.sent(bytes, of: slot, segment: Int(rpcs.at(slot).pointee.outgoing.segment))
        pacer.charge(tuning.wire.data(payload: bytes), at: now)
    }

    /// Tells a server how far back our oldest unfinished call to it lies, so that it need not
    /// remember what finished before.
    private mutating func oldestUnfinishedDistance(_ slot: UInt32) -> UInt16 {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.isClient, peer(of: slot).pointee.speaksExtensions else { return 0 }
        // A message that is over for us without an acknowledgement may still be on its way.
        guard tuning.acknowledgesMessages else { return 0 }
        let oldest = rpcs.at(peer(of: slot).pointee.oldestCall).pointee.id.rawValue
        let distance = (rpc.pointee.id.rawValue - oldest) / 2
        return distance < UInt64(UInt16.max) ? UInt16(distance + 1) : 0
    }
}
