// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire

/// Requests that nobody waits for any more: their clients have given them up, or said at the beginning until when they
/// would wait.
///
/// Work for them is work for nothing, and what they hold here is kept from others. A client that gives a call up says
/// so with RPC_UNKNOWN, once: the word may be lost, and then the server finds out when it sends its response. A
/// deadline needs no word, as every packet of a request carries the time that is left.
extension Endpoint {
    // MARK: At the client

    /// What a request's packets say about the time that is left for it.
    @inline(__always)
    func remainingTime(of rpc: UnsafeMutablePointer<RPC>, at now: Instant) -> RemainingTime {
        guard rpc.pointee.deadline != .distantFuture, rpc.pointee.isClient else { return .unlimited }
        return RemainingTime(nanoseconds: rpc.pointee.deadline.nanoseconds(since: now))
    }

    /// Tells every server of a call under way that nobody waits for it any more, without ending it here. For the end
    /// of the endpoint's life.
    public mutating func sendCancellations() {
        var next = rpcs.live(from: 0)
        while let slot = next {
            if rpcs.at(slot).pointee.isClient, rpcs.at(slot).pointee.state != .lingering { tellServer(slot) }
            next = rpcs.live(from: slot + 1)
        }
    }

    /// A server that has anything of the request hears that its client gives it up.
    mutating func tellServer(_ slot: UInt32) {
        guard rpcs.at(slot).pointee.outgoing.next > 0 else { return }
        sendControl(.rpcUnknown, for: slot, marks: peer(of: slot).pointee.speaksExtensions ? .cancelled : [])
    }

    // MARK: At the server

    /// The first packet of a request says how long its client will wait.
    ///
    /// By this host's clock, which may run faster than the client's by some parts in ten thousand: a little more than
    /// that is added, for a client that is told at the last moment must not find its request gone.
    @inline(__always)
    mutating func noteRemaining(_ slot: UInt32, _ remaining: RemainingTime, at now: Instant) {
        guard let time = remaining.nanoseconds, !hasPlanted(.ignoresRemaining) else { return }
        let end = now.advanced(byNanoseconds: time)
        rpcs.at(slot).pointee.deadline = end.advanced(byNanoseconds: time / 1024)
    }

    /// The application has the request, and only its deadline may end that.
    @inline(__always)
    mutating func awaitApplication(_ slot: UInt32) {
        guard rpcs.at(slot).pointee.deadline != .distantFuture else { return timers.remove(slot) }
        armTimer(slot, at: .distantFuture)
    }

    /// The time that somebody gave for the RPC is over.
    mutating func deadlinePassed(_ slot: UInt32, at now: Instant) {
        guard !rpcs.at(slot).pointee.isClient else {
            abort(rpcs.handle(of: slot), failure: .deadlineExceeded, at: now)
            return
        }
        switch rpcs.at(slot).pointee.state {
        case .incoming:
            // It has not run, and may if its client has another opinion of the time and sends it again.
            counters.requestsExpired += 1
            return removeRPC(slot, at: now)
        case .inService: counters.requestsExpired += 1
        // The answer may have arrived long ago.
        case .outgoing, .declined, .lingering: break
        }
        abandon(slot, .deadlinePassed, at: now)
    }

    /// The client has said that it has given the call up.
    mutating func clientForgot(_ slot: UInt32, at now: Instant) -> Disposition {
        counters.requestsCancelled += 1
        abandon(slot, .cancelled, at: now)
        return .consumed
    }

    /// Nobody waits for the response: everything of the request goes, and it is remembered as finished, also where a
    /// part of it is missing, so that a packet that comes late does not begin it again.
    private mutating func abandon(_ slot: UInt32, _ reason: AbandonmentReason, at now: Instant) {
        let rpc = rpcs.at(slot)
        if rpc.pointee.state == .inService {
            let event = EndpointEvent.requestAbandoned(
                rpc: rpcs.handle(of: slot), serverPort: rpc.pointee.localPort, reason: reason)
            events.append(event)
            if hasPlanted(.abandonsTwice) { events.append(event) }
        }
        finishServerRPC(slot, at: now)
    }

    /// A client gives up a request of which nothing is here. If it has overtaken the request, that must not run when it
    /// comes. Of a client that is not known nothing can be remembered.
    ///
    /// The mark tells it from an answer to RESEND: anybody can have a client send those, about any identifier, and what
    /// is remembered about identifiers that it has not reached would shut it out.
    mutating func cancelledBefore(_ header: CommonHeader, from peer: UInt32?) -> Disposition {
        guard Self.isNamed(header), header.extensions.marks.contains(.cancelled),
            let client = client(of: header, peer: peer)
        else { return .dropped(.unknownRPC) }
        clients.at(client).pointee.finished.markFinished(header.senderID, capacity: tuning.finishedMemory)
        return .consumed
    }
}
