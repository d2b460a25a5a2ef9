// SPDX-License-Identifier: Apache-2.0

public import Homa
public import HomaBase
internal import HomaIO
internal import Synchronization

/// Nodes of one process on a network in memory: no port, no thread, no real clock, and the same run for the same seed.
///
/// The nodes are real: what differs is what carries their packets, and that time is virtual. Whatever the test does
/// with them belongs into ``run(_:)``, which runs tasks and nodes by turns. Time stands still while a task has
/// something to do, and jumps to the next thing that happens when none has: a test of a timeout of minutes takes
/// milliseconds.
///
/// ```swift
/// let network = TestNetwork(seed: 7, loss: 0.01)
/// let (server, client) = (try network.addNode(), try network.addNode())
/// try await network.run {
///     let socket = try server.openSocket(port: 4000)
///     async let serving: Void = socket.serve { request in
///         let message = request.message
///         try request.respond(copying: message)
///     }
///     let answer = try await client.call(server.address(port: 4000), sending: [1, 2, 3])
///     #expect(answer.copyBytes() == [1, 2, 3])
///     socket.close()
///     try await serving
/// }
/// ```
///
/// A run is told again by its seed as long as its tasks stay with it: child tasks, tasks of ``run(_:)`` and
/// actors without an executor of their own do. What leaves it (`Task.detached`, the main actor, `Task.sleep`, other
/// threads) is waited for only if nothing else is left to happen, and while it works the network's time may run ahead.
/// Use ``sleep(for:)`` or ``clock`` in place of `Task.sleep`.
public final class TestNetwork: @unchecked Sendable {  // what can change is used under the hosts' exclusion
    /// When time passes.
    public enum Passage: Sendable {
        /// When no task of a run has anything to do, to the next thing that happens.
        case whenIdle
        /// By ``TestNetwork/advance(by:)`` alone. Packets need time as well.
        case byHand
    }

    /// What goes wrong. Shares are of one.
    public struct Faults: Sendable, Equatable {
        /// Packets that are lost.
        public var loss = 0.0
        /// Packets that arrive twice.
        public var duplication = 0.0
        /// Packets that are overtaken by others, by up to ``longestDelay``.
        public var reordering = 0.0
        /// By how much a packet is late at most that is reordered or doubled.
        public var longestDelay = Duration.milliseconds(1)

        public init() {}
    }

    /// What became of packets so far.
    public struct Packets: Sendable, Equatable {
        public let sent: Int
        /// On the way, by faults and isolation, or since nobody was there to take them.
        public let lost: Int
        public let duplicated: Int
    }

    private let hosts: MemoryHosts
    private let executor = TestExecutor()
    private let passage: Passage
    private var nodeCount: UInt32 = 0
    /// Until when time may pass.
    private var horizon: Instant

    /// - Parameters:
    ///   - seed: decides the faults, and everything that is random in a node.
    ///   - loss: share of packets that are lost; see ``faults`` for what else can go wrong.
    ///   - latency: time of every packet on its way.
    ///   - time: when time passes.
    public init(
        seed: UInt64 = 1, loss: Double = 0, latency: Duration = .microseconds(5), time: Passage = .whenIdle
    ) {
        hosts = MemoryHosts(seed: seed)
        hosts.network.delay = latency.wholeNanoseconds
        passage = time
        horizon = time == .whenIdle ? .distantFuture : .zero
        let executor = executor
        hosts.onNews = { executor.noteNews() }
        var faults = Faults()
        faults.loss = loss
        self.faults = faults
    }

    /// What goes wrong from now on.
    public var faults: Faults {
        get {
            hosts.exclusion.hold {
                let present = hosts.network.faults
                var faults = Faults()
                faults.loss = present.loss
                faults.duplication = present.duplication
                faults.reordering = present.lateness
                faults.longestDelay = .nanoseconds(Int64(clamping: present.longestDelay))
                return faults
            }
        }
        set {
            for share in [newValue.loss, newValue.duplication, newValue.reordering] {
                precondition((0...1).contains(share), "a share of packets is \(share), but must be 0 … 1")
            }
            hosts.exclusion.hold {
                hosts.network.faults.loss = newValue.loss
                hosts.network.faults.duplication = newValue.duplication
                hosts.network.faults.lateness = newValue.reordering
                hosts.network.faults.longestDelay = newValue.longestDelay.wholeNanoseconds
            }
        }
    }

