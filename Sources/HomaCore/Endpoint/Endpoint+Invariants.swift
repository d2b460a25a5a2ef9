// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers

/// What must be true between any two calls.
extension Endpoint {
    /// Traps when the endpoint's records, lists and sums do not agree. Looks at everything: for tests, and for samples
    /// of a node that is being debugged.
    ///
    /// Conservation above all: whatever is counted in one place is there in another. What a peer is said to have under
    /// way, asked, granted, or left unfinished is added up from the RPCs, and so are the bytes on their way to this
    /// host and the ranges in use.
    public mutating func checkInvariants() {
        rpcs.checkInvariants()
        peers.checkInvariants()
        clients.checkInvariants()
        checkClients()
        var sums = [PeerSums](repeating: PeerSums(), count: Int(peers.highWater))
        var incomingBytes = 0
        var ranges = 0
        var waitingForBuffers = 0
        var waitingOfHost = [UInt32](repeating: 0, count: Int(peers.hosts.highWater))
        var sending = 0
        var retainedBytes = 0
        var retainedCount = 0
        var next = rpcs.live(from: 0)
        while let slot = next {
            check(slot)
            let rpc = rpcs.at(slot).pointee
            precondition(peers.isLive(rpc.peer), "an RPC's peer is forgotten")
            sums[Int(rpc.peer)].add(rpc)
            incomingBytes += Int(rpc.incoming.counted)
            ranges += Int(rpc.incoming.gaps.count) + Int(rpc.outgoing.resends.count)
            if rpc.incoming.buffers == .waiting {
                waitingForBuffers += 1
                waitingOfHost[Int(peers.at(rpc.peer).pointee.host)] += 1
            }
            if sendQueue.contains(slot) { sending += 1 }
            if rpc.isRetained {
                precondition(!rpc.isClient && rpc.state == .outgoing, "something that is no response is retained")
                retainedBytes += Int(rpc.outgoing.length)
                retainedCount += 1
            }
            next = rpcs.live(from: slot + 1)
        }
        precondition(granter.totalIncoming == incomingBytes, "bytes on their way: sum and messages differ")
        precondition(self.ranges.used == ranges, "\(self.ranges.used) ranges in use, \(ranges) in messages")
        precondition(waiting.count == waitingForBuffers, "\(waiting.count) wait for buffers, not \(waitingForBuffers)")
        precondition(sendQueue.count == sending, "the send queue holds an RPC that is gone")
        precondition(timers.count <= rpcs.count, "a timer without an RPC")
        precondition(
            retained.list.count == retainedCount && retained.bytes == retainedBytes, "retained answers are miscounted")
        retained.list.checkInvariants(rpcs.view)
        granter.checkInvariants(peers)
        var host = peers.hosts.live(from: 0)
        while let index = host {
            precondition(
                peers.hosts.at(index).pointee.waiting == waitingOfHost[Int(index)],
                "a host's waiting messages are miscounted")
            host = peers.hosts.live(from: index + 1)
        }
        var known = peers.live(from: 0)
        while let peer = known {
            sums[Int(peer)].check(peers.at(peer), rpcs.view)
            known = peers.live(from: peer + 1)
        }
    }

    /// Clients and peers know of each other, and clients count their requests.
    private mutating func checkClients() {
        var requests = [UInt32](repeating: 0, count: Int(clients.highWater))
        var next = rpcs.live(from: 0)
        while let slot = next {
            let rpc = rpcs.at(slot).pointee
            precondition(rpc.isClient == (rpc.client == ClientStore.none), "a request without a client")
            if !rpc.isClient {
                precondition(clients.isLive(rpc.client), "a request's client is forgotten")
                requests[Int(rpc.client)] += 1
            }
            next = rpcs.live(from: slot + 1)
        }
        var known = clients.live(from: 0)
        while let client = known {
            let record = clients.at(client).pointee
            precondition(record.rpcs == requests[Int(client)], "a client's requests are miscounted")
            if record.peer != PeerStore.none {
                precondition(peers.isLive(record.peer), "a client's peer is forgotten")
                let peer = peers.at(record.peer).pointee
                precondition(peer.client == client || peer.unnamedClient == client, "a client is not at its peer")
            }
            known = clients.live(from: client + 1)
        }
        var peer = peers.live(from: 0)
        while let index = peer {
            let record = peers.at(index).pointee
            precondition(record.issued == life.token(for: record.address), "a peer has another address's token")
            precondition((record.client == ClientStore.none) == (record.identity == 0), "a peer without a client")
            if record.client != ClientStore.none {
                precondition(clients.at(record.client).pointee.identity == record.identity, "a peer with two clients")
            }
            peer = peers.live(from: index + 1)
        }
    }

