// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCore
import HomaWire

/// What the applications of the hosts do, and what must hold at the end.
extension SwarmRun {
    // MARK: Calls

    func begin(_ index: Int, _ entry: EventQueue.Entry) {
        let operation = plan.operations[index]
        let host = hosts[operation.client]
        guard !host.isDown else { return }
        if host.pausedUntil > now { return queue.push(.operation, index, at: host.pausedUntil) }
        begin(operation, isProbe: false)
    }

    func begin(_ operation: SwarmPlan.Operation, isProbe: Bool) {
        let host = hosts[operation.client]
        let index = calls.count
        var record = CallRecord(operation: operation)
        record.isProbe = isProbe
        record.clientLife = host.life
        record.begun = now
        record.shard = index % host.shards.count
        let local = host.local(now)
        record.deadline = operation.deadline.map { local.advanced(byNanoseconds: $0) }
        let endpoint = host.shards[record.shard]
        let request = CallRequest(
            destination: hosts[operation.server].address, serverPort: PacketForge.serverPort,
            clientPort: PacketForge.clientPort, length: operation.length,
            payload: token(key: record.key(isAnswer: false, index), length: operation.length, host),
            cookie: UInt64(index + 1), deadline: record.deadline ?? .distantFuture)
        do {
            record.handle =
                operation.kind == .call
                ? try endpoint.endpoint.call(request, at: local) : try endpoint.endpoint.send(request, at: local)
        } catch {
            // Its tables are full, which is told at once; nothing was taken over.
            payloads[payloads.count - 1].isHeld = false
            calls.append(record)
            return
        }
        record.isOpen = true
        open += 1
        calls.append(record)
        trace.note(
            operation.kind == .call ? .called : .sends, at: now, host: host.index, other: operation.server,
            id: UInt64(index), first: operation.length)
        if let abort = operation.abort { later(.abort(call: index), at: now + abort) }
        wake(host, at: now)
    }

    func perform(_ slot: Int) {
        guard let task = tasks[slot] else { return }
        tasks[slot] = nil
        freeTasks.append(slot)
        switch task {
        case .abort(let index): abort(index)
        case .stop(let number, let life, let incident):
            if hosts[number].life == life, !hosts[number].isDown { stop(hosts[number], incident) }
        case .respond(let number, let life, let shard, let rpc, let call, let length):
            let host = hosts[number]
            guard !host.isDown, host.life == life else { return }
            if host.pausedUntil > now { return later(task, at: host.pausedUntil) }
            respond(host, host.shards[shard], rpc, call, length)
        case .release(let number, let life, let shard, let lease, let length, let key):
            let host = hosts[number]
            guard !host.isDown, host.life == life else { return }
            if host.pausedUntil > now { return later(task, at: host.pausedUntil) }
            if let key, !host.holds(lease, length: length, key: key) {
                breach(.intact, "host \(number): a message changed while the application held it")
            }
            release(host, shard, lease)
        }
    }

    private func release(_ host: SwarmHost, _ shard: Int, _ lease: BufferLease) {
        do {
            _ = try host.pool.release(lease)
        } catch {
            breach(.regionFree, "host \(host.index): \(error)")
        }
        for shard in host.shards { shard.endpoint.buffersReturned(at: host.local(now)) }
        wake(host, at: now)
    }

    private func abort(_ index: Int) {
        let call = calls[index]
        let host = hosts[call.operation.client]
        guard call.isOpen, !host.isDown, host.life == call.clientLife else { return }
        if host.pausedUntil > now { return later(.abort(call: index), at: host.pausedUntil) }
        trace.note(.aborts, at: now, host: host.index, id: UInt64(index))
        host.shards[call.shard].endpoint.abort(call.handle, failure: .aborted, at: host.local(now))
        // A second time changes nothing.
        host.shards[call.shard].endpoint.abort(call.handle, failure: .aborted, at: host.local(now))
        wake(host, at: now)
    }

