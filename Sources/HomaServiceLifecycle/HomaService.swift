// SPDX-License-Identifier: Apache-2.0

public import Homa
public import ServiceLifecycle

/// A node as a service of swift-service-lifecycle: it serves until its group shuts down, and then ends in order.
///
/// Add it to a `ServiceGroup` with SIGTERM among its `gracefulShutdownSignals`. On the signal new requests are refused
/// in a way that tells their clients that they did not run and may be sent elsewhere (``HomaNode/drain(for:)``), those
/// that have come are answered, and the answers are brought to the clients. Without this a signal ends the process
/// where it stands, and the last answers are lost.
///
/// How long handlers may take is the group's `maximumGracefulShutdownDuration`, after which they are cancelled.
/// Requests that no handler has taken within the drain limit are dropped.
public struct HomaService: Service {
    private let node: HomaNode
    private let drainLimit: Duration
    private let port: UInt16?
    private let serving: @Sendable (HomaSocket) async throws -> Void

    /// A server.
    ///
    /// - Parameters:
    ///   - node: ends with the service.
    ///   - port: the Homa port, which is opened when the service runs.
    ///   - drainLimit: longest time for requests that have come to find a handler, and for the last answers to be
    ///     acknowledged, as in ``HomaNode/drain(for:)`` and ``HomaNode/shutdown(within:)``.
    ///   - serving: serves the socket until it is closed, with ``HomaSocket/serve(on:maximumConcurrency:_:)`` or its
    ///     like. What it leaves running is not waited for.
    public init(
        _ node: HomaNode, port: UInt16, drainLimit: Duration = .seconds(5),
        serving: @escaping @Sendable (HomaSocket) async throws -> Void
    ) {
        self.node = node
        self.drainLimit = drainLimit
        self.port = port
        self.serving = serving
    }

    /// A node that makes calls for other services. Name it before them in the group: groups end the last service
    /// first, and so the callers before their node.
    ///
    /// - Parameters:
    ///   - node: ends with the service.
    ///   - drainLimit: longest time for messages sent one way to be acknowledged.
    public init(_ node: HomaNode, drainLimit: Duration = .seconds(5)) {
        self.node = node
        self.drainLimit = drainLimit
        port = nil
        serving = { _ in }
    }

    /// Returns when the group has shut down and the node is gone.
    ///
    /// - Throws: `HomaError` when the port cannot be opened, what serving throws, and what cancellation makes of it;
    ///   the node is gone then, too.
    public func run() async throws {
        do {
            try await serve()
        } catch {
            await node.shutdown(within: drainLimit)
            throw error
        }
        await node.shutdown(within: drainLimit)
    }

    private func serve() async throws {
        guard let port else { return try await gracefulShutdown() }
        let socket = try node.openSocket(port: port)
        try await withGracefulShutdownHandler {
            try await serving(socket)
        } onGracefulShutdown: {
            // Serving ends when the socket is closed, and is told nothing before.
            Task {
                await node.drain(for: drainLimit)
                socket.close()
            }
        }
    }
}
