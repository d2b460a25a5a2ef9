// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import HomaBase
package import HomaCore

/// Whole engines in one thread, stepped by a virtual clock: the same seed gives the same run on every machine.
///
/// Time passes between steps only. An engine that sleeps takes none until its socket has something, another one or the
/// application wakes it, or its deadline comes.
///
/// One thread at a time steps the engines. Others may use them as they use engines that have threads: what they ask is
/// done under ``exclusion``, between two steps.
package final class MemoryHosts: @unchecked Sendable {
    package let network: MemoryNetwork
    /// Held by whoever takes steps, or changes something between them.
    package let exclusion = Exclusion()
    /// Called when an engine that was asleep has something to do, on any thread.
    package var onNews: () -> Void = {}
    private var engines: [SteppedEngine] = []
    private var events = Timeline<() -> Void>()
    private var random: SeededRandom
    /// Steps taken, of all engines.
    package private(set) var steps = 0
    /// Has the protocol's invariants checked now and then.
    package var checksInvariants = false

    package init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        network = MemoryNetwork(seed: random.next())
    }

    package var now: Instant { network.clock.now() }

    /// Lets go of whatever still was to be done.
    package func forget() {
        engines = []
        events = Timeline()
    }

    /// Has something done at a time, on no engine's thread.
    package func at(_ time: Instant, _ body: @escaping () -> Void) { events.insert(body, at: max(time, now)) }

    /// How a host is made.
    package struct Settings {
        package var configuration = EngineConfiguration()
        package var shards = 1
        package var linkMTU = 1500
        /// The system takes no trains from it.
        package var refusesTrains = false
        /// Bytes that its sockets hold.
        package var socketBytes = 8 << 20
        /// Bytes that they hold of what has not left.
        package var sendBytes = 8 << 20
        /// Nanoseconds that a step takes, and waking up.
        package var stepTime: UInt64 = 1_000
        package var wakeTime: UInt64 = 5_000
        /// Where tasks go on that preferred an engine which has ended; nil: in the concurrent pool.
        package var pool: (any TaskExecutor)?
        /// Events of the protocol that each engine keeps, see `Endpoint.startTrace`.
        package var traceCapacity = 0

        package init() {}
    }

    /// - Parameter former: what was on the same machine before, and has ended; the clock is that of the machine.
    /// - Throws: as `Engine.makeShards` does.
    package func addHost(
        at address: PeerAddress, _ settings: Settings, after former: MemoryHost? = nil
    ) throws -> MemoryHost {
        let port = MemoryPort(
            address: address, linkMTU: settings.linkMTU, refusesTrains: settings.refusesTrains,
            socketBytes: settings.socketBytes, sendBytes: settings.sendBytes)
        network.open(port)
        var place = ShardPlace()
        place.life = HostLife(seed: random.next())
        place.firstRPC = RPCID(rawValue: (now.nanoseconds / 1000 + 1) << 12)
        var made: [SteppedEngine] = []
        let clock = former?.clock ?? HostClock(network.clock)
        _ = try Engine.makeShards(settings.configuration, count: settings.shards, place: place) {
            configuration, place in
            let sockets = MemorySockets(network, port)
            let driver = try MemoryDriver(
                sockets, configuration.socket, isUsingGSO: configuration.socket.gso == .automatic,
                isUsingGRO: configuration.socket.gro == .automatic)
            let attention = Attention()
            let engine = try Engine(
                configuration, shard: place, driver: OwnedDriver(driver), wake: { attention.call() }, clock: clock,
                seed: random.next())
            if let pool = settings.pool { engine.pool = pool }
            made.append(SteppedEngine(engine, sockets, attention, settings, clock, self))
            return engine
        }
        engines += made
        return MemoryHost(port, clock, made, network)
    }

    /// Lets time pass until `limit`, or until `isDone` says so, which is asked after everything that happens.
    package func run(until limit: Instant, isDone: () -> Bool = { false }) {
        while !isDone() { guard advance(until: limit) else { return } }
    }

    /// Lets time pass until something happens, at `limit` at the latest. False: nothing does before.
    package func advance(until limit: Instant) -> Bool {
        exclusion.hold {
            var next = min(events.earliest, network.earliest)
            for engine in engines { next = min(next, engine.nextStep) }
            guard next <= limit, next != .distantFuture else {
                if limit != .distantFuture { network.clock.advance(to: limit) }
                return false
            }
            network.clock.advance(to: next)
            network.deliver()
            while let event = events.popFirst(until: next) { event() }
            for engine in engines where engine.nextStep <= now {
                engine.step(checksInvariants: checksInvariants)
                steps += 1
            }
            engines.removeAll { $0.isOver }
            return true
        }
    }
}

