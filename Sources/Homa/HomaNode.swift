// SPDX-License-Identifier: Apache-2.0

public import HomaBase
package import HomaIO
internal import Logging
internal import Synchronization

/// One host's part in a Homa network: a UDP port, a receive region, and a thread that serves both, or several.
///
/// A node makes calls and holds the sockets of servers. Use ``withHomaNode(_:listening:isolation:_:)`` for a
/// node that lives as long as a block of code, or make one with ``init(configuration:)``, keep it, and
/// end it with ``shutdown()``. All methods may be called from any thread and any task.
public final class HomaNode: Sendable {
    /// What the node was made with.
    public let configuration: HomaConfiguration
    /// One for each shard.
    let engines: [Engine]
    /// Where handlers run that do not run on an engine.
    let handlers: any TaskExecutor
    /// What must last as long as the node, since its engines need it.
    private let world: (any AnyObject & Sendable)?
    /// Takes turns among them.
    private let turn = Atomic<Int>(0)
    let names = NameCache()
    private let isShutDown = Atomic<Bool>(false)
    private let publisher = Mutex<Task<Void, Never>?>(nil)

    var logger: Logger { configuration.logger }

    /// Opens the UDP port, reserves the receive region, and starts the node's thread. The node works
    /// from here on; ``run()`` is needed only where something must wait for its end.
    ///
    /// - Throws: code `configuration` naming the setting, `system` for what the operating system refuses (a UDP
    ///   port in use, above all).
    public init(configuration: HomaConfiguration = HomaConfiguration()) throws(HomaError) {
        let settings = try configuration.engineConfiguration()
        do {
            engines = try Engine.makeShards(settings, count: configuration.shards)
            try Engine.start(engines)
        } catch {
            throw HomaError(setup: error)
        }
        self.configuration = configuration
        handlers = globalConcurrentExecutor
        world = nil
        if configuration.publishesMetrics { startPublishing() }
        for shortfall in engine.shortfalls { configuration.logger.warning("\(shortfall)") }
        configuration.logger.debug("Homa node started", metadata: ["udp_address": "\(engine.localAddress)"])
    }

    /// A node whose engines run already, by whatever means.
    ///
    /// - Parameters:
    ///   - handlers: where handlers run that do not run on an engine.
    ///   - world: what the engines need; kept as long as the node.
    package init(
        _ configuration: HomaConfiguration, engines: [Engine], handlers: any TaskExecutor,
        world: any AnyObject & Sendable
    ) {
        self.configuration = configuration
        self.world = world
        self.engines = engines
        self.handlers = handlers
    }

    deinit {
        publisher.withLock { $0?.cancel() }
        for engine in engines { engine.stop() }
    }

    /// The first shard's engine.
    var engine: Engine { engines[0] }

    /// The engine for a call: that of the present thread, or else each in turn.
    var nextEngine: Engine {
        guard engines.count > 1 else { return engines[0] }
        if let own = engines.first(where: \.isCurrentThread) { return own }
        return engines[(turn.wrappingAdd(1, ordering: .relaxed).newValue & .max) % engines.count]
    }

    /// Where the node's UDP socket is bound; the port is the real one even if 0 was configured.
    public var localAddress: PeerAddress { engine.localAddress }

    /// The node's UDP port; 0 with the carriage `ip146`, which has none.
    public var udpPort: UInt16 { engine.localAddress.port }

    /// Waits until the node is shut down, or until the task is cancelled and then shuts it down, in order.
    /// For task groups of your own: this library does not listen to signals. The product `HomaServiceLifecycle` has a
    /// service for groups that do, and that ends handlers and node in order.
    ///
    /// - Throws: `CancellationError` after cancellation, once the node is gone.
    public func run() async throws {
        await engine.waitForEnd()
        let wasCancelled = Task.isCancelled
        await shutdown()
        if wasCancelled { throw CancellationError() }
    }

    /// Ends the node in order: new requests are refused as by ``drain(for:)``, its sockets are closed, answers and
    /// one-way messages given to it before are brought to the other side, and then calls under way and waits fail
    /// with code `nodeClosed`, and requests not yet answered are dropped; to have those answered, drain before. The
    /// servers of calls under way are told that nobody waits. When this returns the thread is gone and the UDP port
    /// free. Messages still held stay valid. Cancellation does not shorten it; a further call with a shorter limit
    /// does.
    ///
    /// - Parameter limit: longest time for answers and messages to be acknowledged, up to a day; zero: none, and they
    ///   may be lost. It is used up only by a client that is slow: one that is gone is given up after
    ///   ``EndpointConfiguration/timeout``, 0.4 seconds.
    public func shutdown(within limit: Duration = .seconds(5)) async {
        let isFirst = !isShutDown.exchange(true, ordering: .sequentiallyConsistent)
        publisher.withLock { $0?.cancel() }
        let drain = min(limit.wholeNanoseconds, 86_400_000_000_000)
        for engine in engines { engine.stop(drainNanoseconds: drain) }
        for engine in engines { await engine.stopAndWait(drainNanoseconds: drain) }
        if isFirst { logger.debug("Homa node stopped", metadata: ["udp_address": "\(engine.localAddress)"]) }
    }

    private func startPublishing() {
        let engines = engines
        let configuration = configuration
        let logger = configuration.logger
        publisher.withLock {
            $0 = Task.detached {
                var publisher = MetricsPublisher(udpPort: engines[0].localAddress.port, logger: logger)
                while !Task.isCancelled {
                    publisher.publish(HomaStatistics(of: engines, configuration))
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }
}

/// Runs `body` with a node that exists for exactly that long.
///
/// When this returns or throws, the node is shut down (``HomaNode/shutdown(within:)``): what it answered has arrived,
/// its thread is gone, its UDP port free, and all calls have ended. Messages that leave `body` stay valid. Cancelling
/// the task cancels `body` as usual.
///
/// - Parameters:
///   - configuration: the node's settings.
///   - udpPort: the UDP port to listen on; nil: the one in `configuration`.
///   - isolation: where `body` runs; leave it out.
/// - Throws: ``HomaError`` when the node cannot be made, and what `body` throws.
public func withHomaNode<Result>(
    _ configuration: HomaConfiguration = HomaConfiguration(), listening udpPort: UInt16? = nil,
    isolation: isolated (any Actor)? = #isolation, _ body: (HomaNode) async throws -> Result
) async throws -> Result {
    var configuration = configuration
    if let udpPort { configuration.udpPort = udpPort }
    let node = try HomaNode(configuration: configuration)
    do {
        let result = try await body(node)
        await node.shutdown()
        return result
    } catch {
        await node.shutdown()
        throw error
    }
}
