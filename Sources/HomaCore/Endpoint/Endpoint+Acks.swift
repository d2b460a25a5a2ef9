// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Acknowledgements: a client tells a server that a response has arrived, so that the server can forget it.
extension Endpoint {
    /// Keeps an acknowledgement until a packet to that peer can carry it. When five wait already,
    /// an ACK packet takes them all, and this one.
    mutating func storeAck(_ slot: UInt32) {
        let rpc = rpcs.at(slot)
        let peer = peer(of: slot)
        if peer.pointee.ackCount == HomaLimits.maximumAcksPerPacket {
            let fields = takeAcks(from: rpc.pointee.peer)
            sendControl(.ack(fields), for: slot)
            return
        }
        peer.pointee.acks[peer.pointee.ackCount] = AckRecord(
            clientID: rpc.pointee.id, serverPort: rpc.pointee.peerPort)
        peer.pointee.ackCount += 1
    }

    /// All stored acknowledgements for the peer, for an ACK packet.
    mutating func takeAcks(from peer: UInt32) -> AckFields {
        let record = peers.at(peer)
        var records = InlineArray<5, AckRecord>(repeating: .none)
        let count = record.pointee.ackCount
        for position in 0..<count { records[position] = record.pointee.acks[position] }
        record.pointee.ackCount = 0
        return AckFields(count: UInt16(count), records: records)
    }

    /// Sends every acknowledgement that waits for a packet to ride on. For the end of the endpoint's life: nobody could
    /// tell the servers afterwards, and they would keep their responses until they take us for dead.
    public mutating func sendStoredAcks() {
        var next = peers.live(from: 0)
        while let index = next {
            next = peers.live(from: index + 1)
            guard peers.at(index).pointee.ackCount > 0 else { continue }
            let fields = takeAcks(from: index)
            // Any of them stands in the header; its client port is not looked at.
            let header = PacketHeader(
                sourcePort: HomaLimits.firstClientPort, destinationPort: fields.records[0].serverPort,
                senderID: fields.records[0].clientID,
                extensions: ownExtension([], tag: life.identity),
                body: .ack(fields))
            enqueueControl(header, to: peers.at(index).pointee.address)
        }
    }

    /// True while the other side of something that was answered or sent here has not said that it has it, and is not
    /// taken for dead.
    public var awaitsAcks: Bool {
        mutating get {
            var next = rpcs.live(from: 0)
            while let slot = next {
                let rpc = rpcs.at(slot)
                if rpc.pointee.state == .outgoing, !rpc.pointee.isRetained,
                    !rpc.pointee.isClient || rpc.pointee.kind != .call
                {
                    return true
                }
                next = rpcs.live(from: slot + 1)
            }
            return false
        }
    }

    /// The latest stored acknowledgement, for a DATA packet.
    mutating func takeAck(from peer: UnsafeMutablePointer<Peer>) -> AckRecord {
        guard peer.pointee.ackCount > 0 else { return .none }
        peer.pointee.ackCount -= 1
        return peer.pointee.acks[peer.pointee.ackCount]
    }

    /// Whoever sent the packet has the response to one of its calls.
    mutating func acknowledged(
        _ ack: AckRecord, by header: CommonHeader, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) {
        let identity = Self.isNamed(header) ? header.extensions.identity : 0
        let foreign = CrossShardAck(peer: address, identity: identity, record: ack)
        if let slot = findAcknowledged(foreign, at: peer) {
            acknowledged(slot, ack, at: now)
        } else if shardCount > 1, ack.clientID.shard(of: shardCount) != shard {
            forward(foreign)
        }
    }

    /// The RPC that is acknowledged. A packet of a server acknowledges what it has called itself, and says nothing of
    /// who it is then: it is sought by its address.
    mutating func findAcknowledged(_ ack: CrossShardAck, at peer: UInt32?) -> UInt32? {
        let id = ack.record.clientID.peer
        if ack.identity != 0, !hasPlanted(.ignoresIdentity) {
            if let peer, peers.at(peer).pointee.identity == ack.identity {
                return rpcs.find(id, owner: RPC.owner(client: peers.at(peer).pointee.client))
            }
            return clients.find(ack.identity).flatMap { rpcs.find(id, owner: RPC.owner(client: $0)) }
        }
        return peer.flatMap { find(id, at: $0) }
    }

    mutating func acknowledged(_ slot: UInt32, _ ack: AckRecord, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.localPort == ack.serverPort else { return }
        // An acknowledgement of something not answered yet is a mistake or an attack.
        guard rpc.pointee.state == .outgoing || rpc.pointee.state == .declined else { return }
        if rpc.pointee.isProbed { noteAnswer(slot, at: now) }
        if rpc.pointee.outgoing.isFullySent, rpc.pointee.outgoing.length > 0 { noteAnswered(slot, at: now) }
        finishServerRPC(slot, at: now)
    }

    mutating func acceptAcks(
        _ header: CommonHeader, _ fields: AckFields, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) -> Disposition {
        if let peer, header.senderID.isServerSide {
            messageAcknowledged(header, by: peer, at: now)
            return .consumed
        }
        // A client is known by its identity, wherever it comes from; nobody else is without an address.
        guard peer != nil || Self.isNamed(header) && clients.find(header.extensions.identity) != nil else {
            return .dropped(.unknownPeer)
        }
        acknowledged(
            AckRecord(clientID: header.senderID, serverPort: header.destinationPort), by: header, from: address,
            peer: peer, at: now)
        for position in 0..<min(Int(fields.count), HomaLimits.maximumAcksPerPacket) {
            let record = fields.records[position]
            if !record.isEmpty { acknowledged(record, by: header, from: address, peer: peer, at: now) }
        }
        return .consumed
    }

    /// The server asks whether its response may be forgotten.
    mutating func acceptNeedAck(_ slot: UInt32, at now: Instant) -> Disposition {
        // The RPC exists, so it is not complete: the server must keep the response.
        guard rpcs.at(slot).pointee.isClient else { return .dropped(.wrongState) }
        // What is missing may be on its way still: the server knows what it handed to its network, not what arrived.
        let rpc = rpcs.at(slot)
        let isArriving =
            rpc.pointee.state == .incoming && now.nanoseconds(since: rpc.pointee.lastHeard) < resendTimeout(slot)
        if isArriving || mayBeBehindOthers(slot, at: now) || !requestMissing(slot, at: now) {
            sendControl(.busy, for: slot)
        } else {
            noteAhead(slot)
        }
        return .consumed
    }
}
