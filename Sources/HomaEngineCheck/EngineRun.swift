// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCheck
@_spi(Testing) import HomaCore
import HomaIO

/// One seed: the hosts, their applications, and what is held against them.
final class EngineRun: @unchecked Sendable {  // on one thread from its beginning to its end
    /// What has come of a call or one-way message.
    struct Call {
        var ended = 0
        var delivered = 0
        /// The life of the server in which it was delivered last.
        var deliveredLife = 0
        var hasBegun = false
        var begun = Instant.zero
        var isAnswered = false
        var failure: RPCFailure?
        weak var pending: PendingCall?
        /// Known of runs that are traced.
        var id: RPCID?
    }

    static let port: UInt16 = 7
    let plan: EnginePlan
    let settings: EngineSettings
    let world: MemoryHosts
    var hosts: [EngineHost] = []
    var operations: [EnginePlan.Operation]
    var calls: [Call]
    var isHealed = false
    /// Engines and regions that must be gone in the end.
    private var engines: [Weak<Engine>] = []
    private var regions: [(host: Int, region: ReceiveRegion)] = []
    /// All lives of all hosts.
    private var lives: [(host: Int, memory: MemoryHost)] = []
    private var statistics: [EngineStatistics] = []
    var unfinished: Int
    var failures: [RPCFailure: Int] = [:]
    var figures: [EngineFigure: Int] = [:]
    private(set) var broken: (rule: EngineRule, detail: String)?
    private var concerned: Int?
    let tracer: EngineTracer?

    private struct Weak<Object: AnyObject> { weak var object: Object? }

    init(_ plan: EnginePlan, _ settings: EngineSettings, keepsTrace: Bool) throws {
        self.plan = plan
        self.settings = settings
        world = MemoryHosts(seed: plan.worldSeed)
        world.checksInvariants = settings.plant == nil
        operations = plan.operations
        calls = Array(repeating: Call(), count: plan.operations.count)
        unfinished = plan.operations.count
        tracer = keepsTrace ? EngineTracer() : nil
        let network = world.network
        (network.faults, network.delay, network.jitter) = (plan.faults, plan.delay, plan.jitter)
        (network.joinsPackets, network.routerMTU, network.routerTells) = (plan.joins, plan.routerMTU, plan.routerTells)
        for (index, drawn) in plan.hosts.enumerated() {
            var settings = drawn
            settings.configuration.endpoint.plant(self.settings.plant)
            self.settings.change(&settings.configuration.endpoint)
            if keepsTrace { settings.traceCapacity = 1 << 16 }
            let address = PeerAddress(ipv4: 0x0A00_0001 + UInt32(index), port: 4000)
            let host = EngineHost(index, settings, try world.addHost(at: address, settings))
            hosts.append(host)
            try welcome(host)
        }
        if let tracer { network.onPacket = { [unowned self] in notePacket($0, $1, $2, $3, tracer) } }
    }

    /// Gives the life of a host that has begun its application.
    func welcome(_ host: EngineHost) throws {
        lives.append((host.index, host.memory))
        engines += host.memory.engines.map { Weak(object: $0) }
        tracer?.owners[host.address] = host.index
        try host.memory.openPort(Self.port) { engine in sink(of: host, life: host.life, engine) }
    }

    /// Everything, from the first call until all hosts have ended.
    func run() {
        for index in operations.indices { schedule(index) }
        for incident in plan.incidents { world.at(incident.time) { [unowned self] in happen(incident) } }
        runUntil(plan.heals) { false }
        guard broken == nil else { return }
        heal()
        // Whoever waits to begin may have to wait for everybody before to be given up.
        let timeout = hosts[0].settings.configuration.endpoint.timeout
        runUntil(world.now + .seconds(60) + timeout * operations.count) { unfinished == 0 }
        let stuck = calls.firstIndex { $0.ended == 0 }
        guard
            isGood(
                .endsInTime, unfinished == 0, "\(unfinished) have not ended: \(stuck.map(describe) ?? "none")",
                call: stuck)
        else { return }
        probe()
        guard broken == nil else { return }
        rest()
        guard broken == nil else { return }
        end()
    }

    /// A call in words.
    func describe(_ index: Int) -> String {
        let operation = operations[index]
        let kind = operation.isOneWay ? "message" : "call"
        let (client, server) = (hosts[operation.client], hosts[operation.server])
        return "\(kind) \(index) of \(operation.length) bytes from host \(operation.client) to host "
            + "\(operation.server), delivered \(calls[index].delivered) times, \(operation.answer) with "
            + "\(operation.answerLength) bytes, deadline \(operation.deadline ?? 0), given up "
            + "\(operation.cancel ?? 0), begun at \(calls[index].begun.nanoseconds / 1000) µs, "
            + "client \(client.state) in life \(client.life), server \(server.state) in life \(server.life)"
    }