    public var packets: Packets {
        hosts.exclusion.hold {
            let counters = hosts.network.counters
            return Packets(sent: counters.sent, lost: counters.lost, duplicated: counters.doubled)
        }
    }

    /// Adds a node, which works from here on.
    ///
    /// Its addresses are 10.0.0.1, 10.0.0.2, … in the order in which nodes are added, each with UDP port 4000 unless
    /// the configuration says another. It spins for no time, publishes no metrics, and has no use for settings of
    /// sockets and threads.
    ///
    /// - Parameters:
    ///   - configuration: the node's settings.
    ///   - address: another address; that of a node that was shut down stands for a restart of its host.
    /// - Throws: code `configuration` as a node does, also for a driver, a carriage or an address to bind to, none of
    ///   which there is in memory.
    public func addNode(
        _ configuration: HomaConfiguration = HomaConfiguration(), at address: PeerAddress? = nil
    ) throws(HomaError) -> HomaNode {
        guard configuration.bindAddress == nil, configuration.driver == .socket, configuration.carriage == .udp else {
            throw HomaError(
                .configuration, "bindAddress, driver and carriage must be the defaults for a node in memory")
        }
        var settings = MemoryHosts.Settings()
        settings.configuration = try configuration.engineConfiguration()
        settings.configuration.spinNanoseconds = 0
        settings.shards = configuration.shards
        settings.pool = executor
        let result = hosts.exclusion.hold { () -> Result<HomaNode, HomaError> in
            nodeCount += 1
            let port = configuration.udpPort == 0 ? 4000 : configuration.udpPort
            let address = address ?? PeerAddress(ipv4: 0x0A00_0000 + nodeCount, port: port)
            guard hosts.network.isFree(address) else {
                return .failure(HomaError(.configuration, "there is a node at \(address) already"))
            }
            do {
                let host = try hosts.addHost(at: address, settings)
                return .success(HomaNode(configuration, engines: host.engines, handlers: executor, world: self))
            } catch {
                return .failure(HomaError(setup: error))
            }
        }
        return try result.get()
    }

    /// Cuts a node off: nothing reaches it, and nothing that it sends arrives.
    public func isolate(_ node: HomaNode) {
        hosts.exclusion.hold { _ = hosts.network.isolated.insert(node.localAddress) }
    }

    /// Ends ``isolate(_:)``.
    public func rejoin(_ node: HomaNode) {
        hosts.exclusion.hold { _ = hosts.network.isolated.remove(node.localAddress) }
    }
}

// MARK: Running

