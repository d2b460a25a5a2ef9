// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HomaBase
import HomaBench
import HomaIO
import HomaPosix

/// A hostile sender, for testing one's own servers.
struct SprayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spray",
        abstract: "Send random and mutated packets to one's own test server.",
        discussion: """
            For robustness tests only: refuses every address that is not loopback or private.

            Example: homa spray 127.0.0.1:4000 --for 10s
            """,
        shouldDisplay: false)

    @Argument(help: "Server, as HOST:PORT; loopback or private.")
    var server: String

    @Option(name: .customLong("for"), help: "How long.", within: .length)
    var duration = TimeSpan(.seconds(10))

    @Option(help: "Decides every packet.", within: .seed)
    var seed: UInt64 = 1

    func run() async throws {
        try await orCouldNotRun {
            let address = try resolve(server)
            guard address.isPrivate else { throw ValidationError("\(server) is neither loopback nor private") }
            var generator = HostilePackets(seed: seed, port: address.port)
            let end = MonotonicClock.process.now() + duration.duration
            var count = 0
            while MonotonicClock.process.now() < end {
                try burst(4096, to: address, &generator, until: end)
                count += 4096
            }
            note("about \(count) packets sent to \(address)")
        }
    }

    /// Sends so many packets from a UDP port of their own: a new peer, of which the server thinks no ill yet.
    private func burst(
        _ count: Int, to address: PeerAddress, _ generator: inout HostilePackets, until end: Instant
    ) throws {
        let descriptor = socket(address.isIPv4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError(call: "socket", code: errno) }
        defer { close(descriptor) }
        for number in 0..<count {
            if number % 64 == 0, MonotonicClock.process.now() >= end { return }
            let packet = generator.next()
            _ = address.withSocketAddress { name in
                packet.withUnsafeBytes { bytes in
                    sendto(
                        descriptor, bytes.baseAddress, bytes.count, 0,
                        name.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(name.count))
                }
            }
        }
    }
}

extension PeerAddress {
    /// Loopback, or an address that private networks use (RFC 1918, RFC 4193).
    var isPrivate: Bool {
        if isIPv4 {
            return ipv4 >> 24 == 127 || ipv4 >> 24 == 10 || ipv4 >> 20 == 0xAC1 || ipv4 >> 16 == 0xC0A8
        }
        return (high == 0 && low == 1) || high >> 57 == 0x7E
    }
}
