// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// At most once, for ever: who a client is, whether its request has run, and what a client may do when its server does
/// not know a request.
///
/// A client states 64 random bits with every packet: they, not its address, say whose request it is. So a
/// client that moves is known again, and its requests do not run a second time; nobody who does not hear it can speak
/// in its name. What has run is remembered in the client's record (``Client``).
///
/// A server that cannot remember, since it has started or given up records, says how long its memory is. A client whose
/// request left before that fails, as it may have run; any other shows the token that proves that it wants the request
/// now: so no late duplicate of a former life runs. A server asks for the token for some time after its memory began
/// (`memoryProbation`), as long as such duplicates may come, and delivers nothing before it has it.
///
/// A client without extensions is known by its address, and begins a new life as `mayHaveRestarted` tells.
extension Endpoint {
    // MARK: At the server: who it is

    /// Whether the packet comes from a client that says who it is.
    @inline(__always)
    static func isNamed(_ header: CommonHeader) -> Bool {
        !header.senderID.isServerSide && header.extensions.version > 0 && header.extensions.identity != 0
    }

    /// A packet about a request here comes from another peer than the request: the client has another address, and is
    /// answered there from now on. That holds for this request only, as a client may have several addresses at a time.
    ///
    /// - Returns: why the packet is not one about the request, if so: `unknownRPC` if that is not known any more, as
    ///   what arrives is counted with the peer that it is granted to, and has to arrive anew from another.
    mutating func follow(_ slot: UInt32, to address: PeerAddress, at now: Instant) -> DropReason? {
        guard rpcs.at(slot).pointee.state != .incoming else {
            removeRPC(slot, at: now)
            return .unknownRPC
        }
        guard let peer = findOrAddPeer(address, as: .stranger, at: now) else { return .tooManyPeers }
        let rpc = rpcs.at(slot)
        forgetProbe(slot)
        peers.addRPC(peer, isServer: true)
        peers.removeRPC(rpc.pointee.peer, isServer: true, at: now)
        rpc.pointee.peer = peer
        counters.requestsMoved += 1
        settle(rpc.pointee.client, at: peer)
        return nil
    }

    /// The peer's client is no longer there.
    private mutating func leave(_ peer: UInt32) {
        peers.at(peer).pointee.client = ClientStore.none
        peers.at(peer).pointee.identity = 0
    }

    /// The client is sought first at the peer's address from now on.
    mutating func settle(_ client: UInt32, at peer: UInt32) {
        let last = clients.at(client).pointee.peer
        if last == peer { return }
        if last != PeerStore.none, peers.at(last).pointee.client == client { leave(last) }
        clients.at(client).pointee.peer = peer
        let record = peers.at(peer)
        guard clients.at(client).pointee.identity != 0 else {
            record.pointee.unnamedClient = client
            return
        }
        // One that was there before may still have requests here, and is known if it comes again.
        let former = record.pointee.client
        if former != ClientStore.none, former != client { clients.at(former).pointee.peer = PeerStore.none }
        record.pointee.client = client
        record.pointee.identity = clients.at(client).pointee.identity
    }

    /// The client of a request's first packet, if it is known.
    mutating func client(of header: CommonHeader, peer: UInt32?) -> UInt32? {
        if Self.isNamed(header) && !hasPlanted(.ignoresIdentity) {
            if let peer, peers.at(peer).pointee.identity == header.extensions.identity {
                return peers.at(peer).pointee.client
            }
            return clients.find(header.extensions.identity)
        }
        guard let peer, peers.at(peer).pointee.unnamedClient != ClientStore.none else { return nil }
        return peers.at(peer).pointee.unnamedClient
    }

    /// - Returns: nil when there is no room.
    mutating func addClient(of header: CommonHeader, at peer: UInt32, now: Instant) -> UInt32? {
        let identity = Self.isNamed(header) && !hasPlanted(.ignoresIdentity) ? header.extensions.identity : 0
        var abandoned = PeerStore.none
        let newFrom = isOnProbation(at: now) ? UInt64.max : 0
        let added = clients.add(identity: identity, newFrom: newFrom, at: now) {
            abandoned = $0.pointee.peer
        }
        guard let added else { return nil }
        // The record that was given up had the number of the new one.
        if abandoned != PeerStore.none {
            let record = peers.at(abandoned)
            if record.pointee.client == added {
                record.pointee.client = ClientStore.none
                record.pointee.identity = 0
            }
            if record.pointee.unnamedClient == added { record.pointee.unnamedClient = ClientStore.none }
        }
        settle(added, at: peer)
        return added
    }