    private func respond(_ host: SwarmHost, _ shard: SwarmShard, _ rpc: RPCHandle, _ call: Int?, _ length: Int?) {
        guard shard.inService.remove(rpc) != nil else {
            // It was abandoned; an answer must be refused.
            let isTaken = (try? shard.endpoint.respond(to: rpc, length: 1, payload: 0, at: host.local(now))) ?? true
            if isTaken { breach(.endsOnce, "host \(host.index) takes an answer to an abandoned request") }
            return
        }
        defer { wake(host, at: now) }
        if let call, isOverdue(calls[call], at: host) {
            breach(
                .deadlineHeard, "host \(host.index) still works on call \(call), whose time is over",
                rpc: calls[call].id)
        }
        trace.note(
            length == nil ? .declines : .answers, at: now, host: host.index, id: UInt64(call ?? 0), first: length ?? 0)
        guard let length else { return shard.endpoint.decline(rpc, at: host.local(now)) }
        let key = call.map { calls[$0].key(isAnswer: true, $0) } ?? 1
        let payload = token(key: key, length: length, host)
        do {
            let local = host.local(now)
            let isTaken =
                call.map { calls[$0].operation.fails } ?? false
                ? try shard.endpoint.fail(rpc, length: length, payload: payload, at: local)
                : try shard.endpoint.respond(to: rpc, length: length, payload: payload, at: local)
            if !isTaken { payloads[Int(payload) - 1].isHeld = false }
        } catch {
            breach(.endsOnce, "host \(host.index) cannot answer: \(error)")
        }
    }

    /// Whether the server must have heard by now that the time is over that the client gave: it counts from when a
    /// packet of the request came.
    private func isOverdue(_ call: CallRecord, at server: SwarmHost) -> Bool {
        // A client that stood still, or whose clock leapt, had less time left than others.
        guard let time = call.operation.deadline, !plan.faults.contains(.slow), !server.wasDisturbed,
            !server.plan.isKernel, !hosts[call.operation.client].plan.isKernel
        else { return false }
        let way = plan.delay + plan.jitter + plan.longDelay + server.plan.pollDelay
        return now > call.begun + time + time / 512 + way + 5_000_000
    }

    // MARK: Events

    /// Tells the applications of a host what its endpoints have to say.
    func tell(_ host: SwarmHost) {
        for (number, shard) in host.shards.enumerated() {
            while let event = shard.endpoint.nextEvent() { handle(event, host, shard, number) }
        }
    }

    func handle(_ event: EndpointEvent, _ host: SwarmHost, _ shard: SwarmShard, _ number: Int) {
        switch event {
        case .requestArrived(let request): requested(request, host, shard, number)
        case .messageArrived(let message):
            let call = call(of: message)
            trace.note(.message, at: now, host: host.index, id: UInt64(call ?? 0), first: message.length)
            noteDelivery(call, of: message, host)
            keep(message.lease, message.length, call.map { calls[$0].key(isAnswer: false, $0) }, host, number)
        case .responseArrived(_, let cookie, let lease, let length, let isFailure):
            answered(Int(cookie) - 1, lease, length, isFailure, host, number)
        case .callFailed(_, let cookie, let failure): ended(Int(cookie) - 1, failure, host)
        case .messageSent(_, let cookie): reportedSent(Int(cookie) - 1, host)
        case .payloadReleased(let token): released(Int(token), host)
        case .requestAbandoned(let rpc, _, _):
            trace.note(.abandoned, at: now, host: host.index)
            if shard.inService.remove(rpc) == nil {
                breach(.abandonedOnce, "host \(host.index) hears of a request that it has not")
            }
        case .pathWanted(let peer):
            if let target = current[peer] {
                shard.endpoint.setMaximumPacket(
                    bytes: min(host.plan.linkBytes, hosts[target].plan.linkBytes), for: peer)
            }
        }
    }

    /// The call that a request or message is, unless it is a forged one.
    private func call(of request: ArrivedRequest) -> Int? {
        guard let client = owners[request.client] else { return nil }
        return numbers[IDKey(host: client, id: request.id.clientSide.rawValue)]
    }

    private func requested(_ request: ArrivedRequest, _ host: SwarmHost, _ shard: SwarmShard, _ number: Int) {
        let call = call(of: request)
        trace.note(
            .request, at: now, host: host.index, other: owners[request.client], id: UInt64(call ?? 0),
            first: request.length)
        if !shard.inService.insert(request.rpc).inserted { breach(.ranTwice, "the same handle twice") }
        noteDelivery(call, of: request, host)
        keep(request.lease, request.length, call.map { calls[$0].key(isAnswer: false, $0) }, host, number)
        var length: Int? = 1 + Int(host.random.next() % 20_000)
        if let call, calls[call].operation.kind == .call { length = calls[call].operation.answerLength }
        let service = host.plan.serviceTime == 0 ? 0 : UInt64.random(in: 0...host.plan.serviceTime, using: &host.random)
        later(
            .respond(host: host.index, life: host.life, shard: number, rpc: request.rpc, call: call, length: length),
            at: max(now, host.stalledUntil) + service)
    }

