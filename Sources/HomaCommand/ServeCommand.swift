// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HomaBase
import HomaBench
import HomaPosix

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Answer requests, for homa ping and homa bench.",
        discussion: """
            Each request is echoed, or answered with as many bytes as its header asks for.

            Examples:
              homa serve 4000
              homa serve 4000 --protocol tcp
            """)

    @Argument(
        help: "Port: UDP and Homa port with homa, TCP port with tcp, UDP port with udp. 0 takes a free one.",
        within: .port(0...65_535))
    var port: UInt16

    @Option(
        name: .customLong("protocol"),
        help: "homa, tcp, udp (a bare echo, the floor of every round trip) or udp-trains (for homa bench).")
    var carrier: ProtocolChoice = .homa

    @Option(help: "Address to listen on; all of them by default.")
    var bind: String?

    @Option(name: .customLong("for"), help: "Stop after this time; by default on SIGINT or SIGTERM.", within: .length)
    var lifetime: TimeSpan?

    @OptionGroup var node: NodeOptions
    @OptionGroup var framing: FramingOption

    @Flag(help: "Print counters when stopping, one JSON object per line.")
    var json = false

    mutating func validate() throws {
        try framing.check(for: carrier)
        guard carrier == .homa || node.isDefault else {
            throw ValidationError(
                "--driver, --carriage, --hijack, --region, --mtu, --preset and --receive-mode are for --protocol homa")
        }
        guard carrier == .tcp || !node.writesEach else { throw ValidationError("--write-each is for --protocol tcp") }
    }

    func run() async throws {
        try await orCouldNotRun {
            warnIfDebug(.current(mtu: node.mtu))
            switch carrier {
            case .homa: try await serveHoma()
            case .tcp: try await serveTCP()
            case .udp: try await serveUDP()
            case .trains: try await takeTrains()
            }
        }
    }

    private func serveTCP() async throws {
        var options = TCPEchoServer.Options()
        options.spin = node.spin.duration == nil
        options.writesEach = node.writesEach
        let server = try TCPEchoServer(listeningOn: [try listenAddress()], options: options)
        try announce(server.addresses[0].port)
        await StopSignals.wait(atMost: lifetime?.duration)
        server.stop()
    }

    private func serveUDP() async throws {
        let server = try UDPEchoServer(on: try listenAddress())
        try announce(server.address.port)
        await StopSignals.wait(atMost: lifetime?.duration)
        server.stop()
    }

    private func takeTrains() async throws {
        let sink = try UDPTrainSink(on: try listenAddress())
        try announce(sink.address.port)
        await StopSignals.wait(atMost: lifetime?.duration)
        sink.stop()
    }

    private func listenAddress() throws -> PeerAddress {
        guard let bind else { return PeerAddress(high: 0, low: 0, port: port) }
        return try resolve(bind, defaultPort: port)
    }

    /// The one line on standard output, so that scripts know when and where to connect.
    func announce(_ port: UInt16) throws { try say("serving \(carrier.rawValue) on port \(port)") }
}