extension TestNetwork {
    /// Runs a part of the test, with everything that waits for nodes, and returns what it returns.
    ///
    /// Outside of it nodes stand still. Parts may run at the same time, and within each other. Cancelling the task
    /// cancels `body`.
    public func run<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let mustDrive = executor.beginRun()
        let executor = executor
        let task = Task(executorPreference: executor) {
            defer { executor.endRun() }
            return try await body()
        }
        return try await withTaskCancellationHandler {
            if mustDrive { await drive() }
            return try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Runs tasks and nodes until no run is left.
    private func drive() async {
        while !executor.mayLeave() {
            if !step() { await executor.waitForNews() }
        }
    }

    /// Parts of tasks that run before the network is looked at, though others are ready: a task that only yields while
    /// it waits for something must not keep that from happening.
    private static var jobsPerStep: Int { 1000 }

    /// What is ready, then the next thing that happens. False: there was nothing.
    private func step() -> Bool {
        hosts.exclusion.hold {
            var count = 0
            while count < Self.jobsPerStep, let job = executor.takeJob() {
                job.runSynchronously(on: executor.asUnownedTaskExecutor())
                count += 1
            }
            // The end of a run is looked at before time passes.
            if count > 0, count < Self.jobsPerStep { return true }
            return hosts.advance(until: horizon) || count > 0
        }
    }

    /// Has a handler answer one request, as if a server had got it: for tests of handlers alone.
    ///
    /// - Parameters:
    ///   - request: 1 … 1 000 000 bytes.
    ///   - deadline: the client's; nil: none.
    ///   - handler: as for `HomaSocket.serve`.
    /// - Returns: what the handler answered.
    /// - Throws: ``HomaError`` as the client gets it: code `applicationError` where the handler called `fail`,
    ///   `requestDropped` where it threw, or did not answer.
    public static func answer(
        to request: [UInt8], deadline: Duration? = nil,
        by handler: @escaping @Sendable (consuming HomaRequest) async throws -> Void
    ) async throws -> HomaMessage {
        let network = TestNetwork()
        let (server, client) = (try network.addNode(), try network.addNode())
        return try await network.run {
            let socket = try server.openSocket(port: 4000)
            defer { socket.close() }
            async let serving: Void = socket.serve(handler)
            let answer = try await client.call(server.address(port: 4000), sending: request, deadline: deadline)
            socket.close()
            try await serving
            return answer
        }
    }
}

// MARK: Time

extension TestNetwork {
    /// The time on every node's clock (``HomaNode/now``); zero at first.
    public var now: Instant { hosts.now }

    /// The network's time as a clock of the standard library.
    public var clock: TestClock { TestClock(network: self) }

    /// Waits for so long on the network's clock.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func sleep(for duration: Duration) async throws { try await sleep(until: now + duration) }

    /// Waits until a time of the network's clock.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func sleep(until time: Instant) async throws {
        let sleeper = TestSleeper()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                sleeper.begin(continuation)
                hosts.exclusion.hold { hosts.at(time) { sleeper.end() } }
                executor.noteNews()
            }
        } onCancel: {
            sleeper.end()
        }
        try Task.checkCancellation()
    }

    /// Lets so much time pass, with all that happens in it; the one way for time to pass with ``Passage/byHand``.
    public func advance(by duration: Duration) async {
        let end = hosts.exclusion.hold { () -> Instant in
            let end = (passage == .byHand ? max(horizon, now) : now) + duration
            if passage == .byHand { horizon = end }
            return end
        }
        let sleeper = TestSleeper()
        await withUnsafeContinuation { continuation in
            sleeper.begin(continuation)
            hosts.exclusion.hold { hosts.at(end) { sleeper.end() } }
            executor.noteNews()
        }
    }
}

/// Wakes one task once, whoever is first.
private final class TestSleeper: Sendable {
    private enum State {
        case idle, waiting(UnsafeContinuation<Void, Never>), over
    }

    private let state = Mutex(State.idle)

    func begin(_ continuation: UnsafeContinuation<Void, Never>) {
        let isOver = state.withLock { state -> Bool in
            if case .over = state { return true }
            state = .waiting(continuation)
            return false
        }
        if isOver { continuation.resume() }
    }

    func end() {
        let continuation = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            defer { state = .over }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume()
    }
}

/// A ``TestNetwork``'s time, for code that is given a clock.
public struct TestClock: Clock {
    /// A time on the clock.
    public struct Instant: InstantProtocol {
        /// Since the network was made.
        public var offset: Duration

        public init(offset: Duration) { self.offset = offset }

        public func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        public func duration(to other: Instant) -> Duration { other.offset - offset }
        public static func < (lhs: Instant, rhs: Instant) -> Bool { lhs.offset < rhs.offset }
    }

    let network: TestNetwork

    public var now: Instant { Instant(offset: .nanoseconds(Int64(clamping: network.now.nanoseconds))) }
    public var minimumResolution: Duration { .nanoseconds(1) }

    public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try await network.sleep(until: HomaBase.Instant(nanoseconds: deadline.offset.wholeNanoseconds))
    }
}

extension HomaNode {
    /// Where a socket of this node is called.
    public func address(port: UInt16) -> HomaAddress { HomaAddress(node: localAddress, port: port) }
}
