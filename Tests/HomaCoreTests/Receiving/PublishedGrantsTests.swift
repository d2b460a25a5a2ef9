// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// The rules of the SIGCOMM 2018 simulations, held against every grant.
@Suite("Grants of the published simulations")
struct PublishedGrantsTests {
    /// A message on its way to the host: its sender transmits whole packets up to the last grant.
    struct Message {
        var id: UInt64
        var peer: UInt32
        var length: Int
        var granted: Int
        var sent = 0
        var received = 0
    }

    static func configuration(levels: Int) -> EndpointConfiguration {
        var configuration = EndpointConfiguration.sigcomm2018(scheduledLevels: levels)
        configuration.maximumRPCs = 256
        configuration.maximumPeers = 64
        configuration.resendAfter = .seconds(1)
        configuration.resendIntervalLimit = .seconds(1)
        configuration.timeout = .seconds(10)
        return configuration
    }

    /// Method: senders with several messages each transmit all that they may, one packet at a time in drawn order.
    /// Properties: those of the paper, at every grant; and every message completes.
    @Test(
        "one message for each sender, D at once, 10 000 bytes ahead, one packet a grant, lowest levels first",
        arguments: 0..<40 as Range<UInt64>)
    func rules(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let levels = Int.random(in: 1...7, using: &random)
        let host = try LoneHost(Self.configuration(levels: levels))
        var messages = (0..<24).map { number in
            let length = Int.random(in: 10_000...120_000, using: &random)
            return Message(
                id: UInt64(number + 1) * 2, peer: UInt32.random(in: 1...8, using: &random), length: length,
                granted: min(length, 9_328))
        }
        var started = 0
        while true {
            if started < messages.count, Int.random(in: 0..<20, using: &random) == 0 || messages[..<started].isEmpty {
                started += 1
            }
            let ready = messages.indices.prefix(started).filter { messages[$0].sent < messages[$0].granted }
            guard let chosen = ready.randomElement(using: &random) else {
                if started == messages.count { break }
                started += 1
                continue
            }
            deliver(&messages[chosen], to: host)
            obey(host, &messages, levels: levels)
            _ = try host.requests()
        }
        #expect(messages.allSatisfy { $0.received == $0.length })
    }

    /// One packet of the message arrives: up to 1442 bytes, with a boundary after the unscheduled ones.
    private func deliver(_ message: inout Message, to host: LoneHost) {
        let end = min(message.sent + 1442, message.sent < 9_328 ? min(9_328, message.length) : message.length)
        host.data(
            message.sent..<end, of: message.length, id: message.id, incoming: max(message.granted, end),
            from: GranterTests.peer(message.peer))
        message.received += end - message.sent
        message.sent = end
    }

    /// Checks the grants that a packet brought, and lets the senders have them.
    private func obey(_ host: LoneHost, _ messages: inout [Message], levels: Int) {
        var grantees: [Int] = []
        for packet in host.sent() {
            guard case .grant(let grant) = packet.header.body else { continue }
            let id = packet.header.common.senderID.rawValue ^ 1
            let index = messages.firstIndex { $0.id == id }!
            let step = Int(grant.offset) - messages[index].granted
            #expect(step > 0 && step <= 1442, "at most one packet a grant")
            messages[index].granted = Int(grant.offset)
            #expect(messages[index].granted - messages[index].received <= 10_000)
            #expect(packet.priority == 7, "grants go before everything")
            #expect(Int(grant.priority) < levels)
            if !grantees.contains(index) { grantees.append(index) }
        }
        // One that is granted to its end makes room for another at once.
        let active = grantees.filter { messages[$0].granted < messages[$0].length }
        #expect(active.count <= levels)
        #expect(Set(active.map { messages[$0].peer }).count == active.count, "one message of each sender")
        for index in grantees {
            let own = messages.filter { $0.peer == messages[index].peer && $0.received > 0 && $0.granted < $0.length }
            let shortest = own.map { $0.length - $0.received }.min() ?? .max
            #expect(messages[index].length - messages[index].received <= shortest, "its sender's shortest")
        }
    }

