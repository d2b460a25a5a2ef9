// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaBuffers
import HomaWire

/// What the application asks for.
extension Endpoint {
    /// Accepts requests on a server port from now on.
    public mutating func openPort(_ port: UInt16) throws(EndpointError) {
        guard port > 0, port < HomaLimits.firstClientPort else { throw .invalidPort(port) }
        guard !ports.contains(port) else { throw .portInUse(port) }
        ports.insert(port)
    }

    /// Accepts no more new requests on the port, or returns a client port. Requests that have not arrived whole are
    /// refused when they have; what has been delivered goes on.
    public mutating func closePort(_ port: UInt16) { ports.remove(port) }

    /// A client port that no one else in this endpoint uses, 0x8000 … 0xFFFF.
    public mutating func allocateClientPort() throws(EndpointError) -> UInt16 {
        for _ in 0..<0x8000 {
            let port = nextClientPort
            nextClientPort = port == .max ? HomaLimits.firstClientPort : port + 1
            if !ports.contains(port) {
                ports.insert(port)
                return port
            }
        }
        throw .noFreeClientPort
    }

    /// From now on, calls to each peer come from a client port that no other can foretell: identifiers follow each
    /// other, so whoever is called knows about those of calls to others, and could answer in their servers' name. Not
    /// where nodes share the ports of a host, each of which belongs to one of them.
    public mutating func hideClientPorts() { hidesClientPorts = true }

    /// Makes a peer known before the first call to it, so that its path MTU can be set in time.
    /// True when it was not known; false also when there is no room for it, which `call` will report.
    public mutating func register(_ address: PeerAddress, at now: Instant) -> Bool {
        findPeer(address) == nil && findOrAddPeer(address, as: .called, at: now) != nil
    }

    /// Starts a call. The payload token stays with the endpoint until `payloadReleased`.
    /// - Throws: `messageLength`, `invalidPort`, `tooManyRPCs` or `tooManyPeers`; then nothing was taken over.
    public mutating func call(_ request: CallRequest, at now: Instant) throws(EndpointError) -> RPCHandle {
        let slot = try begin(request, at: now)
        let isQueued = rpcs.at(slot).pointee.admission == .queued
        armTimer(slot, at: isQueued ? .distantFuture : now.advanced(byNanoseconds: tuning.resendAfter))
        counters.callsStarted += 1
        return rpcs.handle(of: slot)
    }

    /// The record of a call or one-way message, in the send queue.
    mutating func begin(_ request: CallRequest, at now: Instant) throws(EndpointError) -> UInt32 {
        try checkLength(request.length)
        guard request.serverPort > 0 else { throw .invalidPort(request.serverPort) }
        guard request.clientPort >= HomaLimits.firstClientPort else { throw .invalidPort(request.clientPort) }
        guard let peer = findOrAddPeer(request.destination, as: .called, at: now) else {
            throw .tooManyPeers(limit: peers.count)
        }
        guard
            let slot = addRPC(
                id: RPCID(rawValue: 0), peer: peer,
                localPort: request.clientPort ^ peers.at(peer).pointee.portMask, peerPort: request.serverPort,
                state: .outgoing, at: now)
        else { throw .tooManyRPCs(limit: maximumRPCs) }
        let rpc = rpcs.at(slot)
        rpc.pointee.cookie = request.cookie
        rpc.pointee.deadline = request.deadline
        startSending(slot, length: UInt32(request.length), payload: request.payload, at: now)
        admitOrQueue(slot, at: now)
        return slot
    }

    /// Sends the response to a request in service.
    /// - Returns: false when the client has gone; then the payload token was not taken over.
    /// - Throws: `messageLength`.
    public mutating func respond(
        to handle: RPCHandle, length: Int, payload: UInt64, at now: Instant
    ) throws(EndpointError) -> Bool {
        try checkLength(length)
        guard let slot = rpcs.resolve(handle), rpcs.at(slot).pointee.state == .inService else { return false }
        let rpc = rpcs.at(slot)
        move(slot, to: .outgoing, at: now)
        noteProgress(slot, at: now)
        startSending(slot, length: UInt32(length), payload: payload, at: now)
        holdBackUnpaid(slot, at: now)
        // Probes about the request, and their back-off, are over.
        rpc.pointee.nextProbe = now
        rpc.pointee.probeInterval = tuning.acknowledgementDelay
        armTimer(slot, at: now.advanced(byNanoseconds: tuning.acknowledgementDelay))
        counters.responsesStarted += 1
        return true
    }