    private func runUntil(_ limit: Instant, isDone: () -> Bool) {
        world.run(until: limit) { broken != nil || isDone() }
    }

    /// Calls from everybody who is left to everybody who is left.
    private func probe() {
        let left = hosts.filter(\.isUp).map(\.index)
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
        for index in first..<operations.count where !mayHaveRun(index) {
            isGood(
                .answersAfterHealing, calls[index].isAnswered,
                "no answer but \(calls[index].failure.map { "\($0)" } ?? "nothing") to \(describe(index))", call: index)
        }
    }

    /// A call that was asked about before its server started, for all its client knows, may have reached the server's
    /// former life: so fails one that begins less than the time of a packet's way after a restart.
    private func mayHaveRun(_ index: Int) -> Bool {
        guard calls[index].failure == .peerRestarted else { return false }
        let server = hosts[operations[index].server]
        let way = 2 * (plan.delay + plan.jitter + plan.faults.longestDelay) + EnginePlan.milliseconds
        return server.life > 1 && calls[index].begun < server.bornAt.advanced(byNanoseconds: way)
    }

    /// Nothing is under way any more: what is remembered for others' sake is given time to be forgotten.
    private func rest() {
        runUntil(world.now + .seconds(8)) { false }
        let before = world.steps
        let second = world.now + .seconds(1)
        runUntil(second) { false }
        let steps = world.steps - before
        isGood(.comesToRest, steps < 20_000, "\(steps) steps in a second in which nothing happens")
        for host in hosts where host.isUp {
            let left = host.memory.leftovers
            isGood(.nothingLeft, left == nil, "host \(host.index) holds \(left ?? "")")
        }
    }

    private func end() {
        for host in hosts { stopForGood(host, drain: 1_000_000_000) }
        runUntil(world.now + .seconds(5)) { hosts.allSatisfy(\.memory.isOver) }
        for host in hosts {
            guard isGood(.stopsWhenTold, host.memory.isOver, "host \(host.index) goes on") else { return }
        }
        runUntil(world.now + .seconds(1)) { false }
        for (host, memory) in lives {
            // Its final figures: the engine has ended.
            statistics += memory.engines.map(\.statistics)
            regions.append((host, memory.engines[0].region))
        }
        for (host, region) in regions {
            let pool = region.pool.statistics
            isGood(
                .regionFree, pool.leasesLive == 0 && pool.doubleReturns == 0 && pool.foreignReturns == 0,
                "host \(host): \(pool.leasesLive) leases, \(pool.doubleReturns) returned twice")
        }
        for (index, call) in calls.enumerated() {
            isGood(.endsOnce, call.ended == 1, "call \(index) ended \(call.ended) times", call: index)
        }
    }

    /// What is still there though nobody holds it.
    func unreleased() -> String? {
        hosts = []
        lives = []
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
        for (figure, count) in figures { outcome[figure] = count }
        outcome[.calls] = calls.count
        outcome[.timedOut] = failures[.timedOut, default: 0]
        outcome[.answered] = calls.count { $0.isAnswered }
        let counters = world.network.counters
        outcome[.packets] = counters.sent
        outcome[.joined] = counters.joined
        outcome[.refused] = counters.refused
        outcome[.missed] = counters.isolated
        outcome[.cut] = counters.cut
        outcome[.tooLong] = counters.tooLong
        outcome[.strayed] = counters.strayed
        for engine in statistics {
            outcome[.passedOn] += Int(engine.packetsPassedOn + engine.acksPassedOn)
            outcome[.sleeps] += Int(engine.sleeps)
            outcome[.bytesInPlace] += Int(engine.bytesInPlace)
        }
        guard let tracer else { return }
        outcome.trace = plan.lines + tracer.trace.lines
        if let id = concerned.flatMap({ calls[$0].id }) { outcome.rpcTrace = EngineTracer.lines(of: id, lives) }
    }

    /// Remembers the first rule that is broken, and with which call.
    @discardableResult
    func isGood(_ rule: EngineRule, _ holds: Bool, _ detail: @autoclosure () -> String, call: Int? = nil) -> Bool {
        if !holds, broken == nil {
            broken = (rule, detail())
            concerned = call
        }
        return holds
    }
}
