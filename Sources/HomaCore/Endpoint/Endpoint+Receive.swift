// SPDX-License-Identifier: Apache-2.0

public import HomaBase
public import HomaWire

/// Arriving packets: who they belong to.
extension Endpoint {
    /// Takes a packet into account and says what to do with its payload.
    ///
    /// The payload must be stored before events are drained, since the packet may complete a message.
    public mutating func receive(_ header: PacketHeader, from address: PeerAddress, at now: Instant) -> Disposition {
        let peer = findPeer(address)
        if let peer {
            if !peers.at(peer).pointee.isValidated { notePayment(header, by: peer) }
            // Who calls a host that has several addresses waits for answers from the one it called.
            if address.local != 0, !header.common.senderID.isServerSide {
                peers.at(peer).pointee.address.local = address.local
            }
        }
        let disposition: Disposition
        if case .data(let data) = header.body {
            disposition = receiveData(header.common, data, from: address, peer: peer, at: now)
        } else {
            disposition = receiveControl(header, from: address, peer: peer, at: now)
        }
        if case .dropped(let reason) = disposition {
            counters.drops[Int(reason.rawValue)] += 1
        } else {
            counters.packetsReceived[Int(header.common.type.rawValue) - 0x10] += 1
        }
        record(header, as: disposition, from: peer, at: now)
        return disposition
    }

    /// A packet of the peer that only the peer can have sent, as it belongs to an RPC: it lives, and speaks so.
    @inline(__always)
    private mutating func note(_ header: CommonHeader, from peer: UInt32, at now: Instant) {
        let record = peers.at(peer)
        record.pointee.liveness.heard(at: now)
        record.pointee.extensionVersion = header.extensions.version
    }

    /// The RPC a packet belongs to, if it comes from the right peer and ports.
    mutating func findRPC(
        _ header: CommonHeader, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) -> Result<UInt32, DropReason> {
        let owner = header.senderID.isServerSide ? peer ?? PeerStore.none : owner(of: header, at: peer)
        let id = header.senderID.peer
        let slot: UInt32
        if id == recentID || hasPlanted(.mixesCalls), recentSlot != RPCStore.none,
            rpcs.at(recentSlot).pointee.owner == owner
        {
            slot = recentSlot
        } else {
            guard let found = rpcs.find(id, owner: owner) else { return .failure(.unknownRPC) }
            slot = found
            recentID = id
            recentSlot = found
        }
        let rpc = rpcs.at(slot)
        guard rpc.pointee.localPort == header.destinationPort, rpc.pointee.peerPort == header.sourcePort else {
            return .failure(.wrongPeer)
        }
        if header.senderID.isServerSide {
            guard let peer else { return .success(slot) }
            note(header, from: peer, at: now)
            if header.extensions.token != 0 { peers.at(peer).pointee.token = header.extensions.token }
            // Only who hears us knows the identifier.
            if !peers.at(peer).pointee.isValidated { validate(peer) }
        } else if rpc.pointee.peer != peer, let refusal = follow(slot, to: address, at: now) {
            return .failure(refusal)
        } else {
            note(header, from: rpc.pointee.peer, at: now)
            if address.local != 0 { rpc.pointee.localAddress = address.local }
            if rpc.pointee.isRetained { resume(slot, at: now) }
        }
        return .success(slot)
    }

    private mutating func receiveData(
        _ header: CommonHeader, _ data: DataFields, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) -> Disposition {
        let disposition: Disposition
        switch findRPC(header, from: address, peer: peer, at: now) {
        case .success(let slot):
            if rpcs.at(slot).pointee.isProbed { noteAnswer(slot, at: now) }
            disposition = acceptData(slot, data, marks: header.extensions.marks, at: now)
        case .failure(.unknownRPC) where !header.senderID.isServerSide:
            disposition = acceptRequest(header, data, from: address, at: now)
        case .failure(let reason):
            disposition = .dropped(reason)
        }
        // Last, so that a packet cannot end the RPC it belongs to before its data counts.
        if let peer = peer ?? findPeer(address) {
            if !data.ack.isEmpty { acknowledged(data.ack, by: header, from: address, peer: peer, at: now) }
            if data.cutoffVersion != cutoffVersion(of: peers.at(peer)) { sendCutoffs(header, to: peer, at: now) }
        }
        return disposition
    }

    private mutating func receiveControl(
        _ header: PacketHeader, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) -> Disposition {
        switch header.body {
        case .freeze:
            return .dropped(.freezeIgnored)
        case .ack(let fields):
            return acceptAcks(header.common, fields, from: address, peer: peer, at: now)
        default: break
        }
        switch findRPC(header.common, from: address, peer: peer, at: now) {
        case .success(let slot):
            if rpcs.at(slot).pointee.isProbed { noteAnswer(slot, at: now) }
            return acceptControl(header, slot, at: now)
        case .failure(.unknownRPC):
            return answerUnknown(header, from: address, peer: peer, at: now)
        case .failure(let reason):
            return .dropped(reason)
        }
    }

    private mutating func acceptControl(_ header: PacketHeader, _ slot: UInt32, at now: Instant) -> Disposition {
        switch header.body {
        case .grant(let fields): acceptGrant(slot, fields, at: now)
        case .resend where rpcs.at(slot).pointee.isClient && header.common.extensions.memory != nil:
            showToken(slot, header.common.extensions, at: now)
        case .resend(let fields): acceptResend(slot, fields, at: now)
        case .rpcUnknown: acceptUnknown(slot, header.common.extensions, at: now)
        case .busy: acceptBusy(slot, header.common.extensions, at: now)
        case .needAck: acceptNeedAck(slot, at: now)
        case .cutoffs(let fields): acceptCutoffs(fields, of: rpcs.at(slot).pointee.peer)
        default: .dropped(.wrongState)
        }
    }

    /// A control packet about an RPC we do not have.
    private mutating func answerUnknown(
        _ header: PacketHeader, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) -> Disposition {
        switch header.body {
        case .resend:
            // A server that has moved asks for what we have under its former address: unknown is the server, not the
            // RPC.
            if peer == nil, isOfThisLife(header.common.senderID) { return .dropped(.unknownPeer) }
            if let peer { forgetFormerLife(header.common, of: peer, at: now) }
            replyUnknown(to: header.common, from: address, peer: peer, at: now)
            return .consumed
        case .needAck:
            // A server that answers from another address than it was called at: its response is not known to be here.
            if peer == nil, isOfThisLife(header.common.senderID) { return .dropped(.unknownPeer) }
            // The response arrived long ago, or the call was given up: the server may forget it.
            replyAck(to: header.common, from: address, peer: peer)
            return .consumed
        case .rpcUnknown where !header.common.senderID.isServerSide:
            return cancelledBefore(header.common, from: peer)
        default:
            return .dropped(.unknownRPC)
        }
    }

    private func isOfThisLife(_ id: RPCID) -> Bool {
        id.isServerSide && id.clientSide.rawValue >= firstID.rawValue && id.clientSide.rawValue < nextID.rawValue
    }

    private mutating func replyAck(to header: CommonHeader, from address: PeerAddress, peer: UInt32?) {
        let fields = peer.map { takeAcks(from: $0) } ?? AckFields(count: 0, records: .init(repeating: .none))
        reply(.ack(fields), to: header, address: address, marks: [])
    }
}

extension DropReason: Error {}
