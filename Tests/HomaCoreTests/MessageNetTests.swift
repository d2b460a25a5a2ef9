// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWire
import Testing

@Suite("One-way messages on a network")
struct MessageNetTests {
    /// Messages drawn from the seed, some of them begun at once and some later.
    static func sendMessages(_ net: TestNet, count: Int, _ random: inout SeededRandom) throws {
        for cookie in 0..<count {
            let sender = Int.random(in: 0..<net.hosts.count, using: &random)
            let receiver = (sender + Int.random(in: 1..<net.hosts.count, using: &random)) % net.hosts.count
            let length = [1...100, 100...1500, 1500...20_000, 20_000...200_000].randomElement(using: &random)!
            try net.message(
                from: sender, to: receiver, length: Int.random(in: length, using: &random), cookie: UInt64(cookie))
            if Bool.random(using: &random) {
                try net.run(until: net.now.advanced(byNanoseconds: UInt64.random(in: 0...100_000, using: &random)))
            }
        }
    }

    static func arrivals(_ net: TestNet) -> Int {
        net.hosts.reduce(0) { $0 + $1.deliveries.count + $1.executions.count }
    }

    /// Method: a drawn mixture of faults, sizes and hosts, some of them kernel peers; the seed names the failing case.
    /// Property: with losses below what the timeout covers, every message is delivered once, with the right bytes, and
    /// its sender hears so once.
    @Test(
        "every message arrives once despite loss, duplicates, delay and reordering",
        arguments: seeds(0..<200))
    func faults(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var configuration: EndpointConfiguration = [.default, .linux2026].randomElement(using: &random)!
        configuration.timeout = .seconds(2)
        configuration.linkRate = nil
        let count = Int.random(in: 2...5, using: &random)
        let net = TestNet(
            hosts: try NetTests.hosts(count, configuration: configuration, seed: seed), faults: .drawn(&random),
            seed: seed)
        if seed % 3 == 0 { net.kernelHosts = [net.hosts[0].address] }
        net.holdTime = [0, 1_000_000].randomElement(using: &random)!
        try Self.sendMessages(net, count: 30, &random)
        try net.run()
        checkAtRest(net, calls: 30)
        #expect(Self.arrivals(net) == 30)
    }

    /// The published mode, with messages kept long enough for every loss to be made good.
    @Test(
        "without acknowledgements every message arrives once while its sender keeps it",
        arguments: seeds(0..<120))
    func unacknowledged(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var configuration = EndpointConfiguration.sigcomm2018(scheduledLevels: 4)
        configuration.unacknowledgedRetention = .seconds(2)
        configuration.timeout = .seconds(2)
        configuration.linkRate = nil
        let count = Int.random(in: 2...5, using: &random)
        let net = TestNet(hosts: try NetTests.hosts(count, configuration: configuration, seed: seed), seed: seed)
        net.faults = .drawn(&random)
        // A message of which every packet is lost is unknown to its receiver, and over for its sender.
        var first: Set<String> = []
        net.spare = { header, from, _ in
            guard case .data(let data) = header.body, data.offset == 0 else { return false }
            return first.insert("\(from) \(header.common.senderID)").inserted
        }
        try Self.sendMessages(net, count: 30, &random)
        try net.run()
        checkAtRest(net, calls: 30)
        #expect(Self.arrivals(net) == 30)
    }

    @Test("on a network without losses the published mode sends nothing but data, grants and questions")
    func published() throws {
        var configuration = EndpointConfiguration.sigcomm2018(scheduledLevels: 4)
        configuration.linkRate = nil
        let net = TestNet(hosts: try NetTests.hosts(3, configuration: configuration), seed: 1)
        var random = SeededRandom(seed: 1)
        try Self.sendMessages(net, count: 100, &random)
        try net.run()
        checkAtRest(net, calls: 100)
        #expect(net.hosts.reduce(0) { $0 + $1.deliveries.count } == 100)
        for host in net.hosts {
            for type in PacketType.allCases where type != .data && type != .grant {
                #expect(host.endpoint.statistics.sent(type) == 0, "\(type)")
            }
        }
    }

    @Test("messages to a host that stops end for their sender with a failure, and calls beside them")
    func deadPeer() throws {
        let net = TestNet(hosts: try NetTests.hosts(2), seed: 1)
        try net.message(from: 0, to: 1, length: 100, cookie: 1)
        try net.run(until: Instant(nanoseconds: 1_000_000_000))
        net.kill(1)
        try net.message(from: 0, to: 1, length: 100, cookie: 2)
        try net.message(from: 0, to: 1, length: 300_000, cookie: 3)
        try net.call(from: 0, to: 1, length: 300_000, cookie: 4)
        try net.run()
        #expect(net.hosts[0].completions == [1: 1])
        #expect(net.hosts[0].failures == [2: .timedOut, 3: .timedOut, 4: .timedOut])
    }
}
