// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Paths that become narrower while a message is on its way.
@Suite("Narrower paths")
struct NarrowPathTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var length: Int
        /// Microseconds after which the path narrows.
        var after: UInt64
        var isResponse: Bool
        var isKernel: Bool
        var testDescription: String {
            "\(length) bytes, after \(after) µs, \(isResponse ? "response" : "request")\(isKernel ? ", kernel" : "")"
        }
    }

    static let cases = [1400, 20_000, 100_000, 500_000].flatMap { length in
        [0, 6, 30].flatMap { after in
            [false, true].flatMap { isResponse in
                [false, true].map { Case(length: length, after: after, isResponse: isResponse, isKernel: $0) }
            }
        }
    }

    @Test("a message under way arrives when its path carries less, within 100 ms", arguments: cases)
    func narrows(_ one: Case) throws {
        let net = TestNet(hosts: try NetTests.hosts(2), seed: 1)
        net.serviceTime = 0
        if one.isKernel { net.kernelHosts = [net.hosts[0].address] }
        net.responseLength = { _ in one.isResponse ? one.length : 100 }
        try net.call(from: 0, to: 1, length: one.isResponse ? 100 : one.length, cookie: 1)
        if one.after > 0 { try net.run(until: Instant(nanoseconds: one.after * 1000)) }
        net.pathBytes = 1280
        try net.run(until: Instant(nanoseconds: 100_000_000))
        #expect(net.hosts[0].responses == [1: 1])
        try net.run()
        checkAtRest(net, calls: 1)
    }

    @Test("what has not left, and what goes again, is cut by the present size; trains too")
    func cutting() throws {
        let host = try LoneHost()
        try host.call(length: 150_000)
        _ = host.sent()
        host.endpoint.setMaximumPacket(bytes: 1056, for: LoneHost.server)
        host.receive(.resend(ResendFields(offset: 1416, length: 2832, priority: 5)), id: 1001, from: LoneHost.server)
        host.receive(.grant(GrantFields(offset: 100_000, priority: 0)), id: 1001, from: LoneHost.server)
        let packets = host.sent()
        #expect(packets.allSatisfy { $0.payloadLength <= 1000 })
        #expect(packets.prefix(3).map(\.summary) == ["DATA 1416..<2416", "DATA 2416..<3416", "DATA 3416..<4248"])
        #expect(packets.dropFirst(3).first?.payloadOffset == 60_888)
        #expect(packets.last.map { $0.payloadOffset + $0.payloadLength } == 100_888)
    }

    @Test("what our own host refused as too long goes again at once, in pieces")
    func refused() throws {
        let host = try LoneHost()
        try host.call(length: 3000)
        #expect(host.said() == ["DATA 0..<1416", "DATA 1416..<2832", "DATA 2832..<3000"])
        host.endpoint.setMaximumPacket(bytes: 1056, for: LoneHost.server)
        func report(_ id: UInt64, _ offset: UInt32) {
            host.endpoint.packetRefused(
                by: LoneHost.server, id: RPCID(rawValue: id), offset: offset, at: host.now)
        }
        report(4000, 1416)
        report(1000, 3000)
        #expect(host.said().isEmpty, "nothing that was not sent")
        report(1000, 1416)
        #expect(host.said() == ["DATA 1416..<2416", "DATA 2416..<3000"])
        report(1000, 0)
        #expect(host.said().isEmpty, "one report for each size is enough")
        host.endpoint.setMaximumPacket(bytes: 556, for: LoneHost.server)
        report(1000, 2832)
        #expect(host.said() == ["DATA 2832..<3000"])
    }
}
