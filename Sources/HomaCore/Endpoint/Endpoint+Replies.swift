// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Control packets that this host sends.
extension Endpoint {
    /// Queues a control packet that belongs to an RPC of ours.
    mutating func sendControl(_ body: PacketBody, for slot: UInt32, marks: HeaderExtension.Marks = []) {
        let rpc = rpcs.at(slot)
        if !rpc.pointee.isClient, !affords(peer(of: slot), bytes: body.type.headerByteCount) { return }
        // As alone as the packet that it asks for, see there.
        let isResend = if case .resend = body { true } else { false }
        enqueueControl(
            PacketHeader(
                sourcePort: rpc.pointee.localPort, destinationPort: rpc.pointee.peerPort, senderID: rpc.pointee.id,
                extensions: ownExtension(marks, tag: tag(of: slot)), body: body),
            to: way(of: slot), bundleBytes: isResend ? 0 : peer(of: slot).pointee.bundleBytes,
            isUnheard: peer(of: slot).pointee.liveness.isUnanswered)
    }

    /// Answers a packet that belongs to no RPC of ours.
    ///
    /// - Parameter memory: with RPC_UNKNOWN, how long we have remembered what ran.
    mutating func reply(
        _ body: PacketBody, to header: CommonHeader, address: PeerAddress, marks: HeaderExtension.Marks,
        memory: UInt64? = nil
    ) {
        if let peer = findPeer(address) {
            guard affords(peers.at(peer), bytes: body.type.headerByteCount) else { return }
        } else if isInsideBundle, tuning.amplificationLimit > 0 {
            // An address without a record has no account: it gets one answer for a datagram.
            counters.packetsWithheld += 1
            return
        }
        var tag = life.identity
        if !header.senderID.isServerSide {
            tag = HeaderExtension.tag(token: token(for: address), memory: memory)
        }
        enqueueControl(
            PacketHeader(
                sourcePort: header.destinationPort, destinationPort: header.sourcePort,
                senderID: header.senderID.peer,
                extensions: ownExtension(marks, tag: tag), body: body),
            to: address)
    }

    /// What an RPC's packets say about us: as a client who we are, as a server the token for whom we answer.
    @inline(__always)
    mutating func tag(of slot: UInt32) -> UInt64 {
        rpcs.at(slot).pointee.isClient ? life.identity : HeaderExtension.tag(token: token(of: peer(of: slot)))
    }

    /// What the peer, or whoever is at an address, has to show to prove that it hears us.
    @inline(__always)
    func token(of peer: UnsafeMutablePointer<Peer>) -> UInt32 {
        max(1, peer.pointee.issued ^ clients.tokenMask)
    }

    mutating func token(for address: PeerAddress) -> UInt32 {
        findPeer(address).map { token(of: peers.at($0)) } ?? max(1, life.token(for: address) ^ clients.tokenMask)
    }

    /// There is no room for the client's request: that need not wonder, and may ask again.
    mutating func refuseNow(_ header: CommonHeader, from address: PeerAddress) {
        reply(.busy, to: header, address: address, marks: header.extensions.version > 0 ? .noRoom : [])
    }

    /// Tells a client that understands it why its request will never be answered.
    mutating func refuse(_ header: CommonHeader, from address: PeerAddress, marks: HeaderExtension.Marks) {
        guard header.extensions.version > 0 else { return }
        reply(.rpcUnknown, to: header, address: address, marks: marks)
    }

    mutating func enqueueControl(
        _ header: PacketHeader, to address: PeerAddress, bundleBytes: UInt32 = 0, isUnheard: Bool = false
    ) {
        guard controlPackets.count < Self.maximumControlPackets else { return }
        controlPackets.append(
            OutgoingPacket(
                header: header, peer: address, priority: tuning.controlPriority, bundleBytes: bundleBytes,
                isUnheard: isUnheard))
    }

    /// Every packet shows that we understand extensions; the marks go only to those who showed it too.
    mutating func ownExtension(_ marks: HeaderExtension.Marks, tag: UInt64) -> HeaderExtension {
        HeaderExtension(
            version: shardCount == 1 ? HeaderExtension.currentVersion : HeaderExtension.versionWithoutBundles,
            marks: marks, tag: tag)
    }

    mutating func sendDeclined(_ slot: UInt32) {
        guard peer(of: slot).pointee.speaksExtensions || hasPlanted(.marksForAll) else { return }
        sendControl(.rpcUnknown, for: slot, marks: .requestDropped)
    }

    mutating func sendResend(_ slot: UInt32, offset: UInt32, length: Int32, priority: UInt8) {
        sendControl(
            .resend(ResendFields(offset: offset, length: length, priority: priority)), for: slot,
            marks: rpcs.at(slot).pointee.isClient ? marks(of: slot) : [])
    }

    mutating func sendCutoffs(_ header: CommonHeader, to peer: UInt32, at now: Instant) {
        let record = peers.at(peer)
        // News is for those who send now; the same again can wait.
        let version = cutoffVersion(of: record)
        let isNews = record.pointee.sentCutoffVersion != version
        guard isNews || now >= record.pointee.nextCutoffs else { return }
        // What comes now may have left before the last was there.
        record.pointee.cutoffRepeats = isNews ? 0 : min(record.pointee.cutoffRepeats + 1, 6)
        record.pointee.nextCutoffs = now.advanced(byNanoseconds: 1_000_000 << UInt64(record.pointee.cutoffRepeats))
        record.pointee.sentCutoffVersion = version
        var table = announcedCutoffs
        table.version = version
        reply(.cutoffs(table), to: header, address: record.pointee.address, marks: [])
    }

    /// Asks for everything that should have arrived and has not. False when there is nothing to ask for.
    mutating func requestMissing(_ slot: UInt32, at now: Instant) -> Bool {
        let rpc = rpcs.at(slot)
        let priority = tuning.controlPriority
        switch rpc.pointee.incoming.buffers {
        case .waiting: return false
        case .none:
            guard rpc.pointee.isClient, rpc.pointee.outgoing.next > 0 else { return false }
            sendResend(slot, offset: 0, length: ResendFields.everything, priority: priority)
            return true
        case .held: break
        }
        if rpc.pointee.isUnproven {
            demandToken(slot, at: now)
            return true
        }
        askedForAll(slot)
        let message = rpc.pointee.incoming
        var gap = message.gaps.head
        var asked = 0
        // A few gaps at a time: the rest follows when these are filled.
        while asked < 16, let (range, next) = ranges.node(gap) {
            sendResend(slot, offset: range.lowerBound, length: Int32(range.count), priority: priority)
            gap = next
            asked += 1
        }
        if message.end < message.granted {
            requestTail(slot, priority: priority)
            asked += 1
        }
        return asked > 0
    }
}