    private func noteDelivery(_ call: Int?, of request: ArrivedRequest, _ host: SwarmHost) {
        guard let call else { return }
        let record = calls[call]
        let what = "\(record.operation.kind) \(call) of host \(record.operation.client) at host \(host.index)"
        if record.operation.server != host.index || record.operation.length != request.length {
            breach(.intact, "\(what): \(request.length) bytes", rpc: record.id)
        }
        if record.failure == .serverDraining { breach(.refusedNotRun, "\(what): delivered after", rpc: record.id) }
        if record.deliveries > 0 {
            let client = hosts[record.operation.client]
            // A kernel says neither that it restarted nor, when its address changes, who it is; nor does it look who
            // somebody is.
            if record.deliveredLife == host.life {
                let isUnknowable = (client.plan.isKernel || host.plan.isKernel) && client.hasMoved
                if !isUnknowable {
                    breach(record.operation.kind == .call ? .ranTwice : .messageTwice, what, rpc: record.id)
                }
                // Nor does a host of the published simulations, whose peers have always been there; and a client takes
                // for granted that no host restarts in a moment.
            } else if !host.plan.isKernel, !client.plan.isKernel, !host.plan.configuration.assumesPeersAlike,
                host.bornAt >= record.operation.time + SwarmPlan.restartTime
            {
                breach(.ranInTwoLives, what, rpc: record.id)
            }
        }
        calls[call].deliveries += 1
        calls[call].deliveredLife = host.life
    }

    /// The application looks at a message at once, and again when it returns it.
    private func keep(_ lease: BufferLease, _ length: Int, _ key: Int?, _ host: SwarmHost, _ shard: Int) {
        if let key, !host.holds(lease, length: length, key: key) {
            let other = calls.indices.first { index in
                (0...1).contains { host.holds(lease, length: length, key: 2 * index + 2 + $0) }
            }
            breach(
                key & 1 == 1 && other != nil && length > 8 ? .ownResponse : .intact,
                "host \(host.index): \(length) bytes of \(key & 1 == 1 ? "the response to" : "the request of") call "
                    + "\(key / 2 - 1)" + (other.map { ", as of call \($0)" } ?? ""), rpc: calls[key / 2 - 1].id)
        }
        let hold = host.plan.holdTime == 0 ? 0 : UInt64.random(in: 0...host.plan.holdTime, using: &host.random)
        later(
            .release(host: host.index, life: host.life, shard: shard, lease: lease, length: length, key: key),
            at: max(now, host.stalledUntil) + hold)
    }

    private func answered(
        _ index: Int, _ lease: BufferLease, _ length: Int, _ isFailure: Bool, _ host: SwarmHost, _ shard: Int
    ) {
        trace.note(.response, at: now, host: host.index, id: UInt64(index), first: length)
        guard close(index, host) else { return }
        let operation = calls[index].operation
        if operation.kind != .call || length != operation.answerLength {
            breach(.ownResponse, "call \(index) was answered with \(length) bytes", rpc: calls[index].id)
        }
        if isFailure != operation.fails {
            breach(.failureMarked, "the answer to call \(index) says \(isFailure)", rpc: calls[index].id)
        }
        keep(lease, length, calls[index].key(isAnswer: true, index), host, shard)
    }

    private func ended(_ index: Int, _ failure: RPCFailure, _ host: SwarmHost) {
        trace.note(.ended, at: now, host: host.index, type: 0, id: UInt64(index), first: Int(failure.rawValue))
        guard close(index, host) else { return }
        calls[index].failure = failure
        if failure == .serverDraining, calls[index].deliveries > 0, !hasOnlyMemory(calls[index], host) {
            breach(.refusedNotRun, "call \(index) of host \(host.index): delivered before", rpc: calls[index].id)
        }
        if calls[index].isProbe, !mayHaveRun(calls[index], failure) {
            breach(
                .answersAfterHealing,
                "call \(index) of host \(host.index) to host \(calls[index].operation.server): \(failure)",
                rpc: calls[index].id)
        }
    }