    /// One RPC: it has an owner of its next step, and its state fits what it holds.
    private mutating func check(_ slot: UInt32) {
        let rpc = rpcs.at(slot).pointee
        // Only the application can end what it works on. A message that is forgotten once it has left waits for that
        // alone.
        let isForgotten = rpc.kind != .call && sendQueue.contains(slot)
        let isTimed = rpc.state != .inService || rpc.deadline != .distantFuture
        precondition(timers.contains(slot) == isTimed || isForgotten, "an RPC in \(rpc.state) has no next step")
        precondition(rpc.admission != .queued || rpc.id.rawValue == 0, "a call began and still waits")
        precondition(rpc.admission == .none || rpc.isClient, "a server's RPC is in the client's admission")
        if sendQueue.contains(slot) {
            precondition(rpc.outgoing.length > 0 && rpc.outgoing.isSendable, "an RPC without bytes is to send")
            precondition(rpc.admission != .queued, "a call that waits for admission is to send")
        }
        precondition(
            !rpc.outgoing.isHeldBack || !rpc.isClient && rpc.outgoing.granted < rpc.outgoing.unscheduled,
            "what is held back is not a response, or nothing is")
        let incoming = rpc.incoming
        precondition(incoming.received <= incoming.end && incoming.end <= incoming.length, "a message beyond its end")
        precondition(
            incoming.buffers == .none || rpc.state == .incoming, "an RPC in \(rpc.state) holds receive buffers")
        precondition(
            rpc.state != .incoming || !incoming.isComplete || rpc.isUnproven, "a complete message is not delivered")
        precondition(
            incoming.grantState == .none || incoming.buffers == .held, "a message without buffers is to be granted to")
        if incoming.buffers == .held {
            let wantsGrants = incoming.needsGrants && !incoming.isStalled
            precondition(wantsGrants == (incoming.grantState != .none), "the granter has forgotten a message")
            precondition(wantsGrants == incoming.ageLinks.isLinked, "a message is not among the grantable by age")
            precondition(!incoming.isStalled || incoming.counted == 0, "a silent message holds others back")
        }
    }
}

/// What a peer's record counts, added up from its RPCs.
private struct PeerSums {
    var rpcs: UInt32 = 0
    var serverRPCs: UInt32 = 0
    var unfinishedRequests: UInt32 = 0
    var incoming: UInt32 = 0
    var heldBytes = 0
    var probes: UInt32 = 0
    var calls = 0
    var probesDue = 0
    var admitted: UInt32 = 0
    var queued: UInt32 = 0

    mutating func add(_ rpc: RPC) {
        rpcs += 1
        if !rpc.isClient { serverRPCs += 1 }
        if !rpc.isClient, rpc.state == .incoming { unfinishedRequests += 1 }
        incoming += rpc.incoming.expected
        if !rpc.isClient, rpc.incoming.buffers == .held { heldBytes += Int(rpc.incoming.length) }
        if rpc.isProbed { probes += 1 }
        if rpc.isClient, rpc.id.rawValue != 0 { calls += 1 }
        if rpc.probeLinks.isLinked { probesDue += 1 }
        switch rpc.admission {
        case .none: break
        case .queued: queued += 1
        case .admitted, .handedOver: admitted += 1
        }
    }

    func check(_ peer: UnsafeMutablePointer<Peer>, _ records: SlabView<RPC>) {
        precondition(peer.pointee.rpcs == rpcs, "a peer counts \(peer.pointee.rpcs) RPCs and has \(rpcs)")
        precondition(peer.pointee.serverRPCs == serverRPCs, "a peer's requests here are miscounted")
        precondition(peer.pointee.unfinishedRequests == unfinishedRequests, "a peer's unfinished requests")
        precondition(peer.pointee.heldBytes == heldBytes, "memory for a peer's requests")
        precondition(peer.pointee.incoming == incoming, "bytes on their way from a peer")
        precondition(peer.pointee.outstandingProbes == probes, "a peer's probes are miscounted")
        precondition(peer.pointee.calls.count == calls, "a call is not among its peer's")
        precondition(peer.pointee.probesDue.count == probesDue, "an RPC waits for a probe in no list")
        peer.pointee.calls.checkInvariants(records)
        peer.pointee.probesDue.checkInvariants(records)
        peer.pointee.admission.checkInvariants(records)
        precondition(
            peer.pointee.admission.unfinished == admitted && peer.pointee.admission.waiting == queued,
            "a peer's admitted or queued calls are miscounted")
    }
}
