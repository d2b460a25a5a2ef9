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
        var neighbours = Neighbours()
        neighbours.add(ShardStanding(activeMessages: share.elsewhere, isSending: false, nextID: RPCID(rawValue: 2)))
        host.endpoint.meet(neighbours)
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
}