    /// A host of the published simulations takes nobody for a stranger, so it knows of what ran in its present life
    /// only.
    private func hasOnlyMemory(_ call: CallRecord, _ client: SwarmHost) -> Bool {
        let server = hosts[call.operation.server]
        return call.deliveredLife < server.life
            && (server.plan.configuration.assumesPeersAlike || client.plan.configuration.assumesPeersAlike)
    }

    /// A call that was asked about before its server started, for all its client knows, may have reached the server's
    /// former life: so fails one that begins less than the time of a packet's way after a restart.
    private func mayHaveRun(_ call: CallRecord, _ failure: RPCFailure) -> Bool {
        guard failure == .peerRestarted else { return false }
        let server = hosts[call.operation.server]
        let way = 2 * (plan.delay + plan.jitter + plan.longDelay) + server.plan.pollDelay + 1_000_000
        return server.life > 1 && call.operation.time < server.bornAt + way
    }

    private func reportedSent(_ index: Int, _ host: SwarmHost) {
        trace.note(.delivered, at: now, host: host.index, id: UInt64(index))
        guard close(index, host) else { return }
        let record = calls[index]
        if record.operation.kind != .message {
            breach(.endsOnce, "call \(index) ended as a message", rpc: record.id)
        } else if record.deliveries == 0, host.plan.configuration.acknowledgesMessages {
            breach(.messageLost, "message \(index) of host \(host.index)", rpc: record.id)
        }
    }

    /// A call ends. False when it is none that can.
    private func close(_ index: Int, _ host: SwarmHost) -> Bool {
        guard calls.indices.contains(index), calls[index].operation.client == host.index else {
            breach(.endsOnce, "host \(host.index): an end of no call, cookie \(index + 1)")
            return false
        }
        calls[index].ends += 1
        guard calls[index].isOpen else {
            breach(
                .endsOnce, "call \(index) of host \(host.index) ended \(calls[index].ends) times", rpc: calls[index].id)
            return false
        }
        calls[index].isOpen = false
        open -= 1
        // A link that is full lets nothing be worked out sooner.
        if let deadline = calls[index].deadline, !host.wasDisturbed {
            let late = host.local(now).nanoseconds(since: deadline)
            if late > 5_000_000 {
                breach(.deadlineKept, "call \(index) ended \(late / 1000) µs after its deadline", rpc: calls[index].id)
            }
        }
        return true
    }

    private func released(_ token: Int, _ host: SwarmHost) {
        guard token > 0, token <= payloads.count, payloads[token - 1].isHeld, payloads[token - 1].host == host.index,
            payloads[token - 1].life == host.life
        else { return breach(.payloadOnce, "host \(host.index) releases token \(token)") }
        payloads[token - 1].isHeld = false
    }

    // MARK: The end

    /// Every host calls every other once more.
    func probe() {
        for client in hosts.indices {
            for server in hosts.indices where server != client {
                begin(
                    SwarmPlan.Operation(
                        kind: .call, time: now, client: client, server: server, length: 100 + 30_000 * (client & 1),
                        answerLength: 40_000 - 39_000 * (server & 1), deadline: nil, abort: nil), isProbe: true)
            }
        }
    }

    func judgeStuck() {
        let call = calls.enumerated().first { $0.element.isOpen }
        var details: [String] = []
        for host in hosts {
            for (number, shard) in host.shards.enumerated() {
                for rpc in shard.endpoint.allInformation(at: host.local(now)).prefix(3) {
                    details.append("host \(host.index) shard \(number): \(Self.text(rpc))")
                }
            }
        }
        let what =
            call.map {
                "\($0.element.operation.kind) \($0.offset) of host \($0.element.operation.client) to host "
                    + "\($0.element.operation.server), \($0.element.operation.length) bytes"
            } ?? "RPCs are left"
        let cause = events >= settings.mostEvents ? "after \(events) events: " : ""
        breach(.endsInTime, cause + what + "; " + details.joined(separator: "; "), rpc: call?.element.id ?? 0)
    }