    /// The record of a peer has gone. A client that says who it is will be known wherever it comes from.
    mutating func forgetClients(of peer: Peer) {
        if peer.client != ClientStore.none { clients.at(peer.client).pointee.peer = PeerStore.none }
        if peer.unnamedClient != ClientStore.none { clients.remove(peer.unnamedClient) }
    }

    /// Under whom a packet's RPC is found, of which we are the server.
    @inline(__always)
    mutating func owner(of header: CommonHeader, at peer: UInt32?) -> UInt32 {
        guard Self.isNamed(header), !hasPlanted(.ignoresIdentity) else {
            return RPC.owner(client: peer.map { peers.at($0).pointee.unnamedClient } ?? ClientStore.none)
        }
        if let peer, peers.at(peer).pointee.identity == header.extensions.identity {
            return RPC.owner(client: peers.at(peer).pointee.client)
        }
        return RPC.owner(client: clients.find(header.extensions.identity) ?? ClientStore.none)
    }

    /// An RPC of ours with the peer, as client or server.
    mutating func find(_ id: RPCID, at peer: UInt32) -> UInt32? {
        if !id.isServerSide { return rpcs.find(id, owner: peer) }
        let record = peers.at(peer).pointee
        return rpcs.find(id, owner: RPC.owner(client: record.client))
            ?? rpcs.find(id, owner: RPC.owner(client: record.unnamedClient))
    }

    // MARK: At the server: what has run

    /// Whether this server's memory is so young that duplicates may come of what ran before.
    func isOnProbation(at now: Instant) -> Bool {
        now.nanoseconds(since: clients.completeSince) < tuning.memoryProbation
    }

    /// Whether the packet may be a duplicate of something that ran before this server's memory began: its client is
    /// unknown, or had used the identifier before it became known, and nothing shows that it wants the request now.
    mutating func mayBeFromBefore(
        _ header: CommonHeader, _ data: DataFields, _ client: UInt32?, _ address: PeerAddress, at now: Instant
    ) -> Bool {
        if let client, header.senderID.rawValue >= clients.at(client).pointee.newFrom { return false }
        guard Self.isNamed(header), isOnProbation(at: now) else { return false }
        return data.proof == 0 || data.proof != token(for: address) || hasPlanted(.refusesProof)
    }

    /// A client has shown that it hears us: what it sends from now on is no duplicate of what it sent before we began.
    ///
    /// - Parameter id: of a request that showed it, in the client's form.
    @discardableResult
    mutating func noteProven(_ client: UInt32, _ id: RPCID, _ data: DataFields, at peer: UInt32) -> Bool {
        guard data.proof != 0, data.proof == token(of: peers.at(peer)), !hasPlanted(.refusesProof) else {
            return false
        }
        let record = clients.at(client)
        record.pointee.newFrom = min(record.pointee.newFrom, id.rawValue &+ 2 * UInt64(data.unusedDistance))
        return true
    }

    /// Asks the client of a request whether it wants it now; so is a client asked by RESEND that says how long our
    /// memory is.
    mutating func demandToken(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        let peer = peer(of: slot)
        guard affords(peer, bytes: PacketType.resend.headerByteCount) else { return }
        let memory = now.nanoseconds(since: clients.completeSince)
        enqueueControl(
            PacketHeader(
                sourcePort: rpc.pointee.localPort, destinationPort: rpc.pointee.peerPort, senderID: rpc.pointee.id,
                extensions: ownExtension(
                    rpc.pointee.cameFirst ? .toFirst : [],
                    tag: HeaderExtension.tag(token: token(of: peer), memory: memory)),
                body: .resend(ResendFields(offset: 0, length: 1, priority: tuning.controlPriority))),
            to: way(of: slot))
    }

    /// Whether a packet of a request that waits for it shows the token.
    mutating func acceptToken(_ slot: UInt32, _ data: DataFields, at now: Instant) -> Bool {
        let rpc = rpcs.at(slot)
        guard noteProven(rpc.pointee.client, rpc.pointee.id.peer, data, at: rpc.pointee.peer) else { return false }
        rpc.pointee.isUnproven = false
        // It was asked for when the request began to arrive.
        noteAtMost(now.nanoseconds(since: rpc.pointee.birth), slot, at: now)
        // It may have been taken for silent meanwhile.
        guard rpc.pointee.incoming.buffers == .held else { return true }
        granter.willReceive(slot)
        granter.hear(slot)
        granter.didReceive(slot, bytes: 0)
        return true
    }

