// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaBuffers
internal import HomaCore

/// From the protocol to the application.
extension Engine {
    /// Carries out one event.
    func tell(_ event: EndpointEvent) {
        switch event {
        case .responseArrived(_, let cookie, let lease, let length, let isFailure):
            let message = received(lease, length)
            let outcome: CallOutcome = isFailure ? .failure(message) : .response(message)
            state.pointee.calls.remove(cookie)?.finish(outcome, at: state.pointee.now)
        case .callFailed(_, let cookie, let failure):
            guard let call = state.pointee.calls.remove(cookie) else { break }
            call.finish(.failed(failure, refusal(of: call)), at: state.pointee.now)
        case .requestArrived(let request):
            let message = received(request.lease, request.length)
            noteDelivery(of: request.rpc)
            if let sink = state.pointee.ports[request.serverPort] {
                sink.deliver(request, message)
            } else {
                state.pointee.endpoint.decline(request.rpc, at: state.pointee.now)
            }
        case .messageArrived(let request):
            // Where nobody takes it, the buffers go back with this value.
            let message = received(request.lease, request.length)
            state.pointee.ports[request.serverPort]?.deliver(request, message)
        case .messageSent(_, let cookie):
            state.pointee.calls.remove(cookie)?.finish(.delivered, at: state.pointee.now)
        case .payloadReleased(let token): releasePayload(token)
        case .requestAbandoned(let rpc, let port, _):
            state.pointee.counters.abandonedRequests &+= 1
            noteAbandonment(of: rpc)
            state.pointee.ports[port]?.abandoned(rpc)
        case .pathWanted(let peer): learnMaximumPacket(for: peer)
        }
    }

    private func refusal(of call: PendingCall) -> Refusal? {
        state.pointee.endpoint.refusal(by: destination(of: call))
    }

    /// A complete message in the form that the application gets.
    private func received(_ lease: BufferLease, _ count: Int) -> ReceivedMessage {
        switch configuration.receiveMode {
        case .bpages: ReceivedMessage(region: region, lease: lease, count: count)
        case .copyAfterComplete: ReceivedMessage(copying: lease, of: region, count: count)
        }
    }
}
