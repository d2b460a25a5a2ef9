// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire

/// How RPC and peer records begin and end.
extension Endpoint {
    mutating func findPeer(_ address: PeerAddress) -> UInt32? {
        if recentPeer != PeerStore.none, peers.at(recentPeer).pointee.address == address { return recentPeer }
        guard let found = peers.find(address) else { return nil }
        recentPeer = found
        return found
    }

    /// Where packets about an RPC go, and from which of the own addresses: a call's server is reached from whichever
    /// the system chooses, which may change.
    @inline(__always)
    mutating func way(of slot: UInt32) -> PeerAddress {
        var address = peer(of: slot).pointee.address
        address.local = rpcs.at(slot).pointee.localAddress
        return address
    }

    /// - Parameter standing: what the peer is at least from now on.
    mutating func findOrAddPeer(_ address: PeerAddress, as standing: Peer.Standing, at now: Instant) -> UInt32? {
        let standing: Peer.Standing = tuning.amplificationLimit == 0 ? .validated : standing
        if let found = findPeer(address) {
            if peers.at(found).pointee.standing.rawValue < standing.rawValue { raise(found, to: standing) }
            return found
        }
        guard
            let added = peers.add(
                address, as: standing, segment: tuning.defaultSegment, probeLimit: tuning.probesPerPeer,
                idleLimit: tuning.peerIdleLimit, at: now)
        else { return nil }
        let peer = peers.at(added.index)
        reviseBytesUnderWay(peer)
        peer.pointee.incomingPath = IncomingPath(tuning)
        if tuning.assumesPeersAlike {
            peer.pointee.extensionVersion = HeaderExtension.currentVersion
            peer.pointee.cutoffs = tuning.cutoffs.cutoffs
            peer.pointee.cutoffs[0] = .max
            peer.pointee.cutoffVersion = tuning.cutoffs.version
        }
        peer.pointee.issued = life.token(for: address)
        if hidesClientPorts { peer.pointee.portMask = life.portMask(for: address) }
        // The evicted record may be the one remembered.
        recentPeer = added.index
        recentSlot = RPCStore.none
        if let evicted = added.evicted {
            forgetClients(of: evicted)
            counters.peersEvicted += 1
        }
        if standing != .stranger { events.append(.pathWanted(address)) }
        return added.index
    }

    /// More is known about the peer than before. What costs the driver a system call is not done for strangers.
    mutating func raise(_ peer: UInt32, to standing: Peer.Standing) {
        if peers.at(peer).pointee.standing == .stranger { events.append(.pathWanted(peers.at(peer).pointee.address)) }
        peers.raise(peer, to: standing)
    }

    mutating func addRPC(
        id: RPCID, peer: UInt32, client: UInt32 = ClientStore.none, localPort: UInt16, peerPort: UInt16,
        state: RPC.State, at now: Instant
    ) -> UInt32? {
        let rpc = RPC(
            id: id, peer: peer, client: client, localPort: localPort, peerPort: peerPort, state: state, birth: now,
            lastHeard: now,
            lastProgress: now, nextProbe: now, probeInterval: tuning.resendAfter)
        guard let slot = rpcs.add(rpc) else { return nil }
        record(.state, slot, detail: state.rawValue, UInt32(UInt8.max), at: now)
        peers.addRPC(peer, isServer: id.isServerSide)
        if client != ClientStore.none { clients.addRPC(client) }
        return slot
    }

    /// The one place where an RPC's state changes.
    mutating func move(_ slot: UInt32, to state: RPC.State, at now: Instant) {
        let rpc = rpcs.at(slot)
        assert(
            rpc.pointee.state.successors(isClient: rpc.pointee.isClient).contains(state),
            "an RPC goes from \(rpc.pointee.state) to \(state)")
        record(.state, slot, detail: state.rawValue, UInt32(rpc.pointee.state.rawValue), at: now)
        rpc.pointee.state = state
    }