    /// Whether the request ran before, or must be taken to have.
    mutating func hasFinished(
        _ header: CommonHeader, _ data: DataFields, client: UInt32, peer: UInt32, at now: Instant
    ) -> Bool {
        guard tuning.finishedMemory > 0, !hasPlanted(.forgetsFinished) else { return false }
        let record = clients.at(client)
        if header.extensions.version > 0, let floor = data.oldestUnfinishedID(for: header.senderID) {
            record.pointee.finished.noteStatedFloor(floor)
        }
        // Kernel clients begin their identifiers at 2 again after a restart, and cannot tell us. One that asked for
        // nothing for a while, and then with an identifier far below its last, has restarted: no duplicate comes as
        // late as that.
        if record.pointee.finished.isBelowWindow(header.senderID), mayHaveRestarted(peer, header, at: now) {
            record.pointee.finished.reset()
        }
        return record.pointee.finished.isFinished(header.senderID)
    }

    /// A client without extensions that has nothing here, and had nothing for a while.
    private mutating func mayHaveRestarted(_ peer: UInt32, _ header: CommonHeader, at now: Instant) -> Bool {
        header.extensions.version == 0 && peers.at(peer).pointee.serverRPCs == 0
            && now.nanoseconds(since: peers.at(peer).pointee.lastServed) >= tuning.peerRestartSilence
    }

    /// A client asks about a request that ran long ago: it waits for the answer now, as no duplicate does. One without
    /// extensions has begun its identifiers anew, and is as a client that has never been seen.
    mutating func forgetFormerLife(_ header: CommonHeader, of peer: UInt32, at now: Instant) {
        let client = peers.at(peer).pointee.unnamedClient
        guard client != ClientStore.none, !header.senderID.isServerSide,
            clients.at(client).pointee.finished.isFinished(header.senderID), mayHaveRestarted(peer, header, at: now)
        else { return }
        clients.at(client).pointee.finished.reset()
    }

    /// RPC_UNKNOWN: a client then sends its request again, so one that must not run again is told to give up instead.
    ///
    /// - Parameter isFirst: in answer to DATA that went for the first time.
    mutating func replyUnknown(
        to header: CommonHeader, from address: PeerAddress, peer: UInt32?, isFirst: Bool = false, at now: Instant
    ) {
        var marks: HeaderExtension.Marks = isFirst && header.extensions.version > 0 ? .toFirst : []
        if !header.senderID.isServerSide, header.extensions.version > 0, let client = client(of: header, peer: peer),
            clients.at(client).pointee.finished.isFinished(header.senderID)
        {
            // A message of which it is certain that it was delivered: the acknowledgement was lost.
            if header.extensions.marks.contains(.oneWay),
                !clients.at(client).pointee.finished.isBelowWindow(header.senderID)
            {
                return reply(.ack(AckFields()), to: header, address: address, marks: [])
            }
            marks = .requestStale
        } else if !header.senderID.isServerSide, isFull(for: peer) {
            // If it sent the request again, there would still be no room.
            return refuseNow(header, from: address)
        }
        let isProbed = !header.senderID.isServerSide && tuning.memoryProbation > 0
        let memory = isProbed ? now.nanoseconds(since: clients.completeSince) : nil
        reply(.rpcUnknown, to: header, address: address, marks: marks, memory: memory)
    }

    // MARK: At the client

    /// The server does not know the call. It is sent again, unless it may have run: as far as the server's memory
    /// reaches back, what it does not know has not run there.
    mutating func acceptUnknown(_ slot: UInt32, _ extensions: HeaderExtension, at now: Instant) -> Disposition {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.isClient else { return clientForgot(slot, at: now) }
        if extensions.version > 0, let failure = RPCFailure(extensions.marks) {
            if failure == .requestDropped {
                storeAck(slot)
                // A message that went as a call has arrived, and nobody asked for an answer.
                if rpc.pointee.kind != .call {
                    completeMessage(slot, at: now)
                    return .consumed
                }
            }
            failCall(slot, failure, at: now)
            return .consumed
        }
        guard rpc.pointee.state == .outgoing else { return .dropped(.wrongState) }
        if failsAsRestarted(slot, extensions, at: now) { return .consumed }
        noteLacking(slot)
        noteAnswered(slot, at: now)
        let sent = rpc.pointee.outgoing.next
        // Of several packets that were on their way each is answered so. What is sent again now is not known to the
        // server before a round trip has passed: that takes no less than this answer, if it is to the last of them.
        if sent > 0, now >= rpc.pointee.outgoing.ignoresUnknownUntil {
            let (first, last) = (rpc.pointee.lastProgress, rpc.pointee.lastAsked)
            let since = extensions.marks.contains(.toFirst) ? first : max(first, last)
            let roundTrip = min(now.nanoseconds(since: since), tuning.longestResendTimeout)
            rpc.pointee.outgoing.ignoresUnknownUntil = now.advanced(byNanoseconds: roundTrip / 4 * 3)
            noteAsked(slot, from: 0, at: now)
            // A server that takes the first packet asks for the others, if it understands that they do not follow, or
            // else after a while. One that does not take it is not sent all of it again and again.
            let isShort = extensions.version > 0 && tuning.adaptsTimers || rpc.pointee.outgoing.wasUnknown
            rpc.pointee.outgoing.wasUnknown = true
            let again = isShort ? min(sent, rpc.pointee.outgoing.segment) : sent
            retransmit(slot, 0..<again, priority: rpc.pointee.outgoing.unscheduledPriority)
            requeue(slot)
        }
        return .consumed
    }

