// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

@Suite("Random packets")
struct FuzzTests {
    /// A header that parses, about an RPC that may well exist.
    static func packet(_ random: inout SeededRandom) -> [UInt8] {
        let length = UInt32(
            [1...10, 1000...5000, 60_000...1_000_000].randomElement(using: &random)!.randomElement(using: &random)!)
        let offset = UInt32.random(in: 0..<length, using: &random)
        let count = UInt32.random(in: 1...min(3000, length - offset), using: &random)
        var acks = AckFields()
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            acks.append(AckRecord(clientID: RPCID(rawValue: .random(in: 1...60, using: &random) * 2), serverPort: 99))
        }
        var cutoffs = InlineArray<8, UInt32>(repeating: 0)
        cutoffs[Int.random(in: 0..<8, using: &random)] = .random(in: 0...1_000_000, using: &random)
        let body: PacketBody =
            switch Int.random(in: 0..<14, using: &random) {
            case 0:
                .grant(
                    GrantFields(
                        offset: .random(in: 1...1_000_000, using: &random), priority: .random(in: 0...7, using: &random)
                    ))
            case 1: .resend(ResendFields(offset: 0, length: -1, priority: .random(in: 0...7, using: &random)))
            case 2:
                .resend(
                    ResendFields(
                        offset: .random(in: 0...500_000, using: &random),
                        length: .random(in: 1...500_000, using: &random),
                        priority: .random(in: 0...7, using: &random)))
            case 3: .rpcUnknown
            case 4: .busy
            case 5: .cutoffs(CutoffsFields(cutoffs: cutoffs, version: .random(in: 0...3, using: &random)))
            case 6: .freeze
            case 7: .needAck
            case 8: .ack(acks)
            default:
                .data(
                    DataFields(
                        messageLength: length, incoming: .random(in: 0...length, using: &random), ack: acks.records[0],
                        cutoffVersion: .random(in: 0...2, using: &random),
                        oldestUnfinishedDistance: [0, 0, 1, 9, 65_535].randomElement(using: &random)!, offset: offset,
                        payloadLength: count))
            }
        var id = UInt64.random(in: 2...122, using: &random)
        if Int.random(in: 0..<50, using: &random) == 0 { id = .max - id }
        if case .needAck = body { id |= 1 }
        if case .ack = body { id &= ~1 }
        let extensions = HeaderExtension(
            version: .random(in: 0...2, using: &random), marks: .init(rawValue: .random(in: 0...31, using: &random)),
            tag: 0)
        let ports: (UInt16, UInt16) = id & 1 == 0 ? (0x8000, 99) : (99, 0x8000)
        let header = PacketHeader(
            sourcePort: Int.random(in: 0..<20, using: &random) == 0 ? 7 : ports.0, destinationPort: ports.1,
            senderID: RPCID(rawValue: id), extensions: extensions, body: body)
        var bytes = [UInt8](repeating: 0, count: header.byteCount)
        if case .data = body { bytes += [UInt8](repeating: 0xEE, count: Int(count)) }
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        if Int.random(in: 0..<10, using: &random) == 0 {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
        return bytes
    }

    /// Method: two hosts call each other under random faults while a third address that is neither of them
    /// floods both. Property: no crash, and every call is answered once with the right bytes.
    @Test("packets from a third address disturb no call", arguments: seeds(0..<60))
    func stranger(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let hosts = try NetTests.hosts(2, seed: seed)
        let net = TestNet(hosts: hosts, faults: .drawn(&random), seed: seed)
        net.responseLength = { $0 }
        let strangers = (0..<3).map { PeerAddress(ipv4: 0x0900_0000 + UInt32($0), port: 1) }
        for cookie in 0..<20 {
            try net.call(
                from: cookie % 2, to: 1 - cookie % 2, length: .random(in: 1...100_000, using: &random),
                cookie: UInt64(cookie))
            for _ in 0..<40 {
                net.launch(
                    Self.packet(&random), from: strangers.randomElement(using: &random)!,
                    to: hosts[.random(in: 0...1, using: &random)].address)
            }
            try net.run(until: net.now.advanced(byNanoseconds: .random(in: 0...300_000, using: &random)))
        }
        try net.run()
        for cookie in 0..<20 { #expect(hosts[cookie % 2].responses[UInt64(cookie)] == 1) }
        for host in hosts {
            #expect(host.failures.isEmpty)
            #expect(host.endpoint.incomingBytes == 0 && host.endpoint.rangesInUse == 0 && host.endpoint.rpcCount == 0)
            #expect(host.pool.statistics.leasesLive == 0)
        }
        #expect(net.grantViolations.isEmpty)
    }

    /// Method: the same flood, but under the hosts' own addresses, as if one had gone mad.
    /// Property: calls may fail or carry wrong bytes, but nothing crashes and nothing is left behind.
    @Test("packets that lie about everything leave nothing behind", arguments: seeds(0..<100))
    func liar(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let hosts = try NetTests.hosts(2, regionLength: seed % 4 == 0 ? 2 << 20 : 16 << 20, seed: seed)
        let net = TestNet(hosts: hosts, faults: .drawn(&random), seed: seed)
        net.responseLength = { $0 % 7 == 0 ? nil : min($0, 100_000) }
        for cookie in 0..<20 {
            try net.call(
                from: cookie % 2, to: 1 - cookie % 2, length: .random(in: 1...200_000, using: &random),
                cookie: UInt64(cookie))
            for _ in 0..<60 {
                let target = Int.random(in: 0...1, using: &random)
                net.launch(Self.packet(&random), from: hosts[1 - target].address, to: hosts[target].address)
            }
            try net.run(until: net.now.advanced(byNanoseconds: .random(in: 0...300_000, using: &random)))
            for host in hosts { host.endpoint.checkInvariants() }
        }
        // A request that was lied about may take as long as an RPC may stand still, and so may its response.
        try net.run(until: Instant(nanoseconds: 120_000_000_000))
        for (index, host) in hosts.enumerated() {
            for cookie in 0..<20 where cookie % 2 == index {
                let outcomes =
                    host.responses[UInt64(cookie), default: 0] + (host.failures[UInt64(cookie)] == nil ? 0 : 1)
                #expect(outcomes == 1, "call \(cookie)")
            }
            #expect(host.endpoint.rpcCount == 0 && host.endpoint.incomingBytes == 0 && host.endpoint.rangesInUse == 0)
            #expect(host.payloadsHeld.isEmpty)
            #expect(host.pool.statistics.leasesLive == 0)
            #expect(host.endpoint.nextDeadline == nil)
        }
    }
}