/// A host of a ``MemoryHosts``.
package final class MemoryHost {
    fileprivate let clock: HostClock
    private let port: MemoryPort
    private let shards: [SteppedEngine]
    private let network: MemoryNetwork

    fileprivate init(_ port: MemoryPort, _ clock: HostClock, _ shards: [SteppedEngine], _ network: MemoryNetwork) {
        self.port = port
        self.clock = clock
        self.shards = shards
        self.network = network
    }

    /// Where it can be reached, wherever it began.
    package var address: PeerAddress { port.address }

    /// One for each shard.
    package var engines: [Engine] { shards.map(\.engine) }

    /// What its engines have counted so far, while they live. (``Engine/statistics`` waits for a thread.)
    package var statistics: [EngineStatistics] { shards.map { $0.snapshot() } }

    /// All of its engines have ended.
    package var isOver: Bool { shards.allSatisfy(\.isOver) }

    /// What its engines hold that nobody will ask for any more, if it is at rest; nil when that is nothing.
    package var leftovers: String? { shards.lazy.compactMap(\.leftovers).first }

    /// Opens a port at all of its engines, each with a sink of its own.
    ///
    /// - Throws: as `Engine.openPort` does.
    package func openPort(_ port: UInt16, sink: (Engine) -> PortSink) throws {
        for shard in shards { try shard.perform { try $0.openPort(port, sink: sink($0)) } }
    }

    package func stop(drainNanoseconds: UInt64 = 0) {
        for shard in shards { shard.engine.stop(drainNanoseconds: drainNanoseconds) }
    }
}

/// What may happen to a host, between two steps.
extension MemoryHost {
    /// Its engines take no step until it is resumed, as those of a process that is suspended: what comes meanwhile
    /// waits in its sockets.
    package func suspend() { for shard in shards { shard.isSuspended = true } }

    /// Suspends it as a machine that sleeps: what comes meanwhile is lost.
    ///
    /// - Parameter stopsClock: its clock stands still meanwhile, which the real one does not.
    package func fallAsleep(stopsClock: Bool = false) {
        suspend()
        if stopsClock { clock.stop() }
        network.isolated.insert(address)
    }

    /// - Returns: how much waited in its sockets.
    @discardableResult
    package func resume() -> Int {
        network.isolated.remove(address)
        clock.goOn()
        for shard in shards { shard.isSuspended = false }
        return shards.reduce(0) { $0 + $1.waitingArrivals }
    }

    /// Its clock goes forward at once, as that of a virtual machine that was moved.
    package func leapClock(byNanoseconds distance: UInt64) {
        clock.leap(byNanoseconds: distance)
        for shard in shards { shard.noteTime() }
    }

    /// Its process is gone from one step to the next: nothing leaves any more, and calls end as closed.
    package func crash() { for shard in shards { shard.crash() } }

    /// It has another address from now on, as behind a network that gives out new ones.
    package func move(to address: PeerAddress) { network.move(port, to: address) }

    /// What its engines have kept of an RPC's events, or of all, with the time by the network's clock; also after their
    /// end.
    package func trace(of rpc: RPCID? = nil) -> [(time: Instant, shard: Int, event: TraceEvent)] {
        shards.enumerated().flatMap { number, shard in
            shard.traceEvents(of: rpc).map { (clock.networkTime(at: $0.time), number, $0) }
        }
    }
}

/// A lock that its holder may take again.
package final class Exclusion: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    init() {
        var kind = pthread_mutexattr_t()
        pthread_mutexattr_init(&kind)
        pthread_mutexattr_settype(&kind, Int32(PTHREAD_MUTEX_RECURSIVE))
        pthread_mutex_init(mutex, &kind)
        pthread_mutexattr_destroy(&kind)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    package func hold<Result>(_ body: () throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }
}

/// How an engine's signal reaches what steps it.
private final class Attention: @unchecked Sendable {  // set once, before anybody else has it
    weak var engine: SteppedEngine?

    func call() { engine?.noteNews() }
}

/// An engine without a thread.
private final class SteppedEngine: EngineStepper, @unchecked Sendable {  // used under the hosts' exclusion
    let engine: Engine
    private let loop: EngineLoop<MemoryDriver, HostClock>
    private unowned let sockets: MemorySockets
    private unowned let hosts: MemoryHosts
    private let exclusion: Exclusion
    private let clock: HostClock
    private let settings: MemoryHosts.Settings
    private var isAsleep = false
    private(set) var isOver = false
    var isSuspended = false
    /// When the next step would be, by the network's clock.
    private var plannedStep: Instant
    /// Kept from its end.
    private var lastTrace: [TraceEvent] = []
    private var stepCount = 0