    /// The server has the request, and cannot tell whether it ran before its memory began. It gets the token, unless
    /// the request may have.
    mutating func showToken(_ slot: UInt32, _ extensions: HeaderExtension, at now: Instant) -> Disposition {
        let rpc = rpcs.at(slot)
        if failsAsRestarted(slot, extensions, at: now) { return .consumed }
        // An answer that has begun is to this request, which has run then.
        guard rpc.pointee.state != .incoming, rpc.pointee.outgoing.next > 0 else { return .dropped(.wrongState) }
        noteAnswered(slot, at: now)
        guard now >= rpc.pointee.outgoing.ignoresUnknownUntil else { return .consumed }
        let roundTrip = min(now.nanoseconds(since: rpc.pointee.outgoing.begunAt), tuning.longestResendTimeout)
        rpc.pointee.outgoing.ignoresUnknownUntil = now.advanced(byNanoseconds: roundTrip / 4 * 3)
        noteAsked(slot, from: 0, at: now)
        retransmit(slot, 0..<1, priority: rpc.pointee.outgoing.unscheduledPriority)
        requeue(slot)
        return .consumed
    }

    /// Whether that is the end of the call, or of this answer.
    private mutating func failsAsRestarted(_ slot: UInt32, _ extensions: HeaderExtension, at now: Instant) -> Bool {
        let rpc = rpcs.at(slot)
        guard let memory = extensions.memory, rpc.pointee.outgoing.isFullySent,
            mayHaveRun(slot, memory, extensions, at: now), !hasPlanted(.ignoresRestart)
        else { return false }
        // What has waited here says how long the memory was when it came: the next answer will tell.
        let age = now.nanoseconds(since: rpc.pointee.outgoing.begunAt)
        if age > memory &+ longestWait(at: now) { failCall(slot, .peerRestarted, at: now) }
        return true
    }

    /// Whether the call may have begun before the memory of its server did, which says how long that is.
    ///
    /// It did not if it was younger than the memory when the probe left to which this is the answer, and is still so
    /// young that the server cannot have started anew since (``Tuning/restartTime``): how long either was on its way
    /// does not matter then. Of several probes it is not known which was answered: the last counts, unless the answer
    /// says that it is to the first packet. What one answer tells about the server holds for all calls to it.
    private mutating func mayHaveRun(
        _ slot: UInt32, _ memory: UInt64, _ extensions: HeaderExtension, at now: Instant
    ) -> Bool {
        let rpc = rpcs.at(slot)
        let peer = peer(of: slot)
        let latest = Instant(nanoseconds: now.nanoseconds - min(memory, now.nanoseconds))
        // A second more than was known, and it has begun anew: the server had to forget somebody.
        let isSame =
            peer.pointee.memoryToken == extensions.token
            && latest.nanoseconds(since: min(latest, peer.pointee.memoryBegan)) < 1_000_000_000
        peer.pointee.memoryToken = extensions.token
        peer.pointee.memoryBegan = isSame ? min(peer.pointee.memoryBegan, latest) : latest
        let begun = rpc.pointee.outgoing.begunAt
        if begun >= peer.pointee.memoryBegan { return false }
        if now.nanoseconds(since: begun) > Tuning.restartTime { return true }
        let last = max(rpc.pointee.lastProgress, rpc.pointee.lastAsked)
        if !extensions.marks.contains(.toFirst), last.nanoseconds(since: begun) > memory { return true }
        peer.pointee.memoryBegan = begun
        return false
    }
}

extension RPCFailure {
    /// What the marks on an RPC_UNKNOWN packet say about the call, if anything.
    init?(_ marks: HeaderExtension.Marks) {
        if marks.contains(.requestDropped) {
            self = .requestDropped
        } else if marks.contains(.requestStale) {
            self = .refusedAsStale
        } else if marks.contains(.noSuchPort) {
            self = .noSuchPort
        } else if marks.contains(.draining) {
            self = .serverDraining
        } else {
            return nil
        }
    }
}
