// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCheck
import HomaCore
import HomaIO

/// The applications.
extension EngineRun {
    func schedule(_ index: Int) {
        let host = hosts[operations[index].client]
        world.at(operations[index].time) { [unowned self] in host.perform { [unowned self] in begin(index, host) } }
    }

    private func begin(_ index: Int, _ host: EngineHost) {
        let operation = operations[index]
        (calls[index].hasBegun, calls[index].begun) = (true, world.now)
        guard host.isUp else { return ended(index, .closed) }
        let engines = host.memory.engines
        let engine = engines[index % engines.count]
        let bytes = Self.bytes(index, isAnswer: false, operation.length)
        let source: MessageSource =
            switch operation.form {
            case 0: .buffer(OutgoingBuffer(copying: bytes.span.bytes))
            case 1: .bytes(bytes)
            default: .fill(count: bytes.count) { span in for byte in bytes { span.append(byte) } }
            }
        let call = PendingCall(
            to: hosts[operation.server].address, port: Self.port, sending: source,
            limitNanoseconds: operation.deadline, isOneWay: operation.isOneWay)
        calls[index].pending = call
        tracer?.trace.note(
            operation.isOneWay ? .sends : .called, at: world.now.nanoseconds, host: host.index, other: operation.server,
            id: UInt64(index), first: operation.length)
        let hasBegun = engine.start(call) { [unowned self] outcome in ended(index, outcome) }
        guard hasBegun else { return ended(index, .closed) }
        if let time = operation.cancel {
            later(host, after: time) { [weak engine, weak call] in if let call { engine?.giveUp(call) } }
        }
    }

    /// Has a host's application do something after a time, or when the host goes on.
    private func later(_ host: EngineHost, after time: UInt64, _ body: @escaping () -> Void) {
        world.at(world.now.advanced(byNanoseconds: time)) { host.perform(body) }
    }

    private func ended(_ index: Int, _ outcome: CallOutcome) {
        calls[index].ended += 1
        guard isGood(.endsOnce, calls[index].ended == 1, "call \(index) ends again", call: index) else { return }
        unfinished -= 1
        let operation = operations[index]
        var failure: RPCFailure?
        switch outcome {
        case .response(let message), .failure(let message):
            calls[index].isAnswered = true
            check(message, index, isAnswer: true, operation.answerLength)
            hold(message, index, isAnswer: true, operation.answerLength)
        case .delivered:
            calls[index].isAnswered = true
            isGood(
                .messageLost, calls[index].delivered > 0,
                "\(describe(index)) is said to be there and is not", call: index)
        case .failed(let reason, _):
            failure = reason
            calls[index].failure = reason
            failures[reason, default: 0] += 1
            if saysNotRun(reason) {
                isGood(
                    .notRun, calls[index].delivered == 0, "\(reason) of what has run: \(describe(index))", call: index)
            }
        case .rejected, .closed: break
        }
        note(end: index, failure)
        if !calls[index].isAnswered {
            isGood(
                .picksUp, !mustBeAnswered(index), "\(failure.map { "\($0)" } ?? "closed"): \(describe(index))",
                call: index)
        }
    }

    /// A packet that the network doubled may be delivered, and its copy find the port closed: nobody can tell then.
    private func saysNotRun(_ failure: RPCFailure) -> Bool {
        !failure.mayHaveRun && !(failure == .portClosed && plan.faultSet.contains(.duplication))
    }

    private func note(end index: Int, _ failure: RPCFailure?) {
        let kind: SwarmTrace.Kind =
            failure != nil
            ? .ended : calls[index].isAnswered ? (operations[index].isOneWay ? .delivered : .response) : .closed
        tracer?.trace.note(
            kind, at: world.now.nanoseconds, host: operations[index].client, id: UInt64(index),
            first: Int(failure?.rawValue ?? 0))
    }

    /// Whether a call has no reason to fail but that its client stood still, and not for too long.
    private func mustBeAnswered(_ index: Int) -> Bool {
        let operation = operations[index]
        let (client, server) = (hosts[operation.client], hosts[operation.server])
        guard plan.faultSet.isSubset(of: Self.harmless), client.isUp, server.isUp, operation.deadline == nil,
            operation.cancel == nil, operation.isOneWay || operation.answer != .declined
        else { return false }
        let begun = calls[index].begun
        // Answers that are kept for a client that is not heard of have limits, see `retainedResponseBytes`.
        let answers = operations.reduce(0) { $0 + ($1.server == operation.server ? $1.answerLength : 0) }
        // As drawn, whatever has been changed to see whether that is noticed.
        let endpoint = plan.hosts[operation.server].configuration.endpoint
        return client.rested(from: begun, to: world.now) < endpoint.responseRetention.wholeNanoseconds / 10 * 9
            && server.rested(from: begun, to: world.now) < endpoint.timeout.wholeNanoseconds / 4
            && operations.count <= 100 && answers <= endpoint.retainedResponseBytes / 2
    }

