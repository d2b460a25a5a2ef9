// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire

/// How RPC and peer records begin and end.
extension Endpoint {
    mutating func findPeer(_ address: PeerAddress) -> UInt32? {
        if recentPeer != PeerTable.none, peers.at(recentPeer).pointee.address == address { return recentPeer }
        guard let found = peers.find(address) else { return nil }
        recentPeer = found
        return found
    }

    mutating func findOrAddPeer(_ address: PeerAddress, at now: Instant) -> UInt32? {
        if let found = findPeer(address) { return found }
        guard
            let added = peers.add(
                address, segment: tuning.defaultSegment, questionLimit: tuning.questionsPerPeer,
                idleLimit: tuning.peerIdleLimit, at: now)
        else { return nil }
        if tuning.assumesPeersAlike {
            let peer = peers.at(added.index)
            peer.pointee.extensionVersion = HeaderExtension.currentVersion
            peer.pointee.cutoffs = tuning.cutoffs.cutoffs
            peer.pointee.cutoffs[0] = .max
            peer.pointee.cutoffVersion = tuning.cutoffs.version
        }
        // The evicted record may be the one remembered.
        recentPeer = added.index
        recentSlot = RPCTable.none
        if added.evicted { counters.peersEvicted += 1 }
        events.append(.peerAdded(address))
        return added.index
    }

    mutating func addRPC(
        id: RPCID, peer: UInt32, localPort: UInt16, peerPort: UInt16, state: RPC.State, at now: Instant
    ) -> UInt32? {
        guard let (slot, generation) = rpcs.take() else { return nil }
        rpcs.at(slot).initialize(
            to: RPC(
                id: id, generation: generation, peer: peer, localPort: localPort, peerPort: peerPort, state: state,
                birth: now, lastHeard: now, lastProgress: now, nextProbe: now, probeInterval: tuning.resendAfter))
        if id.rawValue != 0 { index.insert(id, peer: peer, slot: slot) }
        peers.addRPC(peer, isServer: id.isServerSide)
        return slot
    }

    /// Removes every trace of the RPC; its buffers, if any, go back, and its outgoing payload is released.
    mutating func removeRPC(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        forgetQuestion(slot)
        releaseOutgoing(slot)
        if rpc.pointee.state == .incoming || rpc.pointee.isClient { dropIncoming(slot, at: now) }
        if rpc.pointee.isClient {
            if rpc.pointee.id.rawValue != 0 { unlinkCall(slot) }
            releaseAdmission(slot, at: now)
        } else if rpc.pointee.state == .incoming {
            peers.at(rpc.pointee.peer).pointee.unfinishedRequests -= 1
        }
        timers.remove(slot)
        if rpc.pointee.id.rawValue != 0 { index.remove(rpc.pointee.id, peer: rpc.pointee.peer) }
        if recentSlot == slot { recentSlot = RPCTable.none }
        peers.removeRPC(rpc.pointee.peer, isServer: !rpc.pointee.isClient, at: now)
        rpcs.give(slot)
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
            pool?.setWaiting(waiting.count, shard: shard)
            // It may have been its turn, with the others waiting for its sake.
            buffersReturned(at: now)
        case .held:
            granter.end(slot, peers)
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
        peers.at(rpc.pointee.peer).pointee.finished.markFinished(rpc.pointee.id, capacity: tuning.finishedMemory)
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
        removeRPC(slot, at: now)
    }

    // MARK: Calls by age

    /// Gives a call its identifier, at its first packet.
    ///
    /// Identifiers thus rise in the order of first packets. A server that remembers a window of them
    /// (``FinishedMemory``) would else take the first packet of a long message, held back while thousands of shorter
    /// ones left, for a late duplicate.
    mutating func identify(_ slot: UInt32) {
        let rpc = rpcs.at(slot)
        rpc.pointee.id = nextID
        nextID = RPCID(rawValue: nextID.rawValue &+ 2).rounded(toShard: shard, of: shardCount)
        index.insert(rpc.pointee.id, peer: rpc.pointee.peer, slot: slot)
        linkCall(slot)
    }

    private mutating func linkCall(_ slot: UInt32) {
        let peer = peer(of: slot)
        rpcs.at(slot).pointee.olderCall = peer.pointee.newestCall
        if peer.pointee.newestCall == RPCTable.none {
            peer.pointee.oldestCall = slot
        } else {
            rpcs.at(peer.pointee.newestCall).pointee.newerCall = slot
        }
        peer.pointee.newestCall = slot
    }

    private mutating func unlinkCall(_ slot: UInt32) {
        let peer = peer(of: slot)
        let older = rpcs.at(slot).pointee.olderCall
        let newer = rpcs.at(slot).pointee.newerCall
        if older == RPCTable.none { peer.pointee.oldestCall = newer } else { rpcs.at(older).pointee.newerCall = newer }
        if newer == RPCTable.none { peer.pointee.newestCall = older } else { rpcs.at(newer).pointee.olderCall = older }
    }
}
