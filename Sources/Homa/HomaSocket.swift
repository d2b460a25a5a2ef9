// SPDX-License-Identifier: Apache-2.0

internal import HomaCore
internal import HomaIO
internal import HomaPosix
internal import Logging

/// A server's open Homa port: requests come in here.
///
/// Requests are given to whoever asks, in order of arrival. Requests that nobody takes hold their
/// buffers, and once the region is full senders wait. The port closes with ``close()``, with the node,
/// or when the last reference goes away.
public final class HomaSocket: Sendable {
    /// The Homa port, 1 … 32767.
    public let port: UInt16
    let node: HomaNode
    let queue: RequestQueue

    init(node: HomaNode, port: UInt16, queue: RequestQueue) {
        self.node = node
        self.port = port
        self.queue = queue
    }

    deinit { closePort() }

    private func closePort() {
        for engine in node.engines { engine.closePort(port, of: queue) }
    }

    /// Closes the port: new requests are refused, requests that nobody has taken yet are declined, and
    /// all waits for requests end. Requests already taken can still be answered. Idempotent.
    public func close() {
        node.logger.debug("Homa socket closed", metadata: ["port": "\(port)"])
        closePort()
    }

    /// Waits for the next request.
    ///
    /// - Throws: code `cancelled` as soon as the task is cancelled, `socketClosed` or `nodeClosed` when no more
    ///   will come.
    public nonisolated(nonsending) func nextRequest() async throws(HomaError) -> HomaRequest {
        guard let request = await queue.next() else { throw endOfRequests() }
        return HomaRequest(request)
    }

    /// All requests as a sequence; it ends when the socket is closed or the task cancelled. Several
    /// tasks may iterate, and each request goes to one of them.
    public var requests: HomaRequests { HomaRequests(socket: self) }

    /// Why no request came.
    func endOfRequests() -> HomaError {
        if !queue.isClosed { return HomaError(.cancelled, "the task was cancelled while it waited for requests") }
        return HomaError(.socketClosed, "the socket at Homa port \(port) was closed")
    }
}

/// The requests of a socket, in a form that can be passed around.
public struct HomaRequests: AsyncSequence, Sendable {
    let socket: HomaSocket

    /// Waits for requests.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let socket: HomaSocket

        /// The next request; nil when the socket is closed or the task cancelled.
        public mutating func next(isolation: isolated (any Actor)? = #isolation) async -> SharedHomaRequest? {
            guard let request = await socket.queue.next() else { return nil }
            return HomaRequest(request).share()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(socket: socket) }
}

extension HomaNode {
    /// Opens a Homa port for requests.
    ///
    /// Blocks until the node's thread comes round, some tens of microseconds.
    ///
    /// - Parameter port: 1 … 32767, by custom the UDP port's own number, so that clients can write `host:4000`; 0: any
    ///   that is free, that one if it is.
    /// - Throws: code `invalidPort`, `portInUse` or `nodeClosed`.
    public func openSocket(port: UInt16) throws(HomaError) -> HomaSocket {
        guard port == 0 else { return try openSocket(at: port) }
        let custom = [udpPort].filter { $0 > 0 && $0 < HomaLimits.firstClientPort }
        for port in custom + Array(Self.freePorts) {
            do throws(HomaError) { return try openSocket(at: port) } catch {
                guard error.code == .portInUse else { throw error }
            }
        }
        throw HomaError(.portInUse, "all server ports are open already")
    }

    /// Where a free one is sought.
    private static var freePorts: Range<UInt16> { 1024..<HomaLimits.firstClientPort }

    /// Where clients reach a socket of this node: at the one address that it is bound to, else at every address of the
    /// host, those first that other hosts can use. A host's addresses can change.
    ///
    /// - Parameter port: the socket's.
    public func addresses(port: UInt16) -> [HomaAddress] {
        let isEverywhere = localAddress.high == 0 && (localAddress.low == 0 || localAddress.low == 0xFFFF_0000_0000)
        let nodes = isEverywhere ? hostAddresses().filter { $0.isIPv4 || !localAddress.isIPv4 } : [localAddress]
        return nodes.map { node in
            var node = node
            node.port = configuration.carriage == .ip146 ? port : udpPort
            return HomaAddress(node: node, port: port)
        }
    }

    private func openSocket(at port: UInt16) throws(HomaError) -> HomaSocket {
        let queue = RequestQueue()
        for (shard, engine) in engines.enumerated() {
            let isOpen: Bool
            do throws(EndpointError) { isOpen = try engine.openPort(port, sink: sink(queue, engine)) != nil } catch {
                for opened in engines[..<shard] { opened.closePort(port, of: queue) }
                throw HomaError(error)
            }
            guard isOpen else {
                for opened in engines[..<shard] { opened.closePort(port, of: queue) }
                throw .nodeClosed()
            }
        }
        logger.debug("Homa socket opened", metadata: ["port": "\(port)"])
        return HomaSocket(node: self, port: port, queue: queue)
    }

    /// Takes the requests that come to one shard.
    private func sink(_ queue: RequestQueue, _ engine: Engine) -> PortSink {
        PortSink(
            owner: queue,
            deliver: { [unowned engine] arrived, message in
                let request = QueuedRequest(arrived: arrived, message: message, engine: engine)
                if !queue.deliver(request) { engine.decline(arrived.rpc) }
            },
            abandoned: { [unowned engine] rpc in queue.drop(rpc, of: engine) },
            closed: { for request in queue.close() { request.engine.decline(request.arrived.rpc) } })
    }
}
