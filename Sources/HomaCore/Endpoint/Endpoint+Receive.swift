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
        if let peer { note(header.common.extensions, from: peer, at: now) }
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

    private mutating func note(_ extensions: HeaderExtension, from peer: UInt32, at now: Instant) {
        let record = peers.at(peer)
        record.pointee.liveness.heard(at: now)
        record.pointee.extensionVersion = extensions.version
        guard extensions.incarnation != 0, extensions.incarnation != record.pointee.incarnation else { return }
        if record.pointee.incarnation != 0 { record.pointee.restartSeen = now }
        record.pointee.incarnation = extensions.incarnation
    }

    /// The RPC a packet belongs to, if it comes from the right peer and ports.
    mutating func findRPC(_ header: CommonHeader, peer: UInt32?) -> Result<UInt32, DropReason> {
        guard let peer else { return .failure(.unknownRPC) }
        let id = header.senderID.peer
        let slot: UInt32
        if id == recentID || hasPlanted(.mixesCalls), recentSlot != RPCStore.none,
            rpcs.at(recentSlot).pointee.peer == peer
        {
            slot = recentSlot
        } else {
            guard let found = rpcs.find(id, peer: peer) else { return .failure(.unknownRPC) }
            slot = found
            recentID = id
            recentSlot = found
        }
        let rpc = rpcs.at(slot)
        guard rpc.pointee.localPort == header.destinationPort, rpc.pointee.peerPort == header.sourcePort else {
            return .failure(.wrongPeer)
        }
        return .success(slot)
    }

    private mutating func receiveData(
        _ header: CommonHeader, _ data: DataFields, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) -> Disposition {
        let disposition: Disposition
        switch findRPC(header, peer: peer) {
        case .success(let slot):
            if rpcs.at(slot).pointee.isAsked { noteAnswer(slot, at: now) }
            disposition = acceptData(slot, data, at: now)
        case .failure(.unknownRPC) where !header.senderID.isServerSide:
            disposition = acceptRequest(header, data, from: address, at: now)
        case .failure(let reason):
            disposition = .dropped(reason)
        }
        // Last, so that a packet cannot end the RPC it belongs to before its data counts.
        let isStale = data.cutoffVersion != cutoffs.current.version
        if !data.ack.isEmpty || isStale, let peer = findPeer(address) {
            if !data.ack.isEmpty { acknowledged(data.ack, by: peer, at: now) }
            if isStale { sendCutoffs(header, to: peer, at: now) }
        }
        return disposition
    }

    private mutating func receiveControl(
        _ header: PacketHeader, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) -> Disposition {
        switch header.body {
        case .freeze:
            return .dropped(.freezeIgnored)
        case .cutoffs(let fields):
            return acceptCutoffs(fields, peer: peer)
        case .ack(let fields):
            return acceptAcks(header.common, fields, peer: peer, at: now)
        default: break
        }
        switch findRPC(header.common, peer: peer) {
        case .success(let slot):
            if rpcs.at(slot).pointee.isAsked { noteAnswer(slot, at: now) }
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
        case .resend(let fields): acceptResend(slot, fields, at: now)
        case .rpcUnknown: acceptUnknown(slot, header.common.extensions, at: now)
        case .busy: acceptBusy(slot, header.common.extensions, at: now)
        case .needAck: acceptNeedAck(slot, at: now)
        default: .dropped(.wrongState)
        }
    }

    /// A control packet about an RPC we do not have.
    private mutating func answerUnknown(
        _ header: PacketHeader, from address: PeerAddress, peer: UInt32?, at now: Instant
    ) -> Disposition {
        switch header.body {
        case .resend:
            if let peer { forgetFormerLife(header.common, of: peer, at: now) }
            replyUnknown(to: header.common, from: address, peer: peer)
            return .consumed
        case .needAck:
            // The response arrived long ago, or the call was given up: the server may forget it.
            replyAck(to: header.common, from: address, peer: peer)
            return .consumed
        default:
            return .dropped(.unknownRPC)
        }
    }

    /// RPC_UNKNOWN: a client then sends its request again, so one that must not run again is told to give up instead.
    private mutating func replyUnknown(to header: CommonHeader, from address: PeerAddress, peer: UInt32?) {
        var marks: HeaderExtension.Marks = []
        if let peer, !header.senderID.isServerSide, peers.at(peer).pointee.speaksExtensions,
            peers.at(peer).pointee.finished.isFinished(header.senderID)
        {
            // A message of which it is certain that it was delivered: the acknowledgement was lost.
            if header.extensions.marks.contains(.oneWay),
                !peers.at(peer).pointee.finished.isBelowWindow(header.senderID)
            {
                return reply(.ack(AckFields()), to: header, address: address, marks: [])
            }
            marks = .requestStale
        } else if !header.senderID.isServerSide, isFull(for: peer) {
            // If it sent the request again, there would still be no room.
            return reply(.busy, to: header, address: address, marks: [])
        }
        reply(.rpcUnknown, to: header, address: address, marks: marks)
    }

    private mutating func replyAck(to header: CommonHeader, from address: PeerAddress, peer: UInt32?) {
        let fields = peer.map { takeAcks(from: $0) } ?? AckFields(count: 0, records: .init(repeating: .none))
        reply(.ack(fields), to: header, address: address, marks: [])
    }
}

extension DropReason: Error {}
