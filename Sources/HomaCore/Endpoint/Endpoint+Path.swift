// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// The path to each peer: how long its packets may be, and whether they arrive.
///
/// Segments are cut when they are sent, and again when they are sent again: to what the path carries by then. Whoever
/// refuses a packet with a report lowers the size at once. Some paths swallow long packets and tell nobody, since a
/// filter stops the reports of routers. The peer asks, so short packets arrive both ways; and it asks for the same long
/// packet again and again, however often that is sent. Nothing else looks so for long: of other losses and of queues
/// the same packet is seldom the victim four times, and a queue brings other long ones meanwhile, for which there are
/// grants. The packets then are made as short as every path must carry, and longer ones tried later.
extension Endpoint {
    /// Most payload bytes that the path to the RPC's peer carries at present.
    mutating func mostPayload(_ slot: UInt32) -> UInt32 { peer(of: slot).pointee.segment }

    // MARK: What is reported

    /// Sets the Homa packet bytes (header and payload) that the path to a peer carries. Less holds at once, also for
    /// what goes again; more for messages begun from now on. Values outside 128 … the configured cap are brought
    /// inside.
    public mutating func setMaximumPacket(bytes: Int, for address: PeerAddress) {
        guard let peer = findPeer(address) else { return }
        let payload = max(bytes, 128) - DataFields.byteCount
        setSegment(min(UInt32(clamping: payload), tuning.maximumSegment), of: peers.at(peer))
    }

    /// A packet of ours that began at `offset` of its message is too long for its way, says our own host or a router on
    /// it, which carries `bytes` at most. It goes again at once, in pieces, and so does what followed it, which was no
    /// shorter. Each message heeds one such report for each size, since a report comes for many a packet.
    ///
    /// Believed of an RPC that has sent such bytes only: its identifier is known to those who see our packets.
    public mutating func packetRefused(
        by address: PeerAddress, id: RPCID, offset: UInt32, longest bytes: Int, at now: Instant
    ) {
        guard let peer = findPeer(address), let slot = find(id, at: peer) else { return }
        let rpc = rpcs.at(slot)
        guard rpc.pointee.outgoing.length > 0, offset < rpc.pointee.outgoing.next else { return }
        setMaximumPacket(bytes: bytes, for: address)
        peers.at(peer).pointee.askPathAt = now.advanced(byNanoseconds: Self.narrowTime)
        guard mostPayload(slot) < rpc.pointee.outgoing.refused else { return }
        rpc.pointee.outgoing.refused = mostPayload(slot)
        retransmit(
            slot, offset..<rpc.pointee.outgoing.next, priority: rpc.pointee.outgoing.priority(at: offset))
        requeue(slot)
    }

    // MARK: Black holes

    /// Homa's part of a UDP packet over IPv6 of 1280 bytes, which every path carries (RFC 8200, section 5).
    private static var surePacketBytes: Int { 1232 }
    private static var surePayload: UInt32 { UInt32(surePacketBytes - DataFields.byteCount) }
    /// The packet and three that were sent after it are lost (RFC 8899, section 5.1.2: MAX_PROBES).
    private static var telling: UInt8 { 4 }
    /// Then longer packets are tried once more (RFC 8899, section 5.1.1: PMTU_RAISE_TIMER).
    private static var narrowTime: UInt64 { 600_000_000_000 }

    /// New bytes of our messages arrive at the peer, of such as are longer than a packet: so packets arrive that are as
    /// long as the path is taken to carry.
    mutating func noteFullArrived(_ slot: UInt32, at now: Instant) { peer(of: slot).pointee.fullArrivedAt = now }

    /// The peer lacks bytes that have left, from `offset` on.
    mutating func noteAsked(_ slot: UInt32, from offset: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        // One probe asks for several gaps, and may come before what was sent for the last.
        let measured = min(peer(of: slot).pointee.grantTime.bound, tuning.longestMeasuredTimeout)
        guard now.nanoseconds(since: rpc.pointee.outgoing.askedAt) >= max(2 * tuning.resendAfter, measured) else {
            return
        }
        let arrive = peer(of: slot).pointee.fullArrivedAt >= rpc.pointee.outgoing.askedAt
        let isSame = offset == rpc.pointee.outgoing.askedFrom && !arrive
        rpc.pointee.outgoing.askedAt = now
        rpc.pointee.outgoing.askedFrom = offset
        if !isSame { rpc.pointee.outgoing.askedSince = now }
        rpc.pointee.outgoing.askedTimes = isSame ? min(rpc.pointee.outgoing.askedTimes, 100) + 1 : 1
        // While no round trip is known, the same may have been asked for more than once in one.
        let telling = peer(of: slot).pointee.knownRoundTrip == nil ? Self.telling + 1 : Self.telling
        guard rpc.pointee.outgoing.askedTimes >= telling,
            now.nanoseconds(since: rpc.pointee.outgoing.askedSince) >= tuning.timeout / 4
        else { return }
        rpc.pointee.outgoing.askedTimes = 0
        let length = min(rpc.pointee.outgoing.packet(containing: offset).count, Int(mostPayload(slot)))
        if length > Int(Self.surePayload) { narrow(peer(of: slot), at: now) }
    }

