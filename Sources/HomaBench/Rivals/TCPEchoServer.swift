// SPDX-License-Identifier: Apache-2.0

public import HomaBase
import Glibc
public import HomaPosix

/// The TCP server that Homa is compared with: what a competent user would write.
///
/// Non-blocking sockets in an epoll set, `TCP_NODELAY`, reads of at least 64 kB, one send for all short responses
/// of a batch, long echoes sent without a copy. Messages carry a four-byte length; the response is the one
/// the request asks for (see `PatternMessage`). A frame that is empty or too long, or whose header
/// contradicts it, closes the connection.
public final class TCPEchoServer: Sendable {
    public struct Options: Sendable, Equatable {
        /// Threads that serve. Each has its own epoll set; the kernel gives a new connection to one that waits.
        public var threads = 1
        /// Poll without sleeping: lowest latency, a whole core for each thread.
        public var spin = false
        /// Longest request and longest response, in bytes.
        public var maximumMessageLength = HomaLimits.maximumMessageLength
        /// Each response leaves by a write of its own, as soon as it is made. Otherwise those that a read made possible
        /// leave together.
        public var writesEach = false
        /// How sockets are set up.
        public var sockets = TCPOptions()

        public init() {}
    }

    /// The addresses listened on, with the ports that the kernel chose where 0 was asked for.
    public let addresses: [PeerAddress]
    private let threads: [BackgroundThread]
    private let stopping: Waker
    private let listeners: Listeners

    /// Starts to serve. An IPv6 wildcard address (`::`) takes IPv4 connections as well.
    public init(listeningOn addresses: [PeerAddress], options: Options = Options()) throws(SystemError) {
        precondition(options.threads >= 1, "someone has to serve")
        let listeners = Listeners()
        for address in addresses { try listeners.add(Sockets.listen(on: address, options: options.sockets)) }
        var bound: [PeerAddress] = []
        for file in listeners.files { bound.append(try PeerAddress.bound(to: file)) }
        let stopping = try Waker()
        var loops: [TCPServerLoop] = []
        for _ in 0..<options.threads {
            let stop = stopping.eventDescriptor
            loops.append(try TCPServerLoop(listeners: listeners.files, stop: stop, options: options))
        }
        var threads: [BackgroundThread] = []
        do throws(SystemError) {
            for loop in loops { threads.append(try BackgroundThread { loop.run() }) }
        } catch {
            stopping.wake()
            for thread in threads { thread.join() }
            throw error
        }
        self.addresses = bound
        self.threads = threads
        self.stopping = stopping
        self.listeners = listeners
    }

    /// Stops serving: what is being answered is sent as far as the sockets take it, then all is closed.
    /// Returns when all threads have ended. Call exactly once.
    public func stop() {
        stopping.wake()
        for thread in threads { thread.join() }
        listeners.closeAll()
    }
}

/// Listening sockets, closed at the latest when the server goes.
private final class Listeners: @unchecked Sendable {  // changed only while the server is made or stopped
    private(set) var files: [Int32] = []

    func add(_ file: Int32) { files.append(file) }

    func closeAll() {
        for file in files { close(file) }
        files = []
    }

    deinit { closeAll() }
}