    init(
        _ engine: Engine, _ sockets: MemorySockets, _ attention: Attention, _ settings: MemoryHosts.Settings,
        _ clock: HostClock, _ hosts: MemoryHosts
    ) {
        self.engine = engine
        self.sockets = sockets
        self.hosts = hosts
        exclusion = hosts.exclusion
        self.clock = clock
        self.settings = settings
        loop = EngineLoop(engine, clock: clock)
        plannedStep = hosts.now
        engine.runsElsewhere(steppedBy: self)
        attention.engine = self
        sockets.onNews = { [weak self] in self?.noteNews() }
        if settings.traceCapacity > 0 { engine.state.pointee.endpoint.startTrace(keeping: settings.traceCapacity) }
    }

    var nextStep: Instant { isSuspended || isOver ? .distantFuture : plannedStep }

    /// Something has arrived, or somebody wants something.
    func noteNews() {
        exclusion.hold {
            guard isAsleep, !isOver else { return }
            plannedStep = min(plannedStep, hosts.now.advanced(byNanoseconds: settings.wakeTime))
            hosts.onNews()
        }
    }

    /// Its clock shows another time.
    func noteTime() { plannedStep = min(plannedStep, hosts.now) }

    var waitingArrivals: Int { isOver ? 0 : sockets.waitingArrivals }

    func traceEvents(of rpc: RPCID?) -> [TraceEvent] {
        if isOver { return lastTrace.filter { rpc == nil || $0.rpc == rpc || $0.rpc == rpc?.peer } }
        return engine.state.pointee.endpoint.traceEvents(of: rpc)
    }

    func snapshot() -> EngineStatistics {
        var result: EngineStatistics?
        perform { engine in result = engine.snapshot() }
        guard let result else { preconditionFailure("what is performed is performed at once") }
        return result
    }

    /// Does something as the engine's thread, perhaps while another engine does.
    func perform(_ body: (Engine) throws -> Void) rethrows {
        try exclusion.hold {
            let other = Engine.current
            engine.enterThread()
            defer {
                engine.leaveThread()
                if let other, other !== engine { other.enterThread() }
            }
            try body(engine)
        }
    }

    func perform(_ body: () -> Void) { perform { _ in body() } }

    func step(checksInvariants: Bool) {
        perform { _ in takeStep(checksInvariants) }
        if isOver { finish() }
    }

    func crash() {
        guard !isOver else { return }
        perform { engine in engine.close() }
        isOver = true
        finish()
    }

    private func finish() {
        lastTrace = engine.state.pointee.endpoint.traceEvents()
        engine.finish()
    }

    private func takeStep(_ checksInvariants: Bool) {
        let now = hosts.now
        if isAsleep {
            isAsleep = false
            loop.wake(sockets.events)
        }
        stepCount += 1
        if checksInvariants, stepCount % 1024 == 0 { engine.state.pointee.endpoint.checkInvariants() }
        switch loop.step() {
        case .none: plannedStep = now.advanced(byNanoseconds: settings.stepTime)
        case .brief: plannedStep = now.advanced(byNanoseconds: 100_000)
        case .until(let limit):
            isAsleep = true
            plannedStep = max(clock.networkTime(at: limit), now.advanced(byNanoseconds: settings.wakeTime))
            // What came while it fell asleep.
            if !sockets.events.isEmpty { noteNews() }
        case .over:
            isOver = true
        }
    }

    var leftovers: String? {
        guard !isOver else { return nil }
        var found: String?
        perform { engine in
            let state = engine.state
            state.pointee.endpoint.checkInvariants()
            let counts = [
                ("records", state.pointee.endpoint.rpcCount), ("payloads", state.pointee.sends.count),
                ("calls", state.pointee.calls.count), ("payloads on their way out", state.pointee.releases.count),
                ("packets", state.pointee.queuedPackets),
            ]
            found = counts.first { $0.1 > 0 }.map { "\($0.1) \($0.0)" }
        }
        return found
    }
}

extension Engine {
    /// Starts a call whose outcome a closure takes, on the engine's thread. False: the engine has stopped.
    package func start(_ call: PendingCall, onEnd: @escaping (CallOutcome) -> Void) -> Bool {
        call.onEnd = onEnd
        return submit(.start(call))
    }

    /// Gives a call up.
    package func giveUp(_ call: PendingCall) { submit(.cancel(call)) }
}