    /// Answers a request in service by saying that the application failed; the bytes say how.
    /// - Returns: false when the client has gone, or would take the bytes for what it asked for, since it has no
    ///   extensions: then the request is declined, and the payload token was not taken over. That it has them its own
    ///   request must have shown: of its address anybody can say so.
    /// - Throws: `messageLength`.
    public mutating func fail(
        _ handle: RPCHandle, length: Int, payload: UInt64, at now: Instant
    ) throws(EndpointError) -> Bool {
        try checkLength(length)
        guard let slot = rpcs.resolve(handle), !rpcs.at(slot).pointee.isClient,
            clients.at(rpcs.at(slot).pointee.client).pointee.identity != 0
        else {
            decline(handle, at: now)
            return false
        }
        guard try respond(to: handle, length: length, payload: payload, at: now) else { return false }
        rpcs.at(slot).pointee.isFailure = true
        counters.failuresSent += 1
        return true
    }

    /// Drops a request in service unanswered; the client is told at once if it understands that.
    public mutating func decline(_ handle: RPCHandle, at now: Instant) {
        guard let slot = rpcs.resolve(handle), rpcs.at(slot).pointee.state == .inService else { return }
        counters.requestsDeclined += 1
        move(slot, to: .declined, at: now)
        rpcs.at(slot).pointee.lastHeard = now
        sendDeclined(slot)
        armTimer(slot, at: now.advanced(byNanoseconds: tuning.timeout))
    }

    /// Ends a call: queues `callFailed` with `failure`, and tells the server.
    /// - Returns: false when the call is over already.
    @discardableResult
    public mutating func abort(_ handle: RPCHandle, failure: RPCFailure, at now: Instant) -> Bool {
        guard let slot = rpcs.resolve(handle), rpcs.at(slot).pointee.isClient,
            rpcs.at(slot).pointee.state != .lingering
        else { return false }
        tellServer(slot)
        failCall(slot, failure, at: now)
        return true
    }

    /// Ends every RPC without a word to the peers: calls fail as aborted, all payload is released
    /// and all buffers held here go back. For the end of the endpoint's life.
    public mutating func releaseEverything(at now: Instant) {
        var next = rpcs.live(from: 0)
        while let slot = next {
            if rpcs.at(slot).pointee.isClient { failCall(slot, .aborted, at: now) } else { removeRPC(slot, at: now) }
            next = rpcs.live(from: slot + 1)
        }
    }

    private mutating func checkLength(_ length: Int) throws(EndpointError) {
        guard length >= 1, length <= Int(tuning.maximumMessage) else {
            throw .messageLength(length, limit: Int(tuning.maximumMessage))
        }
    }

    /// Field by field, in the record of an RPC that has not sent anything: a message made elsewhere would be copied.
    private mutating func startSending(_ slot: UInt32, length: UInt32, payload: UInt64, at now: Instant) {
        let rpc = rpcs.at(slot)
        let peer = peers.at(rpc.pointee.peer)
        widenIfDue(peer, at: now)
        let segment = peer.pointee.segment
        let unscheduled = unscheduledBytes(to: peer)
        let limit = tuning.unscheduledLimit(length: length, segment: segment, unscheduled: unscheduled)
        rpc.pointee.outgoing.payload = payload
        rpc.pointee.outgoing.length = length
        rpc.pointee.outgoing.segment = segment
        rpc.pointee.outgoing.unscheduled = limit
        rpc.pointee.outgoing.announcesItself =
            length > limit && tuning.isFar(roundTrip: peer.pointee.knownRoundTrip, unscheduled: unscheduled)
        rpc.pointee.outgoing.granted = limit
        rpc.pointee.outgoing.unscheduledPriority = min(
            peer.pointee.unscheduledPriority(length: length), tuning.highestPriority)
        sendQueue.set(slot, remaining: rpc.pointee.outgoing.rank, birth: rpc.pointee.birth)
    }
}