    @Test("in the steady state every data packet brings one grant for one packet")
    func oneForOne() throws {
        let host = try LoneHost(Self.configuration(levels: 1))
        var message = Message(id: 2, peer: 1, length: 200_000, granted: 9_328)
        var grants: [Int] = []
        while message.received < message.length {
            deliver(&message, to: host)
            let offsets = host.sent().compactMap {
                if case .grant(let grant) = $0.header.body { Int(grant.offset) } else { nil }
            }
            grants.append(offsets.count)
            message.granted = offsets.last ?? message.granted
        }
        // The first packet finds 10 000 bytes' room where 7886 are on their way.
        #expect(grants[0] == 2)
        let all = grants.reduce(0, +)
        #expect(grants.dropFirst().allSatisfy { $0 <= 1 })
        #expect(all == (200_000 - 9_328 + 1441) / 1442 || all == (200_000 - 9_328 + 1441) / 1442 + 1)
    }

    @Test("a message alone uses the lowest level, and each shorter one that joins takes the next above")
    func levels() throws {
        let host = try LoneHost(Self.configuration(levels: 4))
        var seen: [UInt8] = []
        for number in 1...4 as ClosedRange<UInt32> {
            host.data(
                0..<1442, of: 500_000 - 100_000 * Int(number), id: UInt64(number) * 2, incoming: 9_328,
                from: GranterTests.peer(number))
            seen.append(GranterTests.grants(host)[UInt64(number) * 2]!.priority)
        }
        #expect(seen == [0, 1, 2, 3])
    }

    @Test("the rest of a message is granted at the level of an unscheduled message of its length, if so configured")
    func boostedTail() throws {
        var configuration = Self.configuration(levels: 4)
        configuration.boostedTailBytes = 5000
        configuration.unscheduledCutoffs = [0, 0, 0, 0, 1_000_000, 3000, 2000, 1000]
        let host = try LoneHost(configuration)
        var message = Message(id: 2, peer: 1, length: 20_000, granted: 9_328)
        var levels: [(left: Int, level: UInt8)] = []
        while message.received < message.length {
            deliver(&message, to: host)
            for packet in host.sent() {
                guard case .grant(let grant) = packet.header.body else { continue }
                levels.append((message.length - message.granted, grant.priority))
                message.granted = Int(grant.offset)
            }
        }
        for (left, level) in levels {
            #expect(level == (left <= 1000 ? 7 : left <= 2000 ? 6 : left <= 3000 ? 5 : left <= 5000 ? 4 : 0), "\(left)")
        }
        #expect(Set(levels.map(\.level)).isSuperset(of: [0, 4]))
    }

    @Test("a sender transmits granted messages shortest first, and grants of its own before them")
    func sender() throws {
        var configuration = Self.configuration(levels: 4)
        configuration.linkRate = nil
        let host = try LoneHost(configuration)
        for _ in 0..<2 {
            _ = try host.endpoint.call(
                CallRequest(
                    destination: LoneHost.server, serverPort: 99, clientPort: 0x8000, length: 20_000, payload: 1,
                    cookie: 1), at: .zero)
        }
        _ = try host.endpoint.call(
            CallRequest(
                destination: LoneHost.server, serverPort: 99, clientPort: 0x8000, length: 3000, payload: 2, cookie: 2),
            at: .zero)
        var header = PacketHeader(
            sourcePort: 0x8000, destinationPort: 99, senderID: RPCID(rawValue: 2),
            body: .data(DataFields(messageLength: 30_000, incoming: 9_328, offset: 0, payloadLength: 1442)))
        header.common.extensions = LoneHost.ours
        _ = host.endpoint.receive(header, from: LoneHost.client, at: .zero)
        let packets = host.sent()
        let lengths = packets.map(\.payloadLength)
        #expect(lengths.prefix { $0 == 0 }.count == lengths.count { $0 == 0 }, "control before data")
        #expect(packets.filter { $0.payloadLength > 0 }.prefix(3).map(\.payload) == [2, 2, 2])
    }
}
