// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Nothing that arrives waits for ever: neither for a share of the window that is too small to be granted, nor behind
/// senders that claim much and bring little.
@Suite("Grants never stop")
struct GrantLivenessTests {
    struct Share: CustomTestStringConvertible, Sendable {
        var overcommitment = 8
        var incoming = 500_000
        var increment = 50_000
        var window: Int?
        var elsewhere = 0
        var length = 200_000
        var testDescription: String { "\(overcommitment) + \(elsewhere) of \(incoming) by \(increment)" }
    }

    static let shares = [
        Share(elsewhere: 8), Share(elsewhere: 24), Share(elsewhere: 120),
        Share(overcommitment: 1, incoming: 20_000, increment: 10_000, elsewhere: 15),
        Share(overcommitment: 64, incoming: 3000, increment: 40, length: 4000),
        Share(incoming: 5000, increment: 10_000, window: 10_000),
    ]

    @Test("however small a message's share of the window, all messages are granted to and arrive", arguments: shares)
    func arrives(_ share: Share) throws {
        var configuration = EndpointConfiguration.small
        configuration.overcommitment = share.overcommitment
        configuration.maximumIncoming = share.incoming
        configuration.grantIncrement = share.increment
        configuration.window = share.window
        let host = try LoneHost(configuration, shard: 0, of: 2)
        var summaries = ShardSummaries()
        summaries.add(ShardSummary(activeMessages: share.elsewhere, isSending: false, nextID: RPCID(rawValue: 2)))
        host.endpoint.apply(summaries)
        // Identifiers of shard 0, each a message whose unscheduled bytes are here.
        var arrived: [UInt64: Int] = [:]
        for number in 1...UInt64(share.overcommitment) {
            arrived[number * 4] = 1000
            host.data(0..<1000, of: share.length, id: number * 4, incoming: 1000)
        }
        var rounds = 0
        while !arrived.isEmpty, rounds < 20_000 {
            rounds += 1
            for packet in host.sent() {
                guard case .grant(let grant) = packet.header.body else { continue }
                let id = packet.header.common.senderID.rawValue ^ 1
                guard let start = arrived[id] else { continue }
                host.data(start..<Int(grant.offset), of: share.length, id: id)
                arrived[id] = grant.offset == share.length ? nil : Int(grant.offset)
            }
            host.pass(microseconds: 10)
        }
        #expect(arrived.isEmpty, "\(arrived.count) of \(share.overcommitment) never arrived")
    }

    // MARK: Claims

    enum Attack: CaseIterable, Sendable {
        case oneClaim, eightBegun, sixtyFourBegun, eightThatDrip

        var messages: Int {
            switch self {
            case .oneClaim: 1
            case .eightBegun, .eightThatDrip: 8
            case .sixtyFourBegun: 64
            }
        }

        /// Sends what it sends at `time`, in milliseconds ÷ 10.
        func strike(_ net: TestNet, tick: Int) {
            guard tick % 25 == 0 else { return }
            for number in 0..<messages {
                let stranger = PeerAddress(ipv4: 0x0B00_0000, port: UInt16(1 + number % 8))
                let offset = self == .eightThatDrip ? tick / 25 : 0
                let data = DataFields(
                    messageLength: 1_000_000, incoming: self == .oneClaim ? 999_999 : 60_000, cutoffVersion: 1,
                    offset: UInt32(offset), payloadLength: 1)
                let id = UInt64(2 + 2 * (number / 8))
                net.launch(
                    HostileTests.bytes(.data(data), id: id, payload: 1), from: stranger, to: net.hosts[1].address)
            }
        }
    }

    /// Requests of 500 KB answered in 100 ms at 1 Gb/s, four of them under way.
    static func goodput(under attack: Attack?) throws -> Int {
        let net = TestNet(hosts: try NetTests.hosts(2, regionLength: 96 << 20), seed: 1)
        net.linkRate = .gigabitsPerSecond(1)
        net.responseLength = { _ in 100 }
        var begun = 0
        for tick in 0..<1500 {
            attack?.strike(net, tick: tick)
            while begun < net.hosts[0].responses.count + 4 {
                try net.call(from: 0, to: 1, length: 500_000, cookie: UInt64(begun))
                begun += 1
            }
            try net.run(until: Instant(nanoseconds: UInt64(tick + 1) * 100_000))
        }
        #expect(net.hosts[0].failures.isEmpty)
        return net.hosts[0].responses.count
    }

    @Test(
        "senders that repeat a claim, or bring a byte now and then, leave honest messages most of their goodput",
        arguments: Attack.allCases)
    func claims(_ attack: Attack) throws {
        let alone = try Self.goodput(under: nil)
        let attacked = try Self.goodput(under: attack)
        #expect(attacked * 10 >= alone * 7, "\(attacked) of \(alone)")
    }

    @Test("a duplicate is no sign of life")
    func duplicates() throws {
        let host = try LoneHost()
        for _ in 0..<3000 {
            host.data(0..<100, of: 50_000, id: 2, incoming: 50_000)
            host.pass(microseconds: 3000)
        }
        // It began again with the first packet after its end.
        #expect(host.endpoint.statistics.clientsLost >= 1)
    }
}