    func judgeRest() {
        for host in hosts {
            for (number, shard) in host.shards.enumerated() {
                let endpoint = "host \(host.index) shard \(number)"
                if shard.endpoint.incomingBytes != 0 || shard.endpoint.waitingForBuffers != 0 {
                    breach(
                        .recordsGone,
                        "\(endpoint): \(shard.endpoint.incomingBytes) bytes incoming, "
                            + "\(shard.endpoint.waitingForBuffers) messages wait")
                }
                if let due = shard.endpoint.nextDeadline {
                    breach(.timersGone, "\(endpoint): something is due at \(due.nanoseconds / 1000) µs")
                }
                if !shard.inService.isEmpty { breach(.recordsGone, "\(endpoint): a request in service is gone") }
            }
            let pool = host.pool.statistics
            if pool.leasesLive != 0 || pool.pagesInUse > host.shards.count || pool.waitingMessages != 0
                || pool.doubleReturns + pool.foreignReturns != 0
            {
                breach(
                    .regionFree,
                    "host \(host.index): \(pool.leasesLive) leases, \(pool.pagesInUse) pages, \(pool.waitingMessages) "
                        + "waiting, \(pool.doubleReturns + pool.foreignReturns) wrong returns")
            }
        }
        for (token, payload) in payloads.enumerated() where payload.isHeld {
            breach(.payloadOnce, "token \(token + 1) of host \(payload.host) was never released")
        }
        judgeTraffic()
    }

    private func judgeTraffic() {
        if let factor = packetFactor, factor > settings.packetFactor {
            breach(.boundedPackets, "\(Report.decimal(factor)) DATA packets for each that was needed")
        }
        for (number, bytes) in traffic.enumerated()
        where replyFactor != nil && Double(bytes.sent) > settings.replyFactor * Double(max(1, bytes.received)) {
            breach(
                .boundedReplies, "stranger \(number) sent \(bytes.received) bytes and was sent \(bytes.sent)")
        }
    }

    /// DATA packets sent for each that was needed, where nothing was lost, overtaken, stood still or was refused for
    /// want of room, and all hosts have the timers they have without configuration and our extensions: nil elsewhere.
    var packetFactor: Double? {
        guard plan.faults == .none || plan.faults == FaultSet([.slow]), lost == 0,
            plan.hosts.allSatisfy({ !$0.isKernel && $0.configuration.findsItsTimers })
        else { return nil }
        let refusals: [DropReason] = [.tooManyRPCs, .tooManyPeers, .distrustedPeer, .unprovenClient]
        for host in hosts {
            let statistics = host.statistics
            guard statistics.bufferStalls == 0, refusals.allSatisfy({ statistics.drops(for: $0) == 0 }) else {
                return nil
            }
        }
        let (sent, again) = dataBeforeHealing ?? dataSent
        let needed = sent - again
        let meetings = min(again, packetsOfMeetings)
        return needed > 0 ? Double(sent - meetings) / Double(needed) : nil
    }

    /// DATA packets that may go twice while shards of hosts do not know each other: a few between any two until they
    /// have measured a round trip, and for each operation that begins before a young server can have been shown that
    /// its request is no old one, and its client knows how long an answer takes.
    private var packetsOfMeetings: UInt64 {
        let pairs = Set(plan.operations.map { [$0.client, $0.server] })
        let meetings = pairs.reduce(0) { $0 + $1.reduce(1) { $0 * plan.hosts[$1].shards } }
        // On a slow link the first round trip is mostly spent in front of it.
        let first = max(4 * plan.delay, plan.faults.contains(.slow) ? 20 * SwarmPlan.milliseconds : 0)
        let early = plan.operations.count { $0.time < first }
        return UInt64(4 * meetings + 2 * early)
    }

    /// DATA packets that all hosts have sent, and those of them that had been sent before.
    var dataSent: (all: UInt64, again: UInt64) {
        hosts.reduce(into: (0, 0)) {
            $0.0 += $1.statistics.packetsSent[0]
            $0.1 += $1.statistics.packetsRetransmitted
        }
    }

    /// The most that any stranger was sent for a byte of its own; nil where all addresses are believed.
    var replyFactor: Double? {
        guard plan.hosts.allSatisfy({ $0.configuration.amplificationLimit > 0 && !$0.configuration.assumesPeersAlike })
        else { return nil }
        return traffic.filter { $0.received > 0 }.map { Double($0.sent) / Double($0.received) }.max()
    }
}

extension EndpointConfiguration {
    /// Its timers follow what it measures, and nobody has made them faster.
    fileprivate var findsItsTimers: Bool {
        let usual = EndpointConfiguration.default
        return adaptsTimers && probesPerPeer > 0 && resendAfter >= usual.resendAfter
            && acknowledgementDelay >= usual.acknowledgementDelay && timeout >= usual.timeout
    }
}
