// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase
public import HomaCore
internal import HomaPosix
internal import Synchronization

/// One host's Homa: a thread that owns the protocol state, what carries its packets, and the receive region.
///
/// The thread receives, keeps time, transmits, tells the application, and runs the Swift tasks that
/// prefer it (an engine is a `TaskExecutor`), so that an RPC needs no change of thread at all. Every
/// method may be called from any thread; on the engine thread it acts at once, elsewhere it puts a
/// command in the engine's inbox.
///
/// What the thread does is an ``EngineLoop``, which is specialised for the driver. Here is what others see of it, and
/// what concerns messages rather than packets.
///
/// The thread keeps the engine alive. It ends with ``stop()``.
public final class Engine: @unchecked Sendable {
    /// What the engine was made with.
    public let configuration: EngineConfiguration
    /// The receive region.
    public let region: ReceiveRegion
    /// Where the socket is bound.
    public let localAddress: PeerAddress
    /// What the system granted less of than was asked for, or not at all, in words.
    public let shortfalls: [String]
    let signal: EngineSignal
    let inbox = Mutex(EngineInbox())
    let lifecycle = Mutex(EngineLifecycle())
    private let stopRequested = Atomic<Bool>(false)
    /// How long the engine may go on after that for what it has answered and sent, in nanoseconds.
    private let drainLimit = Atomic<UInt64>(0)
    /// The engine's thread while it runs, 0 before and after.
    private let threadID = Atomic<UInt>(0)
    let state: UnsafeMutablePointer<EngineState>
    /// What takes its steps if it has no thread; set once, before anybody else has the engine.
    nonisolated(unsafe) weak var stepper: (any EngineStepper)?
    /// Where tasks go on that prefer the engine when it has ended; set like ``stepper``.
    nonisolated(unsafe) var pool: any TaskExecutor = globalConcurrentExecutor
    private let abandonments: AbandonmentTable
    private let unserved = Atomic<UInt64>(0)
    /// Which of its node's engines this is.
    let shard: ShardPlace
    private let clock: any EngineClock
    /// The node's first identifier.
    let firstRPC: RPCID
    /// Keeps the first identifier from being another node's as well.
    private let identifierClaim: HostClaim?

    /// Binds the socket, maps the region and reserves all tables. Call ``start()`` next.
    ///
    /// - Throws: `SystemError`, `PoolError` or `ConfigurationError`.
    public convenience init(_ configuration: EngineConfiguration) throws {
        try self.init(configuration, shard: ShardPlace())
    }

    /// - Parameter shard: which engine of how many; all but the first need the first one's port and region.
    convenience init(_ configuration: EngineConfiguration, shard: ShardPlace) throws {
        let (driver, waker) = try Self.makeDriver(configuration)
        try self.init(
            configuration, shard: shard, driver: driver, wake: { waker.wake() }, clock: MonotonicClock.process,
            seed: .random(in: 0 ... .max))
    }

    /// - Parameters:
    ///   - wake: ends the sleep of whoever runs the engine, from any thread.
    ///   - seed: of the protocol's random numbers.
    init(
        _ configuration: EngineConfiguration, shard: ShardPlace, driver: AnyPacketDriver,
        wake: @escaping @Sendable () -> Void, clock: any EngineClock, seed: UInt64
    ) throws {
        self.shard = shard
        self.configuration = configuration
        self.clock = clock
        let signal = EngineSignal(wake: wake)
        let region =
            try shard.region ?? ReceiveRegion(configuration: configuration.pool, backing: configuration.backing)
        region.attach(signal)
        let now = clock.now()
        if let first = shard.firstRPC {
            (firstRPC, identifierClaim) = (first, nil)
        } else {
            (firstRPC, identifierClaim) = try Self.firstIdentifier(mustClaim: driver.sharesPorts)
        }
        var endpoint = try Endpoint(
            configuration: configuration.endpoint, pool: region.pool, shard: shard.index, of: shard.count, seed: seed,
            firstRPC: firstRPC, life: shard.life, at: now)
        if !driver.sharesPorts { endpoint.hideClientPorts() }
        endpoint.headerBytes = driver.headerBytes(to: PeerAddress(ipv4: 0, port: 0))
        let clientPort = try Self.allocateClientPort(&endpoint, driver)
        localAddress = driver.localAddress
        shortfalls = driver.shortfalls
        abandonments = AbandonmentTable(capacity: configuration.endpoint.maximumRPCs)
        self.signal = signal
        self.region = region
        state = .allocate(capacity: 1)
        state.initialize(
            to: EngineState(
                endpoint: endpoint, driver: driver, sends: TokenTable(capacity: 1024),
                calls: TokenTable(capacity: 1024), now: now, lastWork: now, lastErrorCheck: now,
                clientPort: clientPort))
    }

