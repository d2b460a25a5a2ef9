// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

@Suite("Hosts that crash, restart, or speak the kernel's dialect")
struct CrashTests {
    static func configuration() -> EndpointConfiguration {
        var configuration = EndpointConfiguration.default
        configuration.maximumRPCs = 1024
        configuration.maximumPeers = 64
        return configuration
    }

    static func fresh(_ number: Int, firstRPC: UInt64, lifeNumber: UInt64, at now: Instant) throws -> TestHost {
        try TestHost(
            number: number, configuration: configuration(), seed: 77, firstRPC: firstRPC, lifeNumber: lifeNumber,
            at: now, startsAnew: true)
    }

    /// Method: calls among four hosts; one stops at a drawn moment.
    /// Property: calls between the others succeed, calls to it time out, and nobody keeps anything of it.
    @Test(
        "a host that stops in the middle leaves the others unaffected and nothing behind",
        arguments: seeds(0..<60))
    func crash(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let net = TestNet(hosts: try NetTests.hosts(4, seed: seed), faults: .drawn(&random), seed: seed)
        net.faults.loss = min(net.faults.loss, 0.05)
        var expected: [UInt64: (client: Int, server: Int)] = [:]
        for cookie in 0..<40 as Range<UInt64> {
            let client = Int.random(in: 0..<4, using: &random)
            let server = (client + Int.random(in: 1..<4, using: &random)) % 4
            try net.call(from: client, to: server, length: .random(in: 1...300_000, using: &random), cookie: cookie)
            expected[cookie] = (client, server)
        }
        try net.run(until: Instant(nanoseconds: .random(in: 0...3_000_000, using: &random)))
        net.kill(3)
        try net.run()
        for (cookie, call) in expected where call.client != 3 {
            let host = net.hosts[call.client]
            if call.server != 3 {
                #expect(host.responses[cookie] == 1, "call \(cookie) had nothing to do with the dead host")
            } else {
                #expect(host.responses[cookie] == 1 || host.failures[cookie] == .timedOut)
            }
        }
        for host in net.hosts.dropLast() {
            #expect(host.endpoint.rpcCount == 0 && host.endpoint.incomingBytes == 0 && host.endpoint.rangesInUse == 0)
            #expect(host.pool.statistics.leasesLive == 0 && host.payloadsHeld.isEmpty)
            #expect(host.executions.values.allSatisfy { $0 == 1 })
            #expect(host.corruptions == 0)
        }
    }

