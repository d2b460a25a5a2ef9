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

    @Test("a message arrives over a path that swallows long packets and tells nobody, within 400 ms", arguments: cases)
    func swallows(_ one: Case) throws {
        let net = TestNet(hosts: try NetTests.hosts(2), seed: 1)
        net.serviceTime = 0
        net.isBlackHole = true
        if one.isKernel { net.kernelHosts = [net.hosts[0].address] }
        net.responseLength = { _ in one.isResponse ? one.length : 100 }
        func call(_ cookie: UInt64, patience: UInt64, narrowsAfter: UInt64 = 0) throws {
            let end = net.now.advanced(byNanoseconds: patience * 1_000_000)
            try net.call(from: 0, to: 1, length: one.isResponse ? 100 : one.length, cookie: cookie)
            if narrowsAfter > 0 { try net.run(until: net.now.advanced(byNanoseconds: narrowsAfter * 1000)) }
            net.pathBytes = 1280
            try net.run(until: end)
            #expect(net.hosts[0].responses[cookie] == 1, "call \(cookie)")
        }
        try call(1, patience: 400, narrowsAfter: one.after)
        // The first may have been through before.
        try call(2, patience: 400)
        try call(3, patience: 4)
        try net.run()
        checkAtRest(net, calls: 3)
    }

    @Test("the same long packet asked for five times in a row makes packets shorter, for ten minutes")
    func blackHole() throws {
        let host = try LoneHost()
        try host.call(length: 3000)
        func ask(_ offset: UInt32, after milliseconds: UInt64) -> [String] {
            _ = host.sent()
            host.now = host.now.advanced(byNanoseconds: milliseconds * 1_000_000)
            host.receive(
                .resend(ResendFields(offset: offset, length: 1416, priority: 0)), id: 1001, from: LoneHost.server)
            return host.said()
        }
        for wait in [20, 20, 40, 50] { #expect(ask(0, after: UInt64(wait)) == ["DATA 0..<1416"]) }
        for _ in 1...8 { #expect(ask(0, after: 1) == ["BUSY"], "too soon: it may be under way") }
        for wait in [50, 50, 50, 50] {
            #expect(ask(1416, after: UInt64(wait)) == ["DATA 1416..<2832"], "another one: some arrive")
        }
        #expect(ask(1416, after: 80) == ["DATA 1416..<2592", "DATA 2592..<2832"])
        host.endpoint.setMaximumPacket(bytes: 1476, for: LoneHost.server)
        #expect(ask(0, after: 20) == ["DATA 0..<1176", "DATA 1176..<1416"], "whatever the links carry")
        host.now = host.now.advanced(byNanoseconds: 600_000_000_000)
        try host.call(length: 1400, cookie: 2)
        #expect(host.said() == ["DATA 0..<1400"], "longer ones are tried again")
    }

    @Test("a packet that is asked for again and again while others as long arrive is not too long")
    func othersArrive() throws {
        let host = try LoneHost()
        try host.call(length: 200_000)
        for round in 1...20 {
            host.now = host.now.advanced(byNanoseconds: 50_000_000)
            host.receive(
                .grant(GrantFields(offset: UInt32(62_000 + 1416 * round), priority: 0)), id: 1001,
                from: LoneHost.server)
            host.receive(.resend(ResendFields(offset: 0, length: 1416, priority: 0)), id: 1001, from: LoneHost.server)
        }
        #expect(host.endpoint.statistics.blackHolesFound == 0)
    }

    @Test("when longer packets are tried again, what somebody says of the path holds as ever")
    func widened() throws {
        let host = try LoneHost()
        try host.call(length: 1416)
        for _ in 1...8 {
            host.now = host.now.advanced(byNanoseconds: 50_000_000)
            host.receive(.resend(ResendFields(offset: 0, length: 1416, priority: 0)), id: 1001, from: LoneHost.server)
        }
        #expect(host.endpoint.statistics.blackHolesFound == 1)
        host.now = host.now.advanced(byNanoseconds: 600_000_000_000)
        try host.call(length: 1400, cookie: 2)
        host.endpoint.setMaximumPacket(bytes: 1400, for: LoneHost.server)
        #expect(try QuestionTests.peer(host).pointee.segment == UInt32(1400 - DataFields.byteCount))
    }

    @Test("short packets that are lost again and again say nothing of the path")
    func shortLosses() throws {
        let host = try LoneHost()
        try host.call(length: 3000)
        for _ in 1...10 {
            host.now = host.now.advanced(byNanoseconds: 20_000_000)
            host.receive(
                .resend(ResendFields(offset: 2832, length: 168, priority: 0)), id: 1001, from: LoneHost.server)
        }
        #expect(host.endpoint.statistics.blackHolesFound == 0)
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

    @Test("ten minutes after a report the path is asked about again, and can be wide again")
    func askedAgain() throws {
        let host = try LoneHost()
        func asked() -> Int { host.events().count { if case .pathWanted = $0 { true } else { false } } }
        func firstPacket() throws -> Int {
            try host.call(length: 5000)
            return try #require(host.sent().first { $0.payloadLength > 0 }).payloadLength
        }
        let wide = try firstPacket()
        #expect(asked() == 1)
        host.endpoint.packetRefused(
            by: LoneHost.server, id: RPCID(rawValue: 1000), offset: 0, longest: 1000, at: host.now)
        #expect(try firstPacket() < 1000)
        host.now = host.now + .seconds(599)
        _ = try firstPacket()
        #expect(asked() == 0)
        host.now = host.now + .seconds(2)
        _ = try firstPacket()
        #expect(asked() == 1)
        host.endpoint.setMaximumPacket(bytes: 1472, for: LoneHost.server)
        #expect(try firstPacket() == wide)
        host.now = host.now + .seconds(2000)
        _ = try firstPacket()
        #expect(asked() == 0)
    }

    @Test("what our own host refused as too long goes again at once, in pieces")
    func refused() throws {
        let host = try LoneHost()
        try host.call(length: 3000)
        #expect(host.said() == ["DATA 0..<1416", "DATA 1416..<2832", "DATA 2832..<3000"])
        func report(_ id: UInt64, _ offset: UInt32, _ longest: Int = 1056) {
            host.endpoint.packetRefused(
                by: LoneHost.server, id: RPCID(rawValue: id), offset: offset, longest: longest, at: host.now)
        }
        report(4000, 1416)
        report(1000, 3000)
        #expect(host.said().isEmpty, "nothing that was not sent")
        try host.call(length: 1416)
        #expect(host.said() == ["DATA 0..<1416"], "who does not know an RPC is not believed")
        report(1000, 1416)
        #expect(host.said() == ["DATA 1416..<2416", "DATA 2416..<3000"])
        report(1000, 0)
        #expect(host.said().isEmpty, "one report for each size is enough")
        report(1000, 2832, 556)
        #expect(host.said() == ["DATA 2832..<3000"])
    }

    @Test("the same asked for again and again in a short time says nothing of the path")
    func inShortTime() throws {
        let host = try LoneHost()
        try host.call(length: 3000)
        for _ in 1...8 {
            host.now = host.now.advanced(byNanoseconds: 11_000_000)
            host.receive(.resend(ResendFields(offset: 0, length: 1416, priority: 0)), id: 1001, from: LoneHost.server)
        }
        #expect(host.endpoint.statistics.blackHolesFound == 0, "77 ms of at least 100")
    }

    @Test("a report is heeded once for each size, and the system is asked about the path ten minutes later")
    func reports() throws {
        let host = try LoneHost()
        try host.call(length: 3000)
        _ = host.sent()
        _ = host.events()
        func report(_ bytes: Int) -> [String] {
            host.endpoint.packetRefused(
                by: LoneHost.server, id: RPCID(rawValue: 1000), offset: 0, longest: bytes, at: host.now)
            return host.said()
        }
        #expect(report(1300).count == 3)
        #expect(report(1300).isEmpty)
        #expect(report(1200).count == 3)
        func wanted() throws -> Bool {
            try host.call(length: 10)
            return host.events().contains { if case .pathWanted = $0 { true } else { false } }
        }
        host.now = host.now.advanced(byNanoseconds: 599_000_000_000)
        #expect(try !wanted())
        host.now = host.now.advanced(byNanoseconds: 2_000_000_000)
        #expect(try wanted())
        #expect(try !wanted(), "once")
    }

    @Test("a port that is reported closed to a request that was asked about may have had it")
    func closedLater() throws {
        for isAsked in [false, true] {
            let host = try LoneHost()
            try host.call(length: 10)
            host.pass(microseconds: isAsked ? 6_000 : 1_000)
            host.endpoint.unreachable(
                LoneHost.server, because: Refusal(.portUnreachable, .final), offending: RPCID(rawValue: 1000),
                isFirst: true, at: host.now)
            #expect(host.failures() == [isAsked ? .portUnreachable : .portClosed])
        }
    }
}