    deinit {
        lifecycle.withLock { if let thread = $0.thread { pthread_detach(thread) } }
        if lifecycle.withLock({ $0.phase }) != .ended { state.deinitialize(count: 1) }
        state.deallocate()
    }

    private static func makeDriver(
        _ configuration: EngineConfiguration
    ) throws(SystemError) -> (AnyPacketDriver, Waker) {
        switch configuration.driver {
        case .udp: own(try UDPDriver(configuration.socket))
        case .packet: own(try PacketRingDriver(configuration.socket, rings: configuration.packetRings))
        case .raw: own(try RawIPDriver(configuration.socket))
        }
    }

    private static func own<Driver: WaitingDriver & ~Copyable>(_ driver: consuming Driver) -> (AnyPacketDriver, Waker) {
        let waker = driver.waker
        return (OwnedDriver(driver), waker)
    }

    /// Identifiers grow from run to run, so that no server takes a new call for a late duplicate:
    /// microseconds since 1970 in the upper bits leave room for 2048 calls per microsecond.
    ///
    /// - Parameter mustClaim: no other node of this host may begin with it, since servers know hosts only.
    private static func firstIdentifier(mustClaim: Bool) throws(SystemError) -> (RPCID, HostClaim?) {
        while true {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            let microseconds = UInt64(clamping: time.tv_sec) &* 1_000_000 &+ UInt64(clamping: time.tv_nsec) / 1000
            let first = RPCID(rawValue: max(microseconds << 12, 2))
            guard mustClaim else { return (first, nil) }
            do throws(SystemError) {
                return (first, try HostClaim("start/\(microseconds)"))
            } catch {
                guard error.code == EADDRINUSE else { throw error }
            }
        }
    }

    /// A client port that no other node has, where nodes share them.
    private static func allocateClientPort(
        _ endpoint: inout Endpoint, _ driver: AnyPacketDriver
    ) throws -> UInt16 {
        while true {
            let port = try endpoint.allocateClientPort()
            do throws(SystemError) {
                try driver.open(port)
                return port
            } catch {
                guard error.code == EADDRINUSE else { throw error }
            }
        }
    }

    /// The time on the engine's clock; from any thread.
    public var now: Instant { clock.now() }

    /// Whether nobody waits any more for the answer to a request, which must not have been answered yet. Any thread.
    public func isAbandoned(_ rpc: RPCHandle) -> Bool { abandonments.isAbandoned(rpc) }

    /// A request was dropped without work, since it was abandoned while it waited. Any thread.
    public func countUnserved() { unserved.add(1, ordering: .relaxed) }

    var unservedRequests: UInt64 { unserved.load(ordering: .relaxed) }

    /// The application is about to get a request.
    func noteDelivery(of rpc: RPCHandle) { abandonments.delivered(rpc) }

    /// Nobody waits for a request any more: whoever has it can see that, and who works on it is cancelled.
    func noteAbandonment(of rpc: RPCHandle) {
        abandonments.abandon(rpc)
        shard.handlers.cancel(rpc, shard: shard.index)
    }

    /// True on the engine's own thread.
    @inline(__always)
    public var isCurrentThread: Bool { threadID.load(ordering: .relaxed) == pthread_self() }

    var mustStop: Bool { stopRequested.load(ordering: .relaxed) }

    /// How long it may still go on, now that it must stop.
    var drainNanoseconds: UInt64 { drainLimit.load(ordering: .relaxed) }

    /// A later request can only shorten the time that an earlier one gave.
    func requestStop(drainNanoseconds: UInt64) {
        if mustStop {
            drainLimit.min(drainNanoseconds, ordering: .relaxed)
        } else {
            drainLimit.store(drainNanoseconds, ordering: .relaxed)
        }
        stopRequested.store(true, ordering: .sequentiallyConsistent)
        signal.commandsArrived()
    }

    func enterThread() {
        threadID.store(pthread_self(), ordering: .sequentiallyConsistent)
        homa_mark_thread(Unmanaged.passUnretained(self).toOpaque())
    }

    func leaveThread() {
        homa_mark_thread(nil)
        threadID.store(0, ordering: .sequentiallyConsistent)
    }

    /// The engine whose thread this is.
    static var current: Engine? {
        homa_thread_mark().map { Unmanaged<Engine>.fromOpaque($0).takeUnretainedValue() }
    }
}