    /// Method: the server loses its memory at a drawn moment, and comes back as somebody else; the client may not
    /// have heard anything of its first life.
    /// Property: no request runs twice, counted over both lives; every call has one outcome.
    @Test("no request runs twice when the server restarts", arguments: seeds(0..<80))
    func serverRestart(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let net = TestNet(hosts: try NetTests.hosts(2, seed: seed), seed: seed)
        net.faults.loss = seed % 2 == 0 ? 0 : 0.05
        net.serviceTime = 500_000
        for cookie in 0..<10 as Range<UInt64> {
            try net.call(from: 0, to: 1, length: .random(in: 1...100_000, using: &random), cookie: cookie)
            try net.run(until: net.now.advanced(byNanoseconds: .random(in: 0...100_000, using: &random)))
        }
        try net.run(until: net.now.advanced(byNanoseconds: .random(in: 0...500_000, using: &random)))
        let before = net.hosts[1].executions
        net.restart(1, as: try Self.fresh(2, firstRPC: 1 << 20, lifeNumber: 2, at: net.now))
        try net.call(from: 0, to: 1, length: 100, cookie: 100)
        try net.run()
        let client = net.hosts[0]
        for (name, count) in net.hosts[1].executions {
            #expect(count + before[name, default: 0] == 1, "\(name) ran twice")
        }
        for cookie in 0..<10 as Range<UInt64> {
            #expect(client.responses[cookie, default: 0] + (client.failures[cookie] == nil ? 0 : 1) == 1)
            if let failure = client.failures[cookie] { #expect([.peerRestarted, .timedOut].contains(failure)) }
        }
        #expect(client.responses[100] == 1 || client.failures[100] == .peerRestarted)
        #expect(client.endpoint.rpcCount == 0 && net.hosts[1].endpoint.rpcCount == 0)
    }

    /// Method: the client loses its memory at a drawn moment and goes on with higher identifiers.
    @Test(
        "a server forgets the calls of a client that restarted, and serves its new ones",
        arguments: seeds(0..<40))
    func clientRestart(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let net = TestNet(hosts: try NetTests.hosts(2, seed: seed), faults: .drawn(&random), seed: seed)
        net.faults.loss = min(net.faults.loss, 0.05)
        net.serviceTime = 300_000
        for cookie in 0..<10 as Range<UInt64> {
            try net.call(from: 0, to: 1, length: .random(in: 1...300_000, using: &random), cookie: cookie)
        }
        try net.run(until: Instant(nanoseconds: .random(in: 0...1_000_000, using: &random)))
        net.restart(0, as: try Self.fresh(1, firstRPC: 1 << 20, lifeNumber: 2, at: net.now))
        for cookie in 20..<30 as Range<UInt64> {
            try net.call(from: 0, to: 1, length: .random(in: 1...100_000, using: &random), cookie: cookie)
        }
        try net.run()
        #expect(net.hosts[0].responses.count == 10 && net.hosts[0].failures.isEmpty)
        let server = net.hosts[1]
        #expect(server.executions.values.allSatisfy { $0 == 1 })
        #expect(server.endpoint.rpcCount == 0 && server.pool.statistics.leasesLive == 0 && server.payloadsHeld.isEmpty)
    }

    /// Method: as for any faults, but one side's extensions never arrive, and it has the kernel's settings.
    @Test("a kernel peer is served and serves", arguments: seeds(0..<100))
    func kernelPeer(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var kernel = EndpointConfiguration.linux2026
        kernel.maximumRPCs = 1024
        kernel.maximumPeers = 64
        kernel.linkRate = nil
        kernel.timeout = .seconds(2)
        var ours = Self.configuration()
        ours.timeout = .seconds(2)
        let hosts = [
            try TestHost(number: 1, configuration: ours, seed: seed),
            try TestHost(number: 2, configuration: kernel, seed: seed),
            try TestHost(number: 3, configuration: ours, seed: seed),
        ]
        let net = TestNet(hosts: hosts, faults: .drawn(&random), seed: seed)
        net.kernelHosts = [hosts[1].address]
        net.holdTime = seed % 3 == 0 ? 500_000 : 0
        var marks = 0
        net.filter = { header, from, to in
            if to == hosts[1].address, !header.common.extensions.marks.isEmpty { marks += 1 }
            return true
        }
        for cookie in 0..<30 {
            let client = cookie % 3
            let server = (client + Int.random(in: 1...2, using: &random)) % 3
            try net.call(
                from: client, to: server, length: .random(in: 1...(cookie % 5 == 0 ? 400_000 : 5000), using: &random),
                cookie: UInt64(cookie))
            if Bool.random(using: &random) {
                try net.run(until: net.now.advanced(byNanoseconds: .random(in: 0...200_000, using: &random)))
            }
        }
        try net.run()
        checkAtRest(net, calls: 30)
        #expect(marks == 0, "a kernel peer is never sent a mark")
    }

    @Test("a kernel client whose request is dropped unanswered hears nothing and times out")
    func kernelDeclined() throws {
        let net = TestNet(hosts: try NetTests.hosts(2), seed: 1)
        net.kernelHosts = [net.hosts[0].address]
        net.responseLength = { _ in nil }
        try net.call(from: 0, to: 1, length: 100, cookie: 1)
        try net.run()
        #expect(net.hosts[0].failures == [1: .timedOut])
        checkAtRest(net, calls: 1, mayFail: true)
    }

    /// Method: every DATA packet of a busy net is kept, and all are sent once more when everything is over.
    @Test(
        "late duplicates of everything run nothing again and leave nothing behind", arguments: seeds(0..<60))
    func lateDuplicates(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let net = TestNet(hosts: try NetTests.hosts(3, seed: seed), faults: .drawn(&random), seed: seed)
        if seed % 2 == 0 { net.kernelHosts = [net.hosts[seed % 4 == 0 ? 0 : 1].address] }
        net.faults.loss = min(net.faults.loss, 0.05)
        net.records = []
        for cookie in 0..<20 as Range<UInt64> {
            let client = Int(cookie) % 3
            try net.call(
                from: client, to: (client + 1) % 3, length: .random(in: 1...20_000, using: &random), cookie: cookie)
            try net.run(until: net.now.advanced(byNanoseconds: .random(in: 0...100_000, using: &random)))
        }
        try net.run()
        checkAtRest(net, calls: 20)
        let recorded = net.records!
        net.records = nil
        net.faults = Faults(jitter: 1_000_000)
        for round in 0..<2 {
            for packet in recorded { net.launch(packet.bytes, from: packet.from, to: packet.to) }
            try net.run(until: net.now.advanced(byNanoseconds: round == 0 ? 100_000_000 : 60_000_000_000))
        }
        checkAtRest(net, calls: 20)
    }

    /// Method: many senders at once; the receiver's count is compared with its limit at every step.
    @Test(
        "under incast no more is on its way than the limit and the senders' unscheduled bytes", arguments: [4, 12, 24])
    func incast(senders: Int) throws {
        var configuration = Self.configuration()
        configuration.fifoGrantFraction = 0
        configuration.maximumIncoming = 300_000
        configuration.grantIncrement = 10_000
        // All of them are strangers at first, who have an eighth of the records.
        configuration.maximumPeers = 256
        configuration.linkRate = .gigabitsPerSecond(10)
        let hosts = try (0...senders).map {
            try TestHost(number: $0 + 1, configuration: configuration, regionLength: 128 << 20, seed: 5)
        }
        let net = TestNet(hosts: hosts, seed: 5)
        net.responseLength = { _ in 100 }
        for sender in 1...senders { try net.call(from: sender, to: 0, length: 500_000, cookie: UInt64(sender)) }
        try net.run()
        checkAtRest(net, calls: senders)
        #expect(
            hosts[0].incomingHighWater <= 300_000 + senders * 60_888,
            "unscheduled bytes are all that may exceed the limit")
        #expect(hosts.dropFirst().allSatisfy { $0.endpoint.statistics.packetsRetransmitted == 0 })
    }