    /// Removes every trace of the RPC; its buffers, if any, go back, and its outgoing payload is released.
    mutating func removeRPC(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        record(.ended, slot, detail: rpc.pointee.state.rawValue, at: now)
        forgetProbe(slot)
        if rpc.pointee.isRetained { endRetention(slot) }
        releaseOutgoing(slot)
        if rpc.pointee.state == .incoming || rpc.pointee.isClient { dropIncoming(slot, at: now) }
        if rpc.pointee.isClient {
            if rpc.pointee.id.rawValue != 0 { peer(of: slot).pointee.calls.remove(slot, rpcs.view) }
            releaseAdmission(slot, at: now)
        } else if rpc.pointee.state == .incoming {
            peers.at(rpc.pointee.peer).pointee.unfinishedRequests -= 1
        }
        timers.remove(slot)
        if recentSlot == slot { recentSlot = RPCStore.none }
        if rpc.pointee.client != ClientStore.none { clients.removeRPC(rpc.pointee.client, at: now) }
        peers.removeRPC(rpc.pointee.peer, isServer: !rpc.pointee.isClient, at: now)
        rpcs.remove(slot)
    }

    private mutating func releaseOutgoing(_ slot: UInt32) {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.outgoing.length > 0 else { return }
        sendQueue.remove(slot)
        ranges.clear(&rpc.pointee.outgoing.resends)
        events.append(.payloadReleased(rpc.pointee.outgoing.payload))
        if hasPlanted(.releasesTwice) { events.append(.payloadReleased(rpc.pointee.outgoing.payload)) }
        rpc.pointee.outgoing.length = 0
    }

    /// Forgets a partly received message and returns its buffers.
    private mutating func dropIncoming(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        endUnscheduled(slot)
        ranges.clear(&rpc.pointee.incoming.gaps)
        switch rpc.pointee.incoming.buffers {
        case .none: break
        case .waiting:
            waiting.remove(slot)
            peers.wait(rpc.pointee.peer, -1)
            pool?.setWaiting(waiting.count, shard: shard)
            // It may have been its turn, with the others waiting for its sake.
            buffersReturned(at: now)
        case .held:
            granter.end(slot)
            countHeld(slot, isHeld: false)
            let lease = rpc.pointee.incoming.lease
            rpc.pointee.incoming.buffers = .none
            if !hasPlanted(.keepsLease) { returnLease(lease) }
            buffersReturned(at: now)
        }
        rpc.pointee.incoming.buffers = .none
    }

    mutating func returnLease(_ lease: BufferLease) {
        guard let pool else { return }
        do { _ = try pool.release(lease) } catch { preconditionFailure("the core returned a lease twice: \(error)") }
    }

    /// A server RPC is over: remembers that it ran, so that no duplicate runs again.
    mutating func finishServerRPC(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        clients.at(rpc.pointee.client).pointee.finished.markFinished(rpc.pointee.id, capacity: tuning.finishedMemory)
        removeRPC(slot, at: now)
    }

    mutating func failCall(_ slot: UInt32, _ failure: RPCFailure, at now: Instant) {
        let rpc = rpcs.at(slot)
        // Its end has been told already.
        if rpc.pointee.state == .lingering { return removeRPC(slot, at: now) }
        events.append(.callFailed(rpc: rpcs.handle(of: slot), cookie: rpc.pointee.cookie, failure: failure))
        if hasPlanted(.endsTwice) {
            events.append(.callFailed(rpc: rpcs.handle(of: slot), cookie: rpc.pointee.cookie, failure: failure))
        }
        counters.callsFailed += 1
        record(.failed, slot, detail: failure.rawValue, at: now)
        removeRPC(slot, at: now)
    }

    // MARK: Calls by age

    /// Gives a call its identifier, at its first packet.
    ///
    /// Identifiers thus rise in the order of first packets. A server that remembers a window of them
    /// (``FinishedMemory``) would else take the first packet of a long message, held back while thousands of shorter
    /// ones left, for a late duplicate.
    mutating func identify(_ slot: UInt32) {
        rpcs.identify(slot, as: nextID)
        nextID = RPCID(rawValue: nextID.rawValue &+ 2).rounded(toShard: shard, of: shardCount)
        peer(of: slot).pointee.calls.append(slot, rpcs.view)
    }
}
