// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaBench
import HomaWorkloads
import Testing

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

@Suite("The TCP rival", .serialized)
struct TCPRivalTests {
    @Test("an open loop completes what it offers, over either family", arguments: [loopback4, loopback6])
    func openLoop(address: PeerAddress) throws {
        try withServer(on: address) { server in
            let plan = LoadPlan(
                sizes: .w3, pace: .openLoop(perSecond: 2000), warmUp: .milliseconds(100), duration: .milliseconds(400),
                connections: 2, baseline: SlowdownBaseline(rttNanoseconds: 30_000, bitsPerSecond: 10_000_000_000))
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
                    duration: .milliseconds(30))
                let result = try TCPLoadClient(server: server).run(plan)
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
                    duration: .milliseconds(200), connections: 6)
                let result = try TCPLoadClient(server: server, options: .init(spin: spin)).run(plan)
                #expect(result.completed > 0 && result.failures == 0 && result.goodput > 0)
            }
        }
    }

    @Test("small socket buffers only make it slower")
    func smallBuffers() throws {
        try withServer({ $0.sockets.bufferBytes = 4096 }) { server in
            let plan = LoadPlan(
                sizes: .fixed(200_000), pace: .closedLoop(outstanding: 4), warmUp: .zero, duration: .milliseconds(200))
            let client = TCPLoadClient(server: server, options: .init(sockets: TCPOptions(bufferBytes: 4096)))
            let result = try client.run(plan)
            #expect(result.completed > 0 && result.failures == 0)
        }
    }

    @Test("the cap holds requests back, and their waiting counts")
    func cap() throws {
        try withServer { server in
            let plan = LoadPlan(
                sizes: .fixed(100), pace: .openLoop(perSecond: 200_000), warmUp: .zero, duration: .milliseconds(100),
                drain: .seconds(3), outstandingCap: 2)
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
                duration: .milliseconds(200))
            let result = try TCPLoadClient(server: server, options: .init(spin: true)).run(plan)
            #expect(result.completed > 100 && result.failures == 0)
        }
    }

    @Test("a server that goes away costs errors, not a hang")
    func serverLoss() async throws {
        let server = try TCPEchoServer(listeningOn: [loopback4])
        let plan = LoadPlan(
            sizes: .fixed(1_000_000), pace: .closedLoop(outstanding: 8), warmUp: .zero, duration: .milliseconds(800))
        let stopper = Task.detached {
            try await Task.sleep(for: .milliseconds(100))
            server.stop()
        }
        let start = MonotonicClock.now()
        let result = try TCPLoadClient(server: server.addresses[0]).run(plan)
        #expect(result.errors == 8 && result.completed > 0)
        #expect(MonotonicClock.now() - start < 700_000_000)
        try await stopper.value
        #expect(throws: SocketError.self) { try TCPLoadClient(server: server.addresses[0]).run(plan) }
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
                sizes: .w1, pace: .closedLoop(outstanding: 4), warmUp: .zero, duration: .milliseconds(50))
            #expect(try TCPLoadClient(server: address).run(plan).failures == 0)
        }
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
        #expect(result.latency.count > 10 && result.verificationFailures == 0 && result.lost == 0)
    }
}
