// SPDX-License-Identifier: Apache-2.0

internal import Glibc
public import HomaBase
public import HomaPosix

/// Carries out a `LoadPlan` over TCP, from one thread.
///
/// Requests are pipelined on the plan's connections to their server, each on the one with the fewest outstanding.
/// Under an open loop every request has its intended time from the schedule; it is sent then whatever has
/// come back, and its latency counts from then. All response bytes are checked.
///
/// A spinning closed loop with one outstanding request on one connection is the ping-pong that measures
/// latency: it only sends and polls the socket.
public struct TCPLoadClient: Sendable {
    public struct Options: Sendable, Equatable {
        /// Poll without sleeping. Otherwise the thread sleeps in epoll; the timer may be about 50 µs late then,
        /// which counts as latency as it would for any user who sleeps.
        public var spin = false
        /// Each request leaves by a write of its own, as soon as it is issued. Otherwise those that are due together
        /// leave together.
        public var writesEach = false
        /// How sockets are set up.
        public var sockets = TCPOptions()

        public init(spin: Bool = false, writesEach: Bool = false, sockets: TCPOptions = TCPOptions()) {
            self.spin = spin
            self.writesEach = writesEach
            self.sockets = sockets
        }
    }

    /// As many as the plan has targets.
    public let servers: [PeerAddress]
    public let options: Options

    public init(server: PeerAddress, options: Options = Options()) {
        self.init(servers: [server], options: options)
    }

    public init(servers: [PeerAddress], options: Options = Options()) {
        self.servers = servers
        self.options = options
    }

    /// The first of these addresses that takes a connection; the last one when none does.
    public static func firstListening(_ addresses: [PeerAddress]) -> PeerAddress {
        for address in addresses.dropLast() {
            guard let file = try? Sockets.connect(to: address, options: TCPOptions()) else { continue }
            close(file)
            return address
        }
        return addresses[addresses.count - 1]
    }

    /// Connects, runs the whole plan on the calling thread, and closes the connections.
    ///
    /// Throws when a connection cannot be made. One that breaks later costs its outstanding requests, which
    /// count as errors (as one error when there are none); when the last one breaks, the run ends.
    public func run(_ plan: LoadPlan) throws(SystemError) -> LoadResult {
        precondition(plan.connections >= 1, "at least one connection")
        precondition(servers.count == plan.targets, "a server for each target")
        let memory = FrameMemory()
        var connections: [TCPLoadConnection] = []
        for server in servers {
            for _ in 0..<plan.connections {
                connections.append(
                    TCPLoadConnection(file: try Sockets.connect(to: server, options: options.sockets), memory: memory))
            }
        }
        let run = try TCPLoadRun(plan: plan, connections: connections, options: options)
        return run.run()
    }
}
