// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import Glibc
import HomaBase
import HomaPosix
import HomaWorkloads
import Testing

@testable import HomaBench

let loopback4 = PeerAddress(ipv4: 0x7F00_0001, port: 0)
let loopback6 = PeerAddress(high: 0, low: 1, port: 0)

func withServer(
    on address: PeerAddress = loopback4, _ change: (inout TCPEchoServer.Options) -> Void = { _ in },
    _ body: (PeerAddress) throws -> Void
) throws {
    var options = TCPEchoServer.Options()
    change(&options)
    let server = try TCPEchoServer(listeningOn: [address], options: options)
    defer { server.stop() }
    try body(server.addresses[0])
}

/// Runs a plan; on a machine so busy that nothing was completed in time, again with four times the time.
func runUntilCompleted(_ client: TCPLoadClient, _ plan: LoadPlan) throws -> LoadResult {
    var plan = plan
    while true {
        let result = try client.run(plan)
        if result.completed > 0 || result.failures > 0 || plan.duration > .seconds(10) { return result }
        plan.duration *= 4
    }
}

@Suite("The TCP rival", .serialized)
struct TCPRivalTests {
    @Test("with a write for each message as many come back, and as intact")
    func writesEach() throws {
        try withServer(on: loopback4, { $0.writesEach = true }) { server in
            let plan = LoadPlan(
                sizes: .w3, pace: .closedLoop(outstanding: 64), warmUp: .milliseconds(50),
                duration: .milliseconds(300), drain: .seconds(10))
            let result = try runUntilCompleted(TCPLoadClient(server: server, options: .init(writesEach: true)), plan)
            #expect(result.completed > 0 && result.failures == 0)
        }
    }

    @Test("an open loop completes what it offers, over either family", arguments: [loopback4, loopback6])
    func openLoop(address: PeerAddress) throws {
        try withServer(on: address) { server in
            let plan = LoadPlan(
                sizes: .w3, pace: .openLoop(perSecond: 2000), warmUp: .milliseconds(100), duration: .milliseconds(400),
                drain: .seconds(10), connections: 2,
                baseline: SlowdownBaseline(rttNanoseconds: 30_000, bitsPerSecond: 10_000_000_000))
            let result = try TCPLoadClient(server: server).run(plan)
            let scheduled = plan.schedule().filter { plan.window.contains($0.intended) }.count
            #expect(result.failures == 0)
            #expect(Int(result.offered) == scheduled && Int(result.latency.count) == scheduled)
            #expect(result.shortLatency.count > 0 && result.shortLatency.count < result.latency.count)
            #expect(result.slowdown?.rows.reduce(0) { $0 + $1.count } == result.latency.count)
        }
    }

    @Test(
        "every size from one byte, every way of answering",
        arguments: [1, 15, 16, 17, 4096, 4097, 70_000, 1_000_000])
    func sizes(bytes: Int) throws {
        try withServer { server in
            for response in [LoadPlan.Response.echo, .fixed(bytes: 1), .fixed(bytes: 100), .fixed(bytes: 300_000)] {
                let plan = LoadPlan(
                    sizes: .fixed(bytes), pace: .closedLoop(outstanding: 3), response: response, warmUp: .zero,
                    duration: .milliseconds(30), drain: .seconds(10))
                let result = try runUntilCompleted(TCPLoadClient(server: server), plan)
                #expect(result.completed > 0 && result.failures == 0)
            }
        }
    }

    @Test("the published workloads run in a closed loop over several connections and threads")
    func mixed() throws {
        try withServer({ $0.threads = 2 }) { server in
            for spin in [false, true] {
                let plan = LoadPlan(
                    sizes: .w4, pace: .closedLoop(outstanding: 40), warmUp: .milliseconds(20),
                    duration: .milliseconds(200), drain: .seconds(10), connections: 6)
                let result = try runUntilCompleted(TCPLoadClient(server: server, options: .init(spin: spin)), plan)
                #expect(result.completed > 0 && result.failures == 0 && result.goodput > 0)
            }
        }
    }

    @Test("small socket buffers only make it slower")
    func smallBuffers() throws {
        try withServer({ $0.sockets.bufferBytes = 4096 }) { server in
            let plan = LoadPlan(
                sizes: .fixed(200_000), pace: .closedLoop(outstanding: 4), warmUp: .zero, duration: .milliseconds(200),
                drain: .seconds(10))
            let client = TCPLoadClient(server: server, options: .init(sockets: TCPOptions(bufferBytes: 4096)))
            let result = try runUntilCompleted(client, plan)
            #expect(result.completed > 0 && result.failures == 0)
        }
    }

    @Test("the cap holds requests back, and their waiting counts")
    func cap() throws {
        try withServer { server in
            let plan = LoadPlan(
                sizes: .fixed(100), pace: .openLoop(perSecond: 200_000), warmUp: .zero, duration: .milliseconds(100),
                drain: .seconds(30), outstandingCap: 2)
            let result = try TCPLoadClient(server: server).run(plan)
            #expect(result.capHits > 0 && result.maximumLagNanoseconds > 0)
            #expect(result.failures == 0 && Int(result.latency.count) == plan.schedule().count)
        }
    }

