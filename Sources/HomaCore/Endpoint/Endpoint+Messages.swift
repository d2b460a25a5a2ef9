// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import HomaWire

/// One-way messages: requests that want no response.
///
/// Towards a peer that has shown our extensions, every packet of the message carries the mark `oneWay`; the peer
/// delivers the message once and acknowledges it. Towards any other the message goes as a call, and the response
/// is thrown away: so nothing is lost on a peer that does not understand.
extension Endpoint {
    /// Starts to send a message that wants no response; `messageSent` or `callFailed` tells how it ended.
    ///
    /// At the receiver it comes as `messageArrived`, exactly once; as `requestArrived`, to be answered with
    /// anything, if the receiver had not shown our extensions when the message began.
    /// - Throws: `messageLength`, `invalidPort`, `tooManyRPCs` or `tooManyPeers`; then nothing was taken over.
    public mutating func send(_ request: CallRequest, at now: Instant) throws(EndpointError) -> RPCHandle {
        let slot = try begin(request, at: now)
        let rpc = rpcs.at(slot)
        rpc.pointee.kind = .message
        counters.messagesStarted += 1
        if rpc.pointee.admission == .queued {
            armTimer(slot, at: .distantFuture)
        } else if needsTimer(slot) {
            armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
        return rpcs.handle(of: slot)
    }

    /// What goes at once, and is forgotten then, needs no timer.
    private mutating func needsTimer(_ slot: UInt32) -> Bool {
        let rpc = rpcs.at(slot)
        return !forgetsWhenSent || rpc.pointee.outgoing.granted < rpc.pointee.outgoing.length
            || rpc.pointee.deadline != .distantFuture
    }

    /// Nothing is kept of messages whose last byte has left.
    private var forgetsWhenSent: Bool {
        mutating get {
            !tuning.acknowledgesMessages && tuning.unacknowledgedRetention == 0 && tuning.assumesPeersAlike
        }
    }

    /// The first packet of a message leaves: whether its packets carry the mark is decided for good.
    mutating func chooseKind(_ slot: UInt32, at now: Instant) {
        if peer(of: slot).pointee.speaksExtensions {
            rpcs.at(slot).pointee.kind = .markedMessage
        } else if !timers.contains(slot) {
            armTimer(slot, at: now.advanced(byNanoseconds: tuning.resendAfter))
        }
    }

    /// Marks of a message's packets, and of the probes about it.
    mutating func marks(of slot: UInt32) -> HeaderExtension.Marks {
        let rpc = rpcs.at(slot)
        if rpc.pointee.kind == .markedMessage { return .oneWay }
        return rpc.pointee.isFailure && !rpc.pointee.isClient && !hasPlanted(.hidesFailure) ? .failed : []
    }

    // MARK: At the sender

    /// The last byte of a message has left for the first time.
    mutating func messageHasLeft(_ slot: UInt32, at now: Instant) {
        guard !tuning.acknowledgesMessages || hasPlanted(.reportsEarly), rpcs.at(slot).pointee.kind == .markedMessage
        else { return }
        counters.messagesSent += 1
        events.append(.messageSent(rpc: rpcs.handle(of: slot), cookie: rpcs.at(slot).pointee.cookie))
        if tuning.unacknowledgedRetention == 0 { return removeRPC(slot, at: now) }
        rpcs.at(slot).pointee.deadline = .distantFuture
        move(slot, to: .lingering, at: now)
        rpcs.at(slot).pointee.lastHeard = now
        armTimer(slot, at: now.advanced(byNanoseconds: tuning.unacknowledgedRetention))
    }

    /// Nobody may ask for the message any more.
    mutating func linger(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        if sendQueue.contains(slot) { rpc.pointee.lastHeard = now }
        let end = rpc.pointee.lastHeard.advanced(byNanoseconds: tuning.unacknowledgedRetention)
        if now >= end { removeRPC(slot, at: now) } else { armTimer(slot, at: end) }
    }

    /// The receiver has the message, or has answered it as a call.
    mutating func completeMessage(_ slot: UInt32, at now: Instant) {
        let rpc = rpcs.at(slot)
        if rpc.pointee.state != .lingering {
            counters.messagesSent += 1
            events.append(.messageSent(rpc: rpcs.handle(of: slot), cookie: rpc.pointee.cookie))
        }
        removeRPC(slot, at: now)
    }

    /// The receiver says that a message of ours has arrived.
    mutating func messageAcknowledged(_ header: CommonHeader, by peer: UInt32, at now: Instant) {
        guard let slot = rpcs.find(header.senderID.peer, owner: peer) else { return }
        let rpc = rpcs.at(slot)
        guard rpc.pointee.kind == .markedMessage, rpc.pointee.outgoing.isFullySent,
            rpc.pointee.peerPort == header.sourcePort, rpc.pointee.localPort == header.destinationPort
        else { return }
        if rpc.pointee.isProbed { noteAnswer(slot, at: now) }
        noteResponse(slot, at: now)
        completeMessage(slot, at: now)
    }

    // MARK: At the receiver

    /// A message is complete: it is delivered, remembered, and forgotten.
    mutating func deliverMessage(_ slot: UInt32, at now: Instant) {
        move(slot, to: .inService, at: now)
        noteFinished(rpcs.at(slot).pointee.peer)
        counters.messagesDelivered += 1
        events.append(.messageArrived(arrived(slot)))
        if tuning.acknowledgesMessages { sendControl(.ack(AckFields()), for: slot) }
        if hasPlanted(.forgetsMessages) { return removeRPC(slot, at: now) }
        finishServerRPC(slot, at: now)
    }
}
