// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCore
import HomaIO

/// One seed: the hosts, their applications, and what is held against them.
final class EngineRun: @unchecked Sendable {  // on one thread from its beginning to its end
    /// What has come of a call or one-way message.
    private struct Call {
        var ended = 0
        var delivered = 0
        var isAnswered = false
        weak var pending: PendingCall?
    }

    private static let port: UInt16 = 7
    private let plan: EnginePlan
    private let world: MemoryHosts
    private var hosts: [MemoryHost] = []
    private var operations: [EnginePlan.Operation]
    private var calls: [Call]
    private var isStopped: [Bool]
    /// Engines and regions that must be gone in the end.
    private var engines: [Weak<Engine>] = []
    private var regions: [ReceiveRegion] = []
    private var statistics: [EngineStatistics] = []
    private var unfinished: Int
    private var failures: [RPCFailure: Int] = [:]
    private var broken: (rule: EngineRule, detail: String)?

    private struct Weak<Object: AnyObject> { weak var object: Object? }

    init(_ plan: EnginePlan) throws {
        self.plan = plan
        world = MemoryHosts(seed: plan.worldSeed)
        world.checksInvariants = true
        operations = plan.operations
        calls = Array(repeating: Call(), count: plan.operations.count)
        unfinished = plan.operations.count
        isStopped = Array(repeating: false, count: plan.hosts.count)
        let network = world.network
        (network.faults, network.delay, network.jitter) = (plan.faults, plan.delay, plan.jitter)
        (network.joinsPackets, network.routerMTU, network.routerTells) = (plan.joins, plan.routerMTU, plan.routerTells)
        for (index, settings) in plan.hosts.enumerated() {
            let address = PeerAddress(ipv4: 0x0A00_0001 + UInt32(index), port: 4000)
            let host = try world.addHost(at: address, settings)
            hosts.append(host)
            engines += host.engines.map { Weak(object: $0) }
            try host.openPort(Self.port) { engine in sink(of: index, engine) }
        }
    }

    /// Everything, from the first call until all hosts have ended.
    func run() {
        for index in operations.indices { schedule(index) }
        for stop in plan.stops {
            world.at(stop.time) { [unowned self] in stopHost(stop.host, drain: stop.drain) }
        }
        runUntil(plan.heals) { false }
        heal()
        runUntil(world.now + .seconds(60)) { unfinished == 0 }
        guard isGood(.endsInTime, unfinished == 0, "\(unfinished) have not ended: \(firstUnfinished)") else { return }
        probe()
        guard broken == nil else { return }
        rest()
        guard broken == nil else { return }
        end()
    }

    private var firstUnfinished: String { calls.firstIndex { $0.ended == 0 }.map(describe) ?? "none" }

    /// A call in words.
    private func describe(_ index: Int) -> String {
        let operation = operations[index]
        let kind = operation.isOneWay ? "message" : "call"
        return "\(kind) \(index) of \(operation.length) bytes from host \(operation.client) to host "
            + "\(operation.server), delivered \(calls[index].delivered) times, \(operation.answer) with "
            + "\(operation.answerLength) bytes, deadline \(operation.deadline ?? 0), given up "
            + "\(operation.cancel ?? 0), "
            + "client stopped \(isStopped[operation.client]), server \(isStopped[operation.server])"
    }

    private func runUntil(_ limit: Instant, isDone: () -> Bool) {
        world.run(until: limit) { broken != nil || isDone() }
    }

    private func heal() {
        world.network.faults = MemoryFaults()
        world.network.routerMTU = nil
    }

    /// Calls from everybody who is left to everybody who is left.
    private func probe() {
        let left = hosts.indices.filter { !isStopped[$0] }
        let first = operations.count
        for client in left {
            for server in left where server != client {
                operations.append(
                    EnginePlan.Operation(
                        time: world.now, client: client, server: server, isOneWay: false, form: 0, length: 3_000,
                        answerLength: 3_000, answer: .now, serviceTime: 0, holdTime: 0, deadline: nil, cancel: nil))
                calls.append(Call())
                unfinished += 1
                schedule(operations.count - 1)
            }
        }
        runUntil(world.now + .seconds(10)) { unfinished == 0 }
        for index in first..<operations.count {
            let (client, server) = (operations[index].client, operations[index].server)
            isGood(.answersAfterHealing, calls[index].isAnswered, "host \(client) has no answer from host \(server)")
        }
    }

    /// Nothing is under way any more: what is remembered for others' sake is given time to be forgotten.
    private func rest() {
        runUntil(world.now + .seconds(8)) { false }
        let before = world.steps
        let second = world.now + .seconds(1)
        runUntil(second) { false }
        let steps = world.steps - before
        isGood(.comesToRest, steps < 20_000, "\(steps) steps in a second in which nothing happens")
        for (index, host) in hosts.enumerated() where !isStopped[index] {
            let left = host.leftovers
            isGood(.nothingLeft, left == nil, "host \(index) holds \(left ?? "")")
        }
    }

    private func end() {
        for index in hosts.indices { stopHost(index, drain: 1_000_000_000) }
        runUntil(world.now + .seconds(5)) { hosts.allSatisfy(\.isOver) }
        for (index, host) in hosts.enumerated() {
            guard isGood(.stopsWhenTold, host.isOver, "host \(index) goes on") else { return }
        }
        runUntil(world.now + .seconds(1)) { false }
        for host in hosts {
            // Its final figures: the engine has ended.
            statistics += host.engines.map(\.statistics)
            regions.append(host.engines[0].region)
        }
        for (index, region) in regions.enumerated() {
            let pool = region.pool.statistics
            isGood(
                .regionFree, pool.leasesLive == 0 && pool.doubleReturns == 0 && pool.foreignReturns == 0,
                "host \(index): \(pool.leasesLive) leases, \(pool.doubleReturns) returned twice")
        }
        for (index, call) in calls.enumerated() {
            isGood(.endsOnce, call.ended == 1, "call \(index) ended \(call.ended) times")
        }
    }

