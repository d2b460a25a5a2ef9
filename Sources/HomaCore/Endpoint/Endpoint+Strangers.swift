// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire

/// Strangers pay first: what is sent to an address, and kept for it, before it is known who is there.
///
/// Anybody can put any sender's address on a packet. An address is validated when something comes from it that can only
/// be known from a packet sent there: the identifier of a call of ours, the token that our packets carry, or, from a
/// peer without extensions, the version of CUTOFFS, which differs from address to address. Until then no more than
/// `amplificationLimit` bytes go there for each that came, and all such addresses together have an eighth of the peer
/// records, of the RPC records and of the receive memory.
///
/// Most need not wait for it: the response to a short request fits into what the request paid for. Of one that does not
/// as much leaves as fits, and the client is asked to send the last packet of its request again, with CUTOFFS before if
/// it has no extensions; either dialect gives proof with that. A request for which strangers have too much already is
/// not kept: RPC_UNKNOWN has it sent again, with proof.
extension Endpoint {
    /// IP and UDP headers of a packet: what an attacker has to send as well, and his victim gets.
    private func carriageBytes(of address: PeerAddress) -> Int { address.isIPv4 ? headerBytes : headerBytes + 20 }
    /// CUTOFFS, and RESEND after it.
    private static var challengeBytes: Int {
        PacketType.cutoffs.headerByteCount + PacketType.resend.headerByteCount
    }
    /// Versions that an address may be wrong about before its word no longer counts: a few may have been announced to
    /// it in a former life of ours.
    private static var mostGuesses: UInt8 { 16 }
    private static var part: Int { 8 }
    /// A client shows its token again after so long, in nanoseconds: its record here may have been given up.
    private static var showInterval: UInt64 { 1_000_000_000 }

    // MARK: Who is there

    /// A packet came from an address that is not validated: more may be sent there.
    mutating func notePayment(_ header: PacketHeader, by peer: UInt32) {
        if case .data(let data) = header.body {
            noteProof(header.common, data, by: peer)
            notePayment(ofData: data, by: peer)
        } else {
            notePayment(bytes: header.byteCount, by: peer)
        }
    }

    mutating func notePayment(ofData data: DataFields, by peer: UInt32) {
        notePayment(bytes: DataFields.byteCount + Int(data.payloadLength), by: peer)
    }

    private mutating func notePayment(bytes: Int, by peer: UInt32) {
        let record = peers.at(peer)
        // The packets of a bundle come under the same headers as the first.
        let carriage = isInsideBundle ? PacketBundle.lengthByteCount : carriageBytes(of: record.pointee.address)
        let bytes = bytes + carriage
        record.pointee.allowance = UInt32(
            clamping: UInt64(record.pointee.allowance) + UInt64(bytes) * UInt64(tuning.amplificationLimit))
    }

    private mutating func noteProof(_ header: CommonHeader, _ data: DataFields, by peer: UInt32) {
        let record = peers.at(peer)
        if header.extensions.version > 0 {
            if data.proof != 0, data.proof == token(of: record) { validate(peer) }
        } else if data.cutoffVersion != 0, record.pointee.guesses < Self.mostGuesses {
            if data.cutoffVersion == cutoffVersion(of: record) {
                validate(peer)
            } else if data.cutoffVersion != record.pointee.guess {
                record.pointee.guess = data.cutoffVersion
                record.pointee.guesses += 1
            }
        }
    }

    /// Whether the first packet from an address proves that whoever is there hears us.
    mutating func isProof(_ header: CommonHeader, _ data: DataFields, from address: PeerAddress) -> Bool {
        if header.extensions.version > 0 { return data.proof != 0 && data.proof == token(for: address) }
        return data.cutoffVersion != 0 && data.cutoffVersion == cutoffVersion(token: token(for: address))
    }

    /// Whoever is at the peer's address hears what is sent there.
    mutating func validate(_ peer: UInt32) {
        guard !peers.at(peer).pointee.isValidated else { return }
        raise(peer, to: .validated)
        counters.addressesValidated += 1
        if !peers.at(peer).pointee.isOnTrial(tuning) { granter.reviseTrials(ofHost: peers.at(peer).pointee.host) }
    }

    /// Whether a client's packet is to show the token that its server has given it, and acknowledges nothing then.
    @inline(__always)
    func showsToken(_ peer: UnsafeMutablePointer<Peer>, at now: Instant) -> Bool {
        guard peer.pointee.token != 0 else { return false }
        if let shown = peer.pointee.tokenShown, now.nanoseconds(since: shown) < Self.showInterval { return false }
        peer.pointee.tokenShown = now
        return true
    }

    /// The version of our CUTOFFS as the peer is told it: who states it has heard it there.
    @inline(__always)
    func cutoffVersion(of peer: UnsafeMutablePointer<Peer>) -> UInt16 { cutoffVersion(token: token(of: peer)) }

    @inline(__always)
    private func cutoffVersion(token: UInt32) -> UInt16 {
        guard tuning.amplificationLimit > 0 else { return cutoffs.current.version }
        let mixed = cutoffs.current.version &+ UInt16(truncatingIfNeeded: token >> 16 ^ token)
        return mixed == 0 ? 1 : mixed
    }

    // MARK: What is kept for them