    private mutating func narrow(_ peer: UnsafeMutablePointer<Peer>, at now: Instant) {
        counters.blackHolesFound += 1
        peer.pointee.wideSegment = peer.pointee.segment
        peer.pointee.segment = Self.surePayload
        peer.pointee.narrowUntil = now.advanced(byNanoseconds: Self.narrowTime)
    }

    /// A message to the peer begins: it may be time to try what the path carried before, or to ask the system, which
    /// forgets what routers said after such a time.
    mutating func widenIfDue(_ peer: UnsafeMutablePointer<Peer>, at now: Instant) {
        if now >= peer.pointee.askPathAt {
            peer.pointee.askPathAt = .distantFuture
            events.append(.pathWanted(peer.pointee.address))
        }
        guard let end = peer.pointee.narrowUntil, now >= end else { return }
        peer.pointee.narrowUntil = nil
        peer.pointee.segment = peer.pointee.wideSegment
    }

    /// Somebody who knows of links, but not of black holes, says what the path carries.
    mutating func setSegment(_ segment: UInt32, of peer: UnsafeMutablePointer<Peer>) {
        peer.pointee.wideSegment = segment
        peer.pointee.segment = peer.pointee.narrowUntil == nil ? segment : min(segment, Self.surePayload)
    }

    // MARK: Whether packets arrive

    /// So long a refusal that lasts must have been all that came of a peer before it ends the calls, in nanoseconds:
    /// a packet that finds a table full is refused as well, and the next one is not. Those of long ago do not count.
    private static var lastingTime: UInt64 { 50_000_000 }

    /// Somebody says that a packet of ours cannot be delivered. Only a report about an RPC we have counts (`offending`
    /// is the identifier in the packet it quotes), since anybody can forge one.
    ///
    /// What is final ends every call to that peer, and so does what lasts; everything else is kept, for as long as
    /// nothing comes from the peer, as the reason for which its calls will end.
    ///
    /// - Parameter isFirst: the packet is the one with the first byte of the RPC's message.
    public mutating func unreachable(
        _ address: PeerAddress, because refusal: Refusal, offending: RPCID, isFirst: Bool = false, at now: Instant
    ) {
        guard let index = findPeer(address), let slot = find(offending, at: index) else { return }
        let peer = peers.at(index)
        if !peer.pointee.liveness.isRefused || now.nanoseconds(since: peer.pointee.refusedAt) > tuning.timeout {
            peer.pointee.refusedSince = now
        }
        peer.pointee.refusedAt = now
        peer.pointee.refusal = refusal
        peer.pointee.liveness.isRefused = true
        switch refusal.weight {
        case .final:
            if isFirst, refusal.failure == .portUnreachable { noteNotRun(slot, at: now) }
            failCalls(of: index, refusal.failure, at: now)
        case .lasting:
            guard now.nanoseconds(since: peer.pointee.refusedSince) >= Self.lastingTime else { return }
            failCalls(of: index, refusal.failure, at: now)
        case .hint: break
        }
    }

    /// Nobody has the port to which the first packet of the request went. If that was its only one, it has not run.
    private mutating func noteNotRun(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.isClient, rpc.pointee.state == .outgoing, rpc.pointee.lastAsked == .zero else { return }
        failCall(slot, .portClosed, at: now)
    }

    private mutating func failCalls(of peer: UInt32, _ failure: RPCFailure, at now: Instant) {
        while let oldest = peers.at(peer).pointee.calls.first { failCall(oldest, failure, at: now) }
        // Calls that have not begun are in no list of the peer's.
        var next = rpcs.live(from: 0)
        while let slot = next {
            let rpc = rpcs.at(slot)
            if rpc.pointee.isClient, rpc.pointee.peer == peer { failCall(slot, failure, at: now) }
            next = rpcs.live(from: slot + 1)
        }
    }

    /// How a call fails whose server is silent.
    mutating func reasonForSilence(_ slot: UInt32) -> RPCFailure {
        let peer = peer(of: slot)
        guard peer.pointee.liveness.isRefused, let refusal = peer.pointee.refusal else { return .timedOut }
        return refusal.failure
    }

    /// What was said last about packets to a peer, if nothing has come from it since.
    public mutating func refusal(by address: PeerAddress) -> Refusal? {
        guard let peer = findPeer(address), peers.at(peer).pointee.liveness.isRefused else { return nil }
        return peers.at(peer).pointee.refusal
    }
}