    @Test("spinning ping-pong")
    func pingPong() throws {
        try withServer({ $0.spin = true }) { server in
            let plan = LoadPlan(
                sizes: .fixed(100), pace: .closedLoop(outstanding: 1), warmUp: .milliseconds(50),
                duration: .milliseconds(200), drain: .seconds(10))
            let result = try runUntilCompleted(TCPLoadClient(server: server, options: .init(spin: true)), plan)
            #expect(result.completed > 0 && result.failures == 0)
        }
    }

    @Test("a server that goes away costs errors, not a hang")
    func serverLoss() throws {
        let server = try TCPEchoServer(listeningOn: [loopback4])
        let plan = LoadPlan(
            sizes: .fixed(1_000_000), pace: .closedLoop(outstanding: 8), warmUp: .zero, duration: .seconds(10))
        let stopped = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            usleep(100_000)
            server.stop()
            stopped.signal()
        }
        let start = MonotonicClock.nanoseconds()
        let result = try TCPLoadClient(server: server.addresses[0]).run(plan)
        #expect(result.errors == 8 && result.completed > 0)
        #expect(MonotonicClock.nanoseconds() - start < 5_000_000_000)
        stopped.wait()
        #expect(throws: SystemError.self) { try TCPLoadClient(server: server.addresses[0]).run(plan) }
    }

    @Test("a message over the limit closes the connection")
    func limit() throws {
        try withServer({ $0.maximumMessageLength = 1000 }) { server in
            for (bytes, response) in [(1001, 10), (100, 1001)] {
                let plan = LoadPlan(
                    sizes: .fixed(bytes), pace: .closedLoop(outstanding: 1), response: .fixed(bytes: response),
                    warmUp: .zero, duration: .milliseconds(200))
                let result = try TCPLoadClient(server: server).run(plan)
                #expect(result.errors == 1 && result.completed == 0)
            }
        }
    }

    @Test("one server, both families")
    func bothFamilies() throws {
        let server = try TCPEchoServer(listeningOn: [loopback4, loopback6])
        defer { server.stop() }
        #expect(server.addresses.map(\.isIPv4) == [true, false])
        for address in server.addresses {
            let plan = LoadPlan(
                sizes: .w1, pace: .closedLoop(outstanding: 4), warmUp: .zero, duration: .milliseconds(50),
                drain: .seconds(10))
            let result = try runUntilCompleted(TCPLoadClient(server: address), plan)
            #expect(result.completed > 0 && result.failures == 0)
        }
    }
}

/// Answers one request on a socket of its own, after `change` has spoilt the response.
///
/// Returns the address; the answering runs on its own.
func startLiar(_ change: @escaping @Sendable (inout [UInt8]) -> Void) throws -> PeerAddress {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            #expect(bind(listener, $0, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, $0, &size) == 0)
        }
    }
    // A thread of its own: the runs under test keep Swift's threads busy.
    Thread.detachNewThread {
        let connection = accept(listener, nil, nil)
        defer {
            close(connection)
            close(listener)
        }
        var frame = [UInt8](repeating: 0, count: 10_000)
        let count = recv(connection, &frame, frame.count, 0)
        frame.removeLast(frame.count - max(0, count))
        change(&frame)
        send(connection, frame, frame.count, Int32(MSG_NOSIGNAL))
        _ = recv(connection, &frame, frame.count, 0)  // until the client goes away or asks again
    }
    return PeerAddress(ipv4: 0x7F00_0001, port: UInt16(bigEndian: address.sin_port))
}

@Suite("The TCP rival against a server that lies", .serialized)
struct TCPVerificationTests {
    let plan = LoadPlan(
        sizes: .fixed(1000), pace: .closedLoop(outstanding: 1), warmUp: .zero, duration: .milliseconds(100),
        drain: .seconds(2))

    @Test("a flipped byte anywhere in a response is noticed", arguments: [4, 8, 12, 19, 20, 500, 1003])
    func flipped(index: Int) throws {
        let server = try startLiar { $0[index] ^= 0x10 }
        let result = try TCPLoadClient(server: server).run(plan)
        #expect(result.verificationFailures == 1 && result.completed == 0)
    }

    @Test("a response of another length is noticed")
    func shortened() throws {
        let server = try startLiar { frame in
            frame.removeLast()
            frame[2...3] = [3, 231]
        }
        #expect(try TCPLoadClient(server: server).run(plan).verificationFailures == 1)
    }

    @Test("a response to nothing ends the connection")
    func unasked() throws {
        let server = try startLiar { $0 += Array($0.prefix(500)) }
        let result = try TCPLoadClient(server: server).run(plan)
        #expect(result.completed == 1 && result.failures == 1)
    }
}

@Suite("UDP ping-pong", .serialized)
struct UDPPingPongTests {
    @Test("round trips over either family", arguments: [loopback4, loopback6])
    func roundTrips(address: PeerAddress) throws {
        let server = try UDPEchoServer(on: address)
        defer { server.stop() }
        let result = try UDPPingPong.run(
            server: server.address, warmUp: .milliseconds(20), duration: .milliseconds(200))
        #expect(result.completed > 0 && result.verificationFailures == 0)
    }

    @Test("datagrams that are lost count as the longest round trips, and as errors")
    func lost() throws {
        let silent = try Sockets.datagram(boundTo: loopback4)
        defer { close(silent) }
        let result = try UDPPingPong.run(
            server: try PeerAddress.bound(to: silent), warmUp: .zero, duration: .milliseconds(150))
        #expect(result.completed == 0 && result.errors > 0)
        #expect(result.latency.unanswered == result.errors && result.latency.isLowerBound(atPercentile: 50))
    }
}