    /// What makes no call fail.
    private static var harmless: FaultSet { FaultSet([.pause, .sleep, .reordering, .duplication]) }

    func sink(of host: EngineHost, life: Int, _ engine: Engine) -> PortSink {
        PortSink(
            owner: self,
            deliver: { [unowned self, unowned engine, unowned host] request, message in
                deliver(request, message, to: host, life, engine)
            }, closed: {})
    }

    private func deliver(
        _ request: ArrivedRequest, _ message: ReceivedMessage, to host: EngineHost, _ life: Int, _ engine: Engine
    ) {
        guard let index = Self.index(of: message), operations.indices.contains(index) else {
            isGood(.intact, false, "a message of \(message.count) bytes that nobody sent")
            return
        }
        let operation = operations[index]
        calls[index].id = request.id.clientSide
        isGood(.intact, operation.server == host.index, "message \(index) came to host \(host.index)", call: index)
        check(message, index, isAnswer: false, operation.length)
        judgeDelivery(index, host, life)
        calls[index].delivered += 1
        calls[index].deliveredLife = life
        tracer?.trace.note(
            operation.isOneWay ? .message : .request, at: world.now.nanoseconds, host: host.index,
            other: operation.client, id: UInt64(index), first: message.count)
        hold(message, index, isAnswer: false, operation.length)
        guard request.wantsResponse else { return }
        // To a host whose ways its sender does not know yet a one-way message goes as a request.
        let answer = operation.isOneWay ? .now : operation.answer
        switch answer {
        case .now: engine.respond(to: request.rpc, with: Self.answer(index, operation))
        case .failure: engine.fail(request.rpc, with: Self.answer(index, operation))
        case .declined: engine.decline(request.rpc)
        case .later:
            later(host, after: operation.serviceTime) { [weak engine] in
                _ = engine?.respond(to: request.rpc, with: Self.answer(index, operation))
            }
        }
    }

    private func judgeDelivery(_ index: Int, _ host: EngineHost, _ life: Int) {
        let call = calls[index]
        if let failure = call.failure, saysNotRun(failure) {
            isGood(.notRun, false, "\(failure), and then it runs: \(describe(index))", call: index)
        }
        guard call.delivered > 0 else { return }
        if call.deliveredLife == life {
            let rule = operations[index].isOneWay ? EngineRule.messageTwice : .ranTwice
            isGood(rule, false, "delivered again: \(describe(index))", call: index)
        } else {
            // A client takes for granted that no host starts anew within this time (docs/protocol.md, 6.8).
            let isSudden = host.bornAt < call.begun.advanced(byNanoseconds: 100 * EnginePlan.milliseconds)
            isGood(.ranInTwoLives, isSudden, "delivered in life \(call.deliveredLife): \(describe(index))", call: index)
        }
    }

    /// Keeps a message for a while, and looks at it again in the end.
    private func hold(_ message: ReceivedMessage, _ index: Int, isAnswer: Bool, _ length: Int) {
        let time = operations[index].holdTime
        guard time > 0 else { return }
        world.at(world.now.advanced(byNanoseconds: time)) { [unowned self] in
            check(message, index, isAnswer: isAnswer, length)
        }
    }

    private func check(_ message: ReceivedMessage, _ index: Int, isAnswer: Bool, _ length: Int) {
        let name = isAnswer ? "the answer to \(index)" : "message \(index)"
        let count = message.count
        guard isGood(.intact, count == length, "\(name) has \(count) bytes, not \(length)", call: index) else { return }
        let expected = Self.bytes(index, isAnswer: isAnswer, length)
        var offset = 0
        while offset < length {
            let piece = message.piece(at: offset)
            let isEqual = expected.withUnsafeBytes { bytes in
                piece.elementsEqual(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + piece.count]))
            }
            guard isGood(.intact, isEqual, "\(name) is damaged behind byte \(offset)", call: index) else { return }
            offset += piece.count
        }
    }

    private static func answer(_ index: Int, _ operation: EnginePlan.Operation) -> OutgoingBuffer {
        OutgoingBuffer(copying: bytes(index, isAnswer: true, operation.answerLength).span.bytes)
    }

    /// The number of the call, and bytes that differ from call to call and from place to place.
    private static func bytes(_ index: Int, isAnswer: Bool, _ count: Int) -> [UInt8] {
        let key = UInt64(index) << 1 | (isAnswer ? 1 : 0)
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            for place in 0..<count {
                let byte = place < 8 ? key >> UInt64(8 * place) : (key &+ 3) &* UInt64(place) &+ UInt64(place >> 8)
                buffer[place] = UInt8(truncatingIfNeeded: byte)
            }
            filled = count
        }
    }

    private static func index(of message: ReceivedMessage) -> Int? {
        message.count >= 8 ? index(of: message.firstPiece) : nil
    }

    /// The call whose message begins with these bytes, eight or more.
    static func index(of bytes: UnsafeRawBufferPointer) -> Int? {
        Int(truncatingIfNeeded: UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) >> 1)
    }
}
