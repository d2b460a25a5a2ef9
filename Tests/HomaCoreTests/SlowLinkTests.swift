// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Links far slower than the settings are made for: 40 Mb/s, where what the defaults allow on the way takes 100 ms.
@Suite("Slow links")
struct SlowLinkTests {
    struct Load: CustomTestStringConvertible, Sendable {
        var request: Int
        var response: Int
        /// Under way at a time.
        var outstanding = 8
        var isKernel = false
        var rate = BitRate.megabitsPerSecond(40)
        /// Bytes that wait for the link: 400 ms, as routers in front of such links have.
        var queue = 2_000_000
        var testDescription: String { "\(request) → \(response), \(outstanding) at once\(isKernel ? ", kernel" : "")" }
    }

    /// Runs calls one after the other until all have an outcome, and says when that is.
    @discardableResult
    static func run(_ net: TestNet, _ load: Load, calls: Int) throws -> Instant {
        net.linkRate = load.rate
        net.queueLimit = load.queue
        net.responseLength = { _ in load.response }
        if load.isKernel { net.kernelHosts = [net.hosts[0].address] }
        var begun = 0
        for tick in 1...60_000 as ClosedRange<UInt64> {
            let over = net.hosts[0].responses.count + net.hosts[0].failures.count
            if over == calls { break }
            while begun < min(calls, over + load.outstanding) {
                try net.call(from: 0, to: 1, length: load.request, cookie: UInt64(begun))
                begun += 1
            }
            try net.run(until: Instant(nanoseconds: tick * 1_000_000))
        }
        let end = net.now
        try net.run()
        return end
    }

    @Test(
        "at 40 Mb/s hardly more packets are sent than are needed",
        arguments: [
            Load(request: 200_000, response: 100), Load(request: 100, response: 200_000),
            Load(request: 200_000, response: 200_000), Load(request: 200_000, response: 100, isKernel: true),
            Load(request: 100, response: 200_000, isKernel: true), Load(request: 100, response: 60_000),
            Load(request: 100, response: 1_000_000, outstanding: 2), Load(request: 20_000, response: 20_000),
        ])
    func packets(_ load: Load) throws {
        let calls = 24
        let net = TestNet(hosts: try NetTests.hosts(2), seed: 1)
        let end = try Self.run(net, load, calls: calls)
        let ideal = load.rate.nanoseconds(forBytes: calls * max(load.request, load.response) / 1416 * 1476)
        #expect(net.hosts[0].failures.isEmpty)
        let segment = 1416
        let needed = calls * ((load.request + segment - 1) / segment + (load.response + segment - 1) / segment)
        let again = net.hosts.reduce(0) { $0 + Int($1.endpoint.statistics.packetsRetransmitted) }
        #expect(again * 20 <= needed, "\(again) again of \(needed)")
        // With grants, which are short.
        #expect(net.packetsSent * 100 <= needed * 115, "\(net.packetsSent) of \(needed)")
        // The link is busy, in both directions nearly as well.
        #expect(end.nanoseconds <= ideal + ideal * (min(load.request, load.response) > 10_000 ? 3 : 1) / 10)
        checkAtRest(net, calls: calls)
    }

    /// What two messages may have on its way takes longer than the timeout.
    @Test(
        "at 4 Mb/s long messages arrive", arguments: [1, 2, 4],
        [(1_000_000, 1_000_000), (1_000_000, 100), (100, 1_000_000)])
    func verySlow(outstanding: Int, lengths: (Int, Int)) throws {
        let net = TestNet(hosts: try NetTests.hosts(2, regionLength: 32 << 20), seed: 1)
        let load = Load(
            request: lengths.0, response: lengths.1, outstanding: outstanding, rate: .megabitsPerSecond(4))
        let end = try Self.run(net, load, calls: 6)
        #expect(net.hosts[0].responses.count == 6, "\(net.hosts[0].failures)")
        let needed = 6 * (lengths.0 + lengths.1) / 1416
        let again = net.hosts.reduce(0) { $0 + Int($1.endpoint.statistics.packetsRetransmitted) }
        #expect(again * 10 <= needed, "\(again) again of \(needed)")
        // One direction is always busy; not always both, as grants wait behind what goes the other way.
        let ideal = load.rate.nanoseconds(forBytes: 6 * (lengths.0 + lengths.1) / 1416 * 1476)
        #expect(end.nanoseconds <= ideal + ideal / 10, "\(end.nanoseconds) of \(ideal)")
        checkAtRest(net, calls: 6)
    }

    @Test(
        "a region that holds one message at a time serves one after the other, and evicts none that only comes slowly",
        arguments: [1_000_000, 2_000_000])
    func tightMemory(queue: Int) throws {
        let net = TestNet(hosts: try NetTests.hosts(2, regionLength: 2 << 20), seed: 1)
        let load = Load(request: 1_000_000, response: 100, outstanding: 6, queue: queue)
        let end = try Self.run(net, load, calls: 24)
        #expect(net.hosts[0].responses.count == 24)
        #expect(net.hosts[1].endpoint.statistics.requestsEvicted == 0)
        checkAtRest(net, calls: 24)
        // The shorter queue has no room for what may be on its way, and loses much of it.
        guard queue == 2_000_000 else { return }
        // 5 s at the link's rate.
        #expect(end < Instant(nanoseconds: 6_000_000_000))
        let needed = 24 * (1_000_000 / 1416 + 2)
        #expect(net.packetsSent * 10 <= needed * 12, "\(net.packetsSent) of \(needed)")
    }
}
