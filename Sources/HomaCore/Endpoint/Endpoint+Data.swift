// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire

/// DATA packets: new requests, the bytes of messages, and their completion.
extension Endpoint {
    /// The first packet seen of a request.
    mutating func acceptRequest(
        _ header: CommonHeader, _ data: DataFields, from address: PeerAddress, at now: Instant
    ) -> Disposition {
        let known = findPeer(address)
        var client = client(of: header, peer: known)
        let isUnproven = mayBeFromBefore(header, data, client, address, at: now)
        // What is refused now may have run before.
        if isUnproven, isDraining || !isOpen(header.destinationPort) {
            // One word for a request is enough.
            if data.offset == 0 {
                replyUnknown(to: header, from: address, peer: known, isFirst: !data.isRetransmission, at: now)
            }
            return .dropped(.unprovenClient)
        }
        guard isDraining || isOpen(header.destinationPort) else {
            // That says that it has not run.
            if let client, clients.at(client).pointee.finished.isFinished(header.senderID) {
                return .dropped(.finishedBefore)
            }
            refuse(header, from: address, marks: .noSuchPort)
            return .dropped(.noSuchPort)
        }
        guard fits(data) else { return .dropped(.tooLong) }
        let isStranger =
            tuning.amplificationLimit > 0
            && (known.map { peers.at($0).pointee.standing == .stranger } ?? !isProof(header, data, from: address))
        if isStranger, strangersHaveTheirPart(with: data, from: known) {
            return demandProof(header, data, from: address, at: now)
        }
        guard let peer = findOrAddPeer(address, as: isStranger ? .stranger : .validated, at: now) else {
            return isStranger
                ? demandProof(header, data, from: address, at: now)
                : refuseForRoom(header, data, from: address, as: .tooManyPeers)
        }
        if known == nil { notePayment(ofData: data, by: peer) }
        // Who it has dealings with is not told by a packet that anybody can have sent.
        if peers.at(peer).pointee.rpcs == 0 { peers.at(peer).pointee.extensionVersion = header.extensions.version }
        if client == nil { client = addClient(of: header, at: peer, now: now) }
        guard let client else { return refuseForRoom(header, data, from: address, as: .tooManyPeers) }
        noteProven(client, header.senderID, data, at: peer)
        settle(client, at: peer)
        if hasFinished(header, data, client: client, peer: peer, at: now) {
            // A probe has nothing to say about a message that is complete.
            return data.payloadLength == 0 ? .consumed : .dropped(.finishedBefore)
        }
        if isDraining {
            let disposition = refuseToBegin(header, data, from: address)
            if !hasPlanted(.runsRefused) { return disposition }
        }
        // What comes in one packet holds nothing up.
        if data.payloadLength < data.messageLength, exceedsQuota(peer) {
            return refuseForRoom(header, data, from: address, as: .distrustedPeer)
        }
        if let reason = exceededShare(peer, bytes: Int(data.messageLength)) {
            return refuseForRoom(header, data, from: address, as: reason)
        }
        guard
            let slot = addRPC(
                id: header.senderID.peer, peer: peer, client: client, localPort: header.destinationPort,
                peerPort: header.sourcePort, state: .incoming, at: now)
        else { return refuseForRoom(header, data, from: address, as: .tooManyRPCs) }
        peers.at(peer).pointee.unfinishedRequests += 1
        rpcs.at(slot).pointee.localAddress = address.local
        if header.extensions.marks.contains(.oneWay) { rpcs.at(slot).pointee.kind = .markedMessage }
        if data.remaining != .unlimited { noteRemaining(slot, data.remaining, at: now) }
        if isUnproven {
            rpcs.at(slot).pointee.isUnproven = true
            rpcs.at(slot).pointee.cameFirst = data.offset == 0 && !data.isRetransmission
            demandToken(slot, at: now)
        }
        beginIncoming(slot, data, at: now)
        let disposition = acceptBytes(slot, data, at: now)
        // One that came in one packet is complete, and as a message over; the others need watching.
        if rpcs.isLive(slot), rpcs.at(slot).pointee.state == .incoming {
            armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        return disposition
    }

    private func isOpen(_ port: UInt16) -> Bool { port < HomaLimits.firstClientPort && ports.contains(port) }

    /// The client need not wonder, nor send it again at once. One word for a request is enough.
    private mutating func refuseForRoom(
        _ header: CommonHeader, _ data: DataFields, from address: PeerAddress, as reason: DropReason
    ) -> Disposition {
        if data.offset == 0 { refuseNow(header, from: address) }
        return .dropped(reason)
    }

    /// A packet of a message that an RPC we know receives.
    mutating func acceptData(
        _ slot: UInt32, _ data: DataFields, marks: HeaderExtension.Marks, at now: Instant
    ) -> Disposition {
        guard fits(data) else { return .dropped(.tooLong) }
        let rpc = rpcs.at(slot)
        switch rpc.pointee.state {
        case .incoming:
            guard data.messageLength == rpc.pointee.incoming.length else { return .dropped(.lengthMismatch) }
            if rpc.pointee.isUnproven, acceptToken(slot, data, at: now), rpc.pointee.incoming.isComplete {
                complete(slot, at: now)
                return .consumed
            }
        case .outgoing where rpc.pointee.isClient:
            // The first packet of the response: so the request has arrived, whatever was to be sent again.
            move(slot, to: .incoming, at: now)
            if data.isRetransmission { rpc.pointee.sentAt = nil }
            rpc.pointee.isFailure = marks.contains(.failed)
            noteResponse(slot, at: now)
            sendQueue.remove(slot)
            beginIncoming(slot, data, at: now)
        default:
            releaseIfValidated(slot, at: now)
            return .dropped(.duplicate)
        }
        return acceptBytes(slot, data, at: now)
    }

    private mutating func acceptBytes(_ slot: UInt32, _ data: DataFields, at now: Instant) -> Disposition {
        let rpc = rpcs.at(slot)
        guard rpc.pointee.incoming.buffers == .held else {
            noteWithoutRoom(slot, data, at: now)
            return .dropped(.noBuffers)
        }
        if data.payloadLength == 0 { return acceptLossProbe(slot, data, at: now) }
        granter.willReceive(slot)
        let range = data.offset..<data.offset + data.payloadLength
        let arrival = ranges.arrive(range, in: &rpc.pointee.incoming, maximumGaps: tuning.maximumGaps)
        guard case .new(let bytes) = arrival else {
            granter.didReceive(slot, bytes: 0)
            if case .tooManyGaps = arrival { return .dropped(.tooManyGaps) }
            return .dropped(.duplicate)
        }
        // Only what is new is a sign of life: what comes again may be all that its sender has, or wants to send.
        noteProgress(slot, at: now)
        noteData(slot, data, at: now)
        noteArrival(slot, bytes: bytes, at: now)
        assure(slot, at: now)
        postponeProbe(slot, at: now)
        if data.isRetransmission, rpc.pointee.incoming.tailEnd > 0 { acceptTail(slot, data) }
        if rpc.pointee.incoming.missing > 0 { recountLost(slot) }
        noteUnscheduledData(slot)
        let place = placement(rpc.pointee.incoming.lease, offset: data.offset, length: data.payloadLength)
        if rpc.pointee.incoming.isComplete, !rpc.pointee.isUnproven {
            complete(slot, at: now)
        } else {
            granter.didReceive(slot, bytes: bytes)
        }
        return .store(place)
    }

    /// The next probe about the message is due when nothing more has come for long.
    @inline(__always)
    mutating func postponeProbe(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        rpc.pointee.nextProbe = now.advanced(byNanoseconds: tuning.resendAfter)
        if rpc.pointee.probeInterval != tuning.resendAfter {
            // After a back-off the entry in the heap may come up much later than it is now wanted.
            rpc.pointee.probeInterval = tuning.resendAfter
            armTimer(slot, at: rpc.pointee.nextProbe)
        }
    }

    /// Every byte is here, or will be as soon as the driver has stored the present packet.
    private mutating func complete(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        granter.end(slot)
        countHeld(slot, isHeld: false)
        rpc.pointee.incoming.buffers = .none
        if rpc.pointee.isClient {
            completeCall(slot, at: now)
        } else if !isOpen(rpc.pointee.localPort) {
            refuseComplete(slot, at: now)
        } else if rpc.pointee.kind == .call {
            deliverRequest(slot, at: now)
        } else {
            deliverMessage(slot, at: now)
        }
    }

    /// The port was closed while the request arrived: nobody hears of it, and its client is told that it has not run.
    private mutating func refuseComplete(_ slot: UInt32, at now: Instant) {
        let lease = rpcs.at(slot).pointee.incoming.lease
        let hasExtensions = peer(of: slot).pointee.speaksExtensions
        sendControl(.rpcUnknown, for: slot, marks: hasExtensions ? isDraining ? .draining : .noSuchPort : [])
        removeRPC(slot, at: now)
        returnLease(lease)
        buffersReturned(at: now)
    }

    private mutating func deliverRequest(_ slot: UInt32, at now: Instant) {
        move(slot, to: .inService, at: now)
        noteFinished(rpcs.at(slot).pointee.peer)
        // Nothing of it is missing any more: its turn to be asked about must not come.
        forgetProbe(slot)
        awaitApplication(slot)
        counters.requestsDelivered += 1
        events.append(.requestArrived(arrived(slot)))
    }

    /// What the application hears about a complete request or one-way message.
    mutating func arrived(_ slot: UInt32) -> ArrivedRequest {
        let rpc = rpcs.at(slot)
        return ArrivedRequest(
            rpc: rpcs.handle(of: slot), id: rpc.pointee.id, client: peer(of: slot).pointee.address,
            clientPort: rpc.pointee.peerPort, serverPort: rpc.pointee.localPort, lease: rpc.pointee.incoming.lease,
            length: Int(rpc.pointee.incoming.length), wantsResponse: rpc.pointee.kind == .call,
            deadline: rpc.pointee.deadline)
    }

    private mutating func completeCall(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        if rpc.pointee.kind != .call { return dropResponse(slot, at: now) }
        events.append(
            .responseArrived(
                rpc: rpcs.handle(of: slot), cookie: rpc.pointee.cookie, lease: rpc.pointee.incoming.lease,
                length: Int(rpc.pointee.incoming.length), isFailure: rpc.pointee.isFailure))
        counters.callsCompleted += 1
        if rpc.pointee.isFailure { counters.failuresReceived += 1 }
        storeAck(slot)
        removeRPC(slot, at: now)
    }

    /// A one-way message that went as a call has been answered; nobody wants the answer.
    private mutating func dropResponse(_ slot: UInt32, at now: Instant) {
        let lease = rpcs.at(slot).pointee.incoming.lease
        storeAck(slot)
        completeMessage(slot, at: now)
        returnLease(lease)
        buffersReturned(at: now)
    }
}