    /// Method: deadlines shorter and longer than the calls need, under faults.
    @Test("with deadlines every call ends by its deadline, one way or the other", arguments: seeds(0..<40))
    func deadlines(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let net = TestNet(hosts: try NetTests.hosts(2, seed: seed), faults: .drawn(&random), seed: seed)
        net.serviceTime = 1_000_000
        for cookie in 0..<30 as Range<UInt64> {
            let deadline = net.now.advanced(byNanoseconds: .random(in: 0...3_000_000, using: &random))
            try net.call(
                from: 0, to: 1, length: .random(in: 1...100_000, using: &random), cookie: cookie, deadline: deadline)
        }
        try net.run(until: Instant(nanoseconds: 3_000_000))
        #expect(net.hosts[0].responses.count + net.hosts[0].failures.count == 30)
        try net.run()
        checkAtRest(net, calls: 30, mayFail: true)
        #expect(net.hosts[0].failures.values.allSatisfy { $0 == .deadlineExceeded })
    }

    @Test("at the end of an endpoint's life everything goes back")
    func releaseEverything() throws {
        let net = TestNet(hosts: try NetTests.hosts(2), seed: 1)
        net.serviceTime = 1_000_000_000
        for cookie in 0..<20 as Range<UInt64> {
            try net.call(
                from: Int(cookie) % 2, to: 1 - Int(cookie) % 2, length: 20_000 * Int(cookie) + 1, cookie: cookie)
        }
        try net.run(until: Instant(nanoseconds: 200_000))
        net.hosts[0].endpoint.releaseEverything(at: net.now)
        net.drain(0)
        #expect(net.hosts[0].endpoint.rpcCount == 0 && net.hosts[0].payloadsHeld.isEmpty)
        #expect(net.hosts[0].failures.count == 10 && net.hosts[0].endpoint.rangesInUse == 0)
        #expect(net.hosts[0].endpoint.incomingBytes == 0 && net.hosts[0].endpoint.nextDeadline == nil)
    }
}