    /// Whether strangers have so much that this one's request must wait until it is known who asks.
    mutating func strangersHaveTheirPart(with data: DataFields, from peer: UInt32?) -> Bool {
        let strangers = peers.strangers
        let isIdle = peer.map { peers.at($0).pointee.rpcs == 0 } ?? true
        if isIdle, peers.hasEnoughStrangers { return true }
        if strangers.requests >= max(1, maximumRPCs / Self.part) { return true }
        guard let pool else { return false }
        return strangers.heldBytes + Int(data.messageLength)
            > pool.configuration.regionLength / Self.part / shardCount
    }

    /// Has a request sent again with proof, and keeps nothing for it. One word for a request is enough.
    mutating func demandProof(
        _ header: CommonHeader, _ data: DataFields, from address: PeerAddress, at now: Instant
    ) -> Disposition {
        if data.offset == 0 {
            if header.extensions.version == 0 {
                var table = announcedCutoffs
                table.version = cutoffVersion(token: token(for: address))
                reply(.cutoffs(table), to: header, address: address, marks: [])
            }
            let isFirst = !data.isRetransmission && header.extensions.version > 0
            reply(
                .rpcUnknown, to: header, address: address, marks: isFirst ? .toFirst : [],
                memory: tuning.memoryProbation > 0 ? now.nanoseconds(since: clients.completeSince) : nil)
        }
        return .dropped(.unprovenClient)
    }

    // MARK: What is sent to them

    /// Whether a packet may go to the peer now; if so it is paid for.
    @inline(__always)
    mutating func affords(_ peer: UnsafeMutablePointer<Peer>, bytes: Int) -> Bool {
        peer.pointee.isValidated || spend(UInt32(bytes + carriageBytes(of: peer.pointee.address)), of: peer)
    }

    /// What a DATA packet costs besides its payload.
    private func dataOverhead(to address: PeerAddress) -> UInt32 {
        UInt32(DataFields.byteCount + carriageBytes(of: address))
    }

    private mutating func spend(_ bytes: UInt32, of peer: UnsafeMutablePointer<Peer>) -> Bool {
        guard tuning.amplificationLimit > 0 else { return true }
        guard peer.pointee.allowance >= bytes else {
            counters.packetsWithheld += 1
            return false
        }
        peer.pointee.allowance -= bytes
        return true
    }

    /// Whether what is asked for again may go to the client. If not, that is asked for proof instead.
    mutating func affordsAgain(_ slot: UInt32, _ range: Range<UInt32>, at now: Instant) -> Bool {
        let peer = peer(of: slot)
        guard !peer.pointee.isValidated, tuning.amplificationLimit > 0 else { return true }
        let segment = min(rpcs.at(slot).pointee.outgoing.segment, mostPayload(slot))
        let bytes = UInt32(packets(of: slot, covering: range).count)
        let overhead = (bytes + segment - 1) / segment * dataOverhead(to: peer.pointee.address)
        if spend(bytes + overhead, of: peer) { return true }
        challenge(slot, at: now)
        return false
    }

    /// A response begins: what its client has not paid for waits until that has shown that it is there.
    mutating func holdBackUnpaid(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        let peer = peer(of: slot)
        guard !peer.pointee.isValidated, tuning.amplificationLimit > 0 else { return }
        let overhead = dataOverhead(to: peer.pointee.address)
        let packet = rpc.pointee.outgoing.segment + overhead
        let unscheduled = rpc.pointee.outgoing.unscheduled
        let packets = (unscheduled + rpc.pointee.outgoing.segment - 1) / rpc.pointee.outgoing.segment
        let whole = unscheduled + packets * overhead
        if unscheduled == rpc.pointee.outgoing.length, whole <= peer.pointee.allowance {
            peer.pointee.allowance -= whole
            return
        }
        let reserve = UInt32(Self.challengeBytes + 2 * carriageBytes(of: peer.pointee.address))
        let spare = peer.pointee.allowance - min(peer.pointee.allowance, reserve)
        let paid = min(spare / packet, packets - 1)
        peer.pointee.allowance -= paid * packet
        rpc.pointee.outgoing.granted = paid * rpc.pointee.outgoing.segment
        rpc.pointee.outgoing.isHeldBack = true
        counters.responsesHeldBack += 1
        requeue(slot)
        challenge(slot, at: now)
    }

    /// Asks the client of a response that is held back for something that proves that it is there.
    mutating func challenge(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        let peer = peer(of: slot)
        if !peer.pointee.speaksExtensions {
            var table = announcedCutoffs
            table.version = cutoffVersion(of: peer)
            peer.pointee.sentCutoffVersion = table.version
            sendControl(.cutoffs(table), for: slot)
        }
        sendResend(slot, offset: rpc.pointee.incoming.length - 1, length: 1, priority: tuning.controlPriority)
    }

    /// The response goes on if its client is known to be there by now.
    mutating func releaseIfValidated(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.outgoing.isHeldBack, peer(of: slot).pointee.isValidated else { return }
        // It was asked when the response began, or later.
        noteAtMost(now.nanoseconds(since: rpc.pointee.lastProgress), slot, at: now)
        rpc.pointee.outgoing.isHeldBack = false
        rpc.pointee.outgoing.granted = rpc.pointee.outgoing.unscheduled
        requeue(slot)
    }
}
