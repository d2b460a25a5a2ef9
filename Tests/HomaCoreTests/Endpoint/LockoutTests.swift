// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// What is remembered of finished requests must never shut out the client it is remembered for.
@Suite("Clients locked out")
struct LockoutTests {
    /// The highest identifiers there are, and some that are merely far away.
    static let forged: [UInt64] = [.max - 1, 1 << 60, 1 << 40]

    @Test(
        "a first packet that states an enormous identifier, and that all below is over, changes nothing",
        arguments: forged)
    func forgedFloor(id: UInt64) throws {
        let host = try LoneHost()
        host.data(0..<10, of: 20, id: id, oldest: 1)
        #expect(try host.serve(id: 2000), "at first contact")
        host.data(0..<10, of: 20, id: id - 2, oldest: 1)
        host.data(0..<10, of: 20, id: id - 4, oldest: .max)
        for number in 1001...1100 as ClosedRange<UInt64> { #expect(try host.serve(id: number * 2)) }
        #expect(try !host.serve(id: 2000), "and what ran is not forgotten")
    }

    @Test("whole requests with enormous identifiers, even acknowledged, do not lock the client out", arguments: forged)
    func forgedRequests(id: UInt64) throws {
        let host = try LoneHost()
        for number in 1000...1010 as ClosedRange<UInt64> { #expect(try host.serve(id: number * 2)) }
        #expect(try host.serve(id: id))
        #expect(try host.serve(id: id / 2 & ~1))
        for number in 1011...1100 as ClosedRange<UInt64> { #expect(try host.serve(id: number * 2)) }
        #expect(try !host.serve(id: id) && !host.serve(id: 2000), "none runs twice")
    }

    @Test("a client that restarted with much higher identifiers is remembered as exactly as before")
    func leap() throws {
        let host = try LoneHost()
        for life in 0..<4 as Range<UInt64> {
            let first: UInt64 = 1_000_000_000_000 * (life + 1)
            for number in 0..<200 as Range<UInt64> { #expect(try host.serve(id: first + number * 2)) }
            for number in 0..<200 as Range<UInt64> { #expect(try !host.serve(id: first + number * 2)) }
        }
        #expect(try !host.serve(id: 1_000_000_000_000), "also from an earlier life")
    }

    @Test("a floor that a client states moves as far as its finished requests reach, and memory stays small")
    func honestFloor() throws {
        var configuration = EndpointConfiguration.small
        configuration.finishedMemory = 65_536
        let host = try LoneHost(configuration)
        for number in 1...5000 as ClosedRange<UInt64> {
            host.data(0..<100, of: 100, id: number * 2, oldest: 2)
            try host.respond(try #require(try host.requests().first).rpc, length: 100)
            host.receive(.ack(AckFields()), id: number * 2)
            _ = host.sent()
        }
        #expect(host.endpoint.clients.at(0).pointee.finished.bits == 1024)
    }

    // MARK: Clients without extensions

    @Test(
        "a kernel client that restarted is served from its first calls on, however few it made before",
        arguments: [2, 100, 2000] as [UInt64])
    func kernelRestart(calls: UInt64) throws {
        var configuration = EndpointConfiguration.small
        configuration.finishedMemory = 65_536
        let host = try LoneHost(configuration)
        for number in 1...calls { #expect(try host.serve(id: number * 2, extensions: .none)) }
        let everything = PacketBody.resend(ResendFields(offset: 0, length: -1, priority: 0))
        func ask() -> [String] {
            #expect(host.data(0..<100, of: 100, id: 2, extensions: .none) == .dropped(.finishedBefore))
            _ = host.said()
            host.receive(everything, id: 2, extensions: .none)
            return host.said()
        }
        host.pass(microseconds: 90_000)
        #expect(ask() == ["RPC_UNKNOWN"])
        #expect(try !host.serve(id: 2, extensions: .none), "too early: may be a late duplicate")
        host.pass(microseconds: 110_000)
        #expect(try !host.serve(id: 2, extensions: .none), "nor does a duplicate ask")
        #expect(ask() == ["RPC_UNKNOWN"])
        for number in 1...calls {
            #expect(try host.serve(id: number * 2, extensions: .none))
            #expect(try !host.serve(id: number * 2, extensions: .none), "none runs twice")
        }
    }

    @Test("a kernel client that asks all the time is not taken for one that restarted")
    func kernelAtWork() throws {
        let host = try LoneHost()
        for number in 1...1500 as ClosedRange<UInt64> {
            #expect(try host.serve(id: number * 2, extensions: .none))
            host.pass(microseconds: 200)
        }
        #expect(try !host.serve(id: 2, extensions: .none), "below the window of 1024")
        #expect(try !host.serve(id: 3000, extensions: .none))
    }

    @Test("a kernel client's latest request is remembered as long as its peer")
    func kernelLatest() throws {
        let host = try LoneHost()
        for number in 1...10 as ClosedRange<UInt64> { #expect(try host.serve(id: number * 2, extensions: .none)) }
        host.pass(microseconds: 9_000_000)
        #expect(try !host.serve(id: 20, extensions: .none))
    }
}