    private func stopHost(_ index: Int, drain: UInt64) {
        isStopped[index] = true
        hosts[index].stop(drainNanoseconds: drain)
    }

    /// What is still there though nobody holds it.
    func unreleased() -> String? {
        hosts = []
        regions = []
        world.forget()
        let living = engines.count { $0.object != nil }
        let pending = calls.count { $0.pending != nil }
        return living + pending > 0 ? "\(living) engines and \(pending) calls are still there" : nil
    }

    func report(_ outcome: inout EngineOutcome) {
        outcome.broken = broken?.rule
        outcome.detail = broken?.detail ?? ""
        outcome.nanoseconds = world.now.nanoseconds
        outcome.calls = calls.count
        outcome.timedOut = failures[.timedOut, default: 0]
        outcome.answered = calls.count { $0.isAnswered }
        outcome.packets = world.network.counters.sent
        outcome.joined = world.network.counters.joined
        outcome.refused = world.network.counters.refused
        for engine in statistics {
            outcome.passedOn += Int(engine.packetsPassedOn + engine.acksPassedOn)
            outcome.sleeps += Int(engine.sleeps)
            outcome.bytesInPlace += Int(engine.bytesInPlace)
        }
    }

    /// Remembers the first rule that is broken.
    @discardableResult
    private func isGood(_ rule: EngineRule, _ holds: Bool, _ detail: @autoclosure () -> String) -> Bool {
        if !holds, broken == nil { broken = (rule, detail()) }
        return holds
    }
}

/// The applications.
extension EngineRun {
    private func schedule(_ index: Int) { world.at(operations[index].time) { [unowned self] in begin(index) } }

    private func begin(_ index: Int) {
        let operation = operations[index]
        guard !isStopped[operation.client] else { return ended(index, .closed) }
        let host = hosts[operation.client]
        let engine = host.engines[index % host.engines.count]
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
        let hasBegun = engine.start(call) { [unowned self] outcome in ended(index, outcome) }
        guard hasBegun else { return ended(index, .closed) }
        if let time = operation.cancel {
            world.at(world.now.advanced(byNanoseconds: time)) { [weak engine, weak call] in
                if let call { engine?.giveUp(call) }
            }
        }
    }

    private func ended(_ index: Int, _ outcome: CallOutcome) {
        calls[index].ended += 1
        guard isGood(.endsOnce, calls[index].ended == 1, "call \(index) ends again") else { return }
        unfinished -= 1
        let operation = operations[index]
        switch outcome {
        case .response(let message), .failure(let message):
            calls[index].isAnswered = true
            check(message, index, isAnswer: true, operation.answerLength)
            hold(message, index, isAnswer: true, operation.answerLength)
        case .delivered:
            calls[index].isAnswered = true
            isGood(
                .messageLost, calls[index].delivered == 1,
                "\(describe(index)) is said to be there and is not")
        case .failed(let failure, _): failures[failure, default: 0] += 1
        case .rejected, .closed: break
        }
    }

    private func sink(of host: Int, _ engine: Engine) -> PortSink {
        PortSink(
            owner: self,
            deliver: { [unowned self, unowned engine] request, message in
                deliver(request, message, to: host, engine)
            }, closed: {})
    }

    private func deliver(_ request: ArrivedRequest, _ message: ReceivedMessage, to host: Int, _ engine: Engine) {
        guard let index = Self.index(of: message), operations.indices.contains(index) else {
            isGood(.intact, false, "a message of \(message.count) bytes that nobody sent")
            return
        }
        let operation = operations[index]
        calls[index].delivered += 1
        isGood(.intact, operation.server == host, "message \(index) came to host \(host)")
        check(message, index, isAnswer: false, operation.length)
        let rule = operation.isOneWay ? EngineRule.messageTwice : .ranTwice
        isGood(rule, calls[index].delivered == 1, "\(index) was delivered \(calls[index].delivered) times")
        hold(message, index, isAnswer: false, operation.length)
        guard request.wantsResponse else { return }
        // To a host whose ways its sender does not know yet a one-way message goes as a request.
        let answer = operation.isOneWay ? .now : operation.answer
        switch answer {
        case .now: engine.respond(to: request.rpc, with: Self.answer(index, operation))
        case .failure: engine.fail(request.rpc, with: Self.answer(index, operation))
        case .declined: engine.decline(request.rpc)
        case .later:
            world.at(world.now.advanced(byNanoseconds: operation.serviceTime)) { [weak engine] in
                _ = engine?.respond(to: request.rpc, with: Self.answer(index, operation))
            }
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
        guard isGood(.intact, message.count == length, "\(name) has \(message.count) bytes, not \(length)") else {
            return
        }
        let expected = Self.bytes(index, isAnswer: isAnswer, length)
        var offset = 0
        while offset < length {
            let piece = message.piece(at: offset)
            let isEqual = expected.withUnsafeBytes { bytes in
                piece.elementsEqual(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + piece.count]))
            }
            guard isGood(.intact, isEqual, "\(name) is damaged behind byte \(offset)") else { return }
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
        guard message.count >= 8 else { return nil }
        return Int(truncatingIfNeeded: UInt64(littleEndian: message.firstPiece.loadUnaligned(as: UInt64.self)) >> 1)
    }
}
