// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Words are no deeds: a call whose bytes do not advance ends, whatever its peer says.
@Suite("Progress")
struct ProgressTests {
    static let everything = PacketBody.resend(ResendFields(offset: 0, length: -1, priority: 0))

    /// Milliseconds until the call fails, when `answer` comes every 20 ms; nil: not within 100 s.
    static func fails(_ host: LoneHost, extensions: HeaderExtension = LoneHost.ours, _ answers: [PacketBody]) -> Int? {
        for tick in 0..<5000 {
            for answer in answers { host.receive(answer, id: 1001, from: LoneHost.server, extensions: extensions) }
            host.pass(microseconds: 20_000)
            _ = host.sent()
            if !host.failures().isEmpty { return tick * 20 }
        }
        return nil
    }

    @Test(
        "a call whose server only ever says BUSY, or asks for the same again, fails in bounded time",
        arguments: [
            [.busy], [.busy, everything], [.busy, .rpcUnknown], [everything],
            [.busy, .resend(ResendFields(offset: 0, length: 100, priority: 7))],
        ] as [[PacketBody]])
    func words(answers: [PacketBody]) throws {
        let host = try LoneHost()
        try host.call(length: 20_000)
        _ = host.sent()
        let time = try #require(Self.fails(host, answers))
        #expect(time <= 31_000)
    }

    @Test("a server that works on a request, and says so, is waited for as long as it takes")
    func inService() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        let working = HeaderExtension(marks: .inService)
        #expect(Self.fails(host, extensions: working, [.busy]) == nil)
        #expect(Self.fails(host, extensions: .none, [.busy]) == nil, "a kernel peer cannot say more than BUSY")
        #expect(Self.fails(host, extensions: .none, [.busy, Self.everything]) != nil, "but shows what it lacks")
    }

    @Test("a kernel server that says time and again that it does not know a request does not work on it")
    func unknownBetween() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        let answers = [PacketBody](repeating: .busy, count: 7) + [.rpcUnknown]
        #expect(Self.fails(host, extensions: .none, answers) != nil)
    }

    @Test("nobody works on a request of which not all has left, whatever is said")
    func inPart() throws {
        let host = try LoneHost()
        try host.call(length: 200_000)
        _ = host.sent()
        #expect(Self.fails(host, extensions: HeaderExtension(marks: .inService), [.busy]) != nil)
    }

    @Test("BUSY of a server that has the request says that it works on it")
    func marked() throws {
        let host = try LoneHost()
        host.data(0..<1000, of: 2000, id: 2)
        host.receive(Self.everything, id: 2)
        #expect(host.sent().last?.header.common.extensions.marks == [])
        host.data(1000..<2000, of: 2000, id: 2)
        host.receive(Self.everything, id: 2)
        #expect(host.sent().last?.header.common.extensions.marks == .inService)
        host.data(0..<10, of: 10, id: 4, extensions: .none)
        host.receive(Self.everything, id: 4, extensions: .none)
        #expect(host.sent().last?.header.common.extensions.marks == [], "not to a kernel peer")
    }

    @Test(
        "a message that waits behind others for grants, or for memory, does not wait for ever",
        arguments: [true, false])
    func ours(grants: Bool) throws {
        var configuration = EndpointConfiguration.small
        configuration.overcommitment = 1
        let host = try LoneHost(configuration, regionLength: grants ? 16 << 20 : 1 << 20)
        // A shorter one has the place, or the memory, and is kept alive without bringing anything.
        host.data(0..<1000, of: 800_000, id: 2, incoming: 1000)
        host.data(0..<1000, of: 900_000, id: 4, incoming: 1000)
        for _ in 0..<5000 {
            host.receive(.busy, id: 2)
            host.receive(.busy, id: 4)
            host.pass(microseconds: 20_000)
            _ = host.sent()
        }
        #expect(host.endpoint.rpcCount == 0 && host.endpoint.incomingBytes == 0)
    }

    @Test("a request that its server never takes ends, however often the server has it sent again")
    func neverTaken() throws {
        var configuration = EndpointConfiguration.small
        configuration.progressTimeout = .seconds(1)
        configuration.linkRate = .megabitsPerSecond(10)
        let host = try LoneHost(configuration)
        try host.call(length: 200_000)
        // All that may leave has left once; from now on something always waits to leave again.
        host.pass(microseconds: 60_000)
        for _ in 0..<300 where host.endpoint.rpcCount > 0 {
            host.receive(.rpcUnknown, id: 1001, from: LoneHost.server, extensions: .none)
            host.pass(microseconds: 7_000)
        }
        #expect(host.failures() == [.timedOut])
    }
}
