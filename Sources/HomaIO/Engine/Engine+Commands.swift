// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import Synchronization

/// What the application asks of the engine.
extension Engine {
    /// Acts at once on the engine thread; elsewhere leaves word and wakes the engine if it sleeps.
    /// False: the engine has stopped, and nothing happened.
    @discardableResult
    func submit(_ command: EngineCommand) -> Bool {
        guard isCurrentThread else { return post(command) }
        guard !state.pointee.isClosed else { return false }
        execute(command)
        return true
    }

    /// Puts a command in the inbox. False: the engine has stopped.
    func post(_ command: EngineCommand) -> Bool {
        let isAccepted = inbox.withLock { inbox -> Bool in
            guard !inbox.isClosed else { return false }
            inbox.commands.append(command)
            return true
        }
        if isAccepted { signal.commandsArrived() }
        return isAccepted
    }

    /// Runs what other threads left. True when there was something.
    func takeCommands() -> Bool {
        guard signal.takeCommands() else { return false }
        var commands: [EngineCommand] = []
        swap(&commands, &state.pointee.commands)
        inbox.withLock { swap(&$0.commands, &commands) }
        for command in commands { execute(command) }
        let didAnything = !commands.isEmpty
        commands.removeAll(keepingCapacity: true)
        swap(&commands, &state.pointee.commands)
        return didAnything
    }

    /// Carries out one command on the engine thread.
    func execute(_ command: EngineCommand) {
        switch command {
        case .job(let job):
            if state.pointee.isClosed { pool.enqueue(job) } else { state.pointee.jobs.append(job) }
        case .start(let call): begin(call)
        case .cancel(let call): cancel(call)
        case .await(let call, let continuation): call.wait(continuation)
        case .respond(let rpc, let buffer): sendResponse(to: rpc, buffer, isFailure: false)
        case .fail(let rpc, let buffer): sendResponse(to: rpc, buffer, isFailure: true)
        case .decline(let rpc): state.pointee.endpoint.decline(rpc, at: state.pointee.now)
        case .sleep(let sleeper): begin(sleeper)
        case .cancelSleep(let sleeper):
            sleeper.isCancelled = true
            sleeper.resume(.cancelled)
        case .take(let bytes, let peer): takePassedOn(bytes, from: peer)
        case .acknowledge(let ack): state.pointee.endpoint.receive(ack, at: state.pointee.now)
        case .perform(let body): body()
        }
    }

    private func begin(_ call: PendingCall) {
        let now = state.pointee.now
        if case .cancelledEarly = call.phase { return call.finish(.failed(.aborted), at: now) }
        guard !state.pointee.isClosed else { return call.finish(.closed, at: now) }
        call.started = now
        let destination = destination(of: call)
        // The first packet should be as long as the path allows already.
        if state.pointee.endpoint.register(destination, at: now) { learnMaximumPacket(for: destination) }
        let payload = state.pointee.sends.insert(SendRecord(call))
        let cookie = state.pointee.calls.insert(call)
        if call.isYoung { state.pointee.youngCalls.append(YoungCall(cookie: cookie, started: now)) }
        let request = CallRequest(
            destination: destination, serverPort: call.serverPort, clientPort: state.pointee.clientPort,
            length: call.count, payload: payload, cookie: cookie,
            deadline: call.limitNanoseconds.map { now.advanced(byNanoseconds: $0) } ?? .distantFuture)
        do {
            call.phase = .running(
                call.isOneWay
                    ? try state.pointee.endpoint.send(request, at: now)
                    : try state.pointee.endpoint.call(request, at: now))
        } catch {
            releasePayload(payload)
            _ = state.pointee.calls.remove(cookie)
            call.finish(.rejected(error), at: now)
        }
    }

    /// Where a call goes: where nodes have no port of their own, to the server's.
    func destination(of call: PendingCall) -> PeerAddress {
        var destination = call.destination
        if state.pointee.driver.sharesPorts { destination.port = call.serverPort }
        return destination
    }

    private func cancel(_ call: PendingCall) {
        switch call.phase {
        case .waiting: call.phase = .cancelledEarly
        case .running(let rpc): state.pointee.endpoint.abort(rpc, failure: .aborted, at: state.pointee.now)
        case .cancelledEarly, .finished: break
        }
    }

    private func sendResponse(to rpc: RPCHandle, _ buffer: OutgoingBuffer, isFailure: Bool) {
        guard !state.pointee.isClosed else { return }
        let payload = state.pointee.sends.insert(SendRecord(buffer))
        let now = state.pointee.now
        let isTaken =
            isFailure
            ? try? state.pointee.endpoint.fail(rpc, length: buffer.count, payload: payload, at: now)
            : try? state.pointee.endpoint.respond(to: rpc, length: buffer.count, payload: payload, at: now)
        if isTaken != true { releasePayload(payload) }
    }

    private func begin(_ sleeper: Sleeper) {
        if sleeper.isCancelled { return sleeper.resume(.cancelled) }
        guard !state.pointee.isClosed else { return sleeper.resume(.closed) }
        state.pointee.timers.insert(sleeper)
    }

    /// Where the bytes of a message are. Those of a call that waited come into being here, with its first packet.
    @inline(__always)
    func payloadBase(_ token: UInt64) -> UnsafeRawPointer {
        state.pointee.sends[token].base ?? makePayload(token)
    }

    @inline(never)
    private func makePayload(_ token: UInt64) -> UnsafeRawPointer {
        let owner = state.pointee.sends[token].owner
        let call = unsafeDowncast(owner.takeUnretainedValue(), to: PendingCall.self)
        guard let buffer = call.source?.makeBuffer() else { preconditionFailure("a call without bytes has no source") }
        state.pointee.sends[token] = SendRecord(buffer)
        owner.release()
        return buffer.base
    }

    /// The protocol does not need the bytes any more. Packets that wait for the kernel may still point to them.
    func releasePayload(_ token: UInt64) {
        guard let record = state.pointee.sends.remove(token) else { return }
        guard state.pointee.queuedPackets > 0 else { return record.owner.release() }
        state.pointee.releases.append(
            PendingRelease(owner: record.owner, appendedPackets: state.pointee.appendedPackets))
    }
}
