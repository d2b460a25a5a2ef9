// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

@Suite("Timers")
struct TimerTests {
    /// Times in milliseconds at which something was said while nothing was heard.
    static func times(_ host: LoneHost, milliseconds: UInt64) -> [UInt64] {
        let start = host.now.nanoseconds
        var times: [UInt64] = []
        for _ in 0..<milliseconds * 10 {
            host.pass(microseconds: 100)
            for _ in host.sent() { times.append((host.now.nanoseconds - start) / 1_000_000) }
        }
        return times
    }

    @Test("a client asks after 5 ms, at doubling intervals, and gives up after the timeout")
    func client() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        _ = host.sent()
        let times = Self.times(host, milliseconds: 500)
        #expect(times.prefix(6) == [5, 10, 20, 40, 60, 100])
        #expect(times.last! < 400)
        #expect(host.failures() == [.timedOut])
        #expect(host.endpoint.nextDeadline == nil)
    }

    @Test("who answers every question is asked at the usual intervals, as whoever leaves several unanswered is not")
    func answered() throws {
        for answers in [true, false] {
            let host = try LoneHost()
            host.data(0..<1000, of: 2000, id: 2)
            _ = host.sent()
            var times: [Int] = []
            for time in 1...390 {
                host.pass(microseconds: 1000)
                guard host.said().contains(where: { $0.hasPrefix("RESEND") }) else { continue }
                times.append(time)
                if answers { host.receive(.busy, id: 2) }
            }
            let longest = zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? 0
            #expect(answers ? longest == 20 : longest > 20, "\(times)")
        }
    }

    @Test("the kernel's schedule: every 5 ms until 100 ms")
    func kernel() throws {
        var configuration = EndpointConfiguration.linux2026
        configuration.maximumRPCs = 16
        let host = try LoneHost(configuration)
        try host.call(length: 10)
        _ = host.sent()
        #expect(Self.times(host, milliseconds: 200) == Array(stride(from: 5, to: 100, by: 5)))
        #expect(host.failures() == [.timedOut])
    }

    @Test("a server asks for the acknowledgement after 2 ms, backs off, and gives up")
    func acknowledgement() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2)
        try host.respond(try #require(try host.requests().first).rpc, length: 10)
        _ = host.sent()
        let times = Self.times(host, milliseconds: 500)
        #expect(times.prefix(5) == [2, 4, 9, 19, 39])
        #expect(host.endpoint.rpcCount == 0)
        #expect(host.endpoint.statistics.clientsLost == 1)
        #expect(host.data(0..<10, of: 10, id: 2) == .dropped(.finishedBefore))
    }

    @Test("a client that grants slowly keeps its response, one that is silent loses it", arguments: [true, false])
    func slowGrants(alive: Bool) throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2)
        try host.respond(try #require(try host.requests().first).rpc, length: 200_000)
        _ = host.sent()
        for _ in 0..<100 {
            host.pass(microseconds: 20_000)
            if alive, host.sent().contains(where: { $0.summary == "NEED_ACK" }) { host.receive(.busy, id: 2) }
        }
        #expect(host.endpoint.rpcCount == (alive ? 1 : 0))
    }

    @Test("a kernel client that grants slowly is given ten times as long, and as long as it grants others")
    func slowKernelGrants() throws {
        let host = try LoneHost()
        for id in [2, 4] as [UInt64] {
            host.data(0..<10, of: 10, id: id, extensions: .none)
            try host.respond(try #require(try host.requests().first).rpc, length: 200_000)
        }
        for _ in 0..<20 {
            host.pass(microseconds: 1_000_000)
            host.receive(.grant(GrantFields(offset: 100, priority: 0)), id: 4, extensions: .none)
        }
        #expect(host.endpoint.rpcCount == 2)
        host.pass(microseconds: 3_900_000)
        #expect(host.endpoint.rpcCount == 2)
        host.pass(microseconds: 200_000)
        #expect(host.endpoint.rpcCount == 0)
    }

    @Test("a request in service waits for the application as long as it takes")
    func inService() throws {
        let host = try LoneHost()
        host.data(0..<10, of: 10, id: 2)
        let request = try #require(try host.requests().first)
        #expect(host.endpoint.nextDeadline == nil)
        host.pass(microseconds: 100_000_000)
        #expect(try host.respond(request.rpc, length: 10))
    }

    @Test("while our own packets wait to leave, the peer's silence means nothing")
    func ownBacklog() throws {
        var configuration = EndpointConfiguration.small
        configuration.linkRate = .megabitsPerSecond(0.5)
        let host = try LoneHost(configuration)
        try host.call(length: 60_000)
        host.pass(microseconds: 900_000)
        #expect(host.endpoint.rpcCount == 1)
        #expect(host.said().allSatisfy { $0.hasPrefix("DATA") })
        host.pass(microseconds: 600_000)
        #expect(host.failures() == [.timedOut])
    }

    @Test("a message that waits for buffers does not time out")
    func waitingForBuffers() throws {
        let host = try LoneHost(regionLength: 1 << 20)
        host.data(0..<60_000, of: 70_000, id: 2)
        host.data(60_000..<70_000, of: 70_000, id: 2)
        let request = host.events().compactMap { if case .requestArrived(let request) = $0 { request } else { nil } }
            .first
        host.data(0..<1000, of: 15 << 16, id: 4, incoming: 60_000)
        #expect(host.endpoint.waitingForBuffers == 1)
        host.pass(microseconds: 5_000_000)
        #expect(host.endpoint.rpcCount == 2)
        _ = try host.pool.release(try #require(request).lease)
        _ = host.sent()
        host.endpoint.buffersReturned(at: host.now)
        #expect(host.said().contains("RESEND 0..<60000"))
        host.pass(microseconds: 500_000)
        #expect(host.endpoint.rpcCount == 1, "from now on it does")
    }

    @Test(
        "a deadline is kept to the nanosecond, whatever the timers are doing",
        arguments: [1, 4_999_999, 5_000_000, 7_123_456] as [UInt64])
    func deadline(nanoseconds: UInt64) throws {
        let host = try LoneHost()
        try host.call(length: 10, deadline: Instant(nanoseconds: nanoseconds))
        _ = host.sent()
        while let due = host.endpoint.nextDeadline, due.nanoseconds < nanoseconds {
            host.now = due
            host.endpoint.expireTimers(at: due)
        }
        #expect(host.failures() == [])
        #expect(host.endpoint.nextDeadline == Instant(nanoseconds: nanoseconds))
        host.now = Instant(nanoseconds: nanoseconds)
        host.endpoint.expireTimers(at: host.now)
        #expect(host.failures() == [.deadlineExceeded])
        #expect(host.said().last == "RPC_UNKNOWN", "the server is told")
    }

    @Test("a deadline that has passed already ends the call at once")
    func deadlinePassed() throws {
        let host = try LoneHost()
        host.pass(microseconds: 10)
        try host.call(length: 10, deadline: Instant(nanoseconds: 5))
        host.endpoint.expireTimers(at: host.now)
        #expect(host.failures() == [.deadlineExceeded])
    }

    @Test("data keeps the timers quiet, and the back-off starts afresh")
    func dataResetsBackoff() throws {
        let host = try LoneHost()
        host.data(0..<100, of: 5000, id: 2)
        host.pass(microseconds: 50_000)
        _ = host.sent()
        host.data(100..<200, of: 5000, id: 2)
        #expect(Self.times(host, milliseconds: 45).prefix(3) == [5, 10, 20])
    }

    @Test("a process that was stopped asks again before it gives up")
    func absence() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.data(0..<1, of: 2, id: 2)
        host.pass(microseconds: 1000)
        _ = host.sent()
        host.now = host.now.advanced(byNanoseconds: 10_000_000_000)
        host.endpoint.expireTimers(at: host.now)
        #expect(host.failures().isEmpty && host.endpoint.rpcCount == 2, "nobody had a chance to answer")
        #expect(host.said().filter { $0.hasPrefix("RESEND") }.count == 2)
        host.pass(microseconds: 440_000)
        #expect(host.failures() == [.timedOut] && host.endpoint.rpcCount == 0)
    }

    @Test("time in which the process did not run is no silence of the peer")
    func stopped() throws {
        let host = try LoneHost()
        try host.call(length: 10)
        host.pass(microseconds: 300_000)
        // As if it had been stopped: no timer came up meanwhile.
        host.now = host.now.advanced(byNanoseconds: 5_000_000_000)
        host.pass(microseconds: 50_000)
        #expect(host.failures().isEmpty)
        host.pass(microseconds: 200_000)
        #expect(host.failures().count == 1)
    }
}
