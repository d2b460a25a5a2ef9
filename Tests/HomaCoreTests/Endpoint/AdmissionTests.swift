// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

@Suite("Calls that wait to begin")
struct AdmissionTests {
    private func configuration(calls: Int, server: Int = 8_192) -> EndpointConfiguration {
        var configuration = EndpointConfiguration.default
        configuration.maximumCallsPerPeer = calls
        configuration.maximumServerRPCsPerHost = server
        return configuration
    }

    @Test("a server that takes few requests refuses none of many calls", arguments: [1, 7, 64])
    func nothingRefused(limit: Int) throws {
        // The server keeps what it answered until it learns that the answer came.
        let settings = configuration(calls: limit, server: 2 * limit + 8)
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: settings), seed: 3)
        net.serviceTime = 1_000_000
        for cookie in 0..<300 { try net.call(from: 0, to: 1, length: 2000, cookie: UInt64(cookie)) }
        try net.run()
        checkAtRest(net, calls: 300)
        #expect(net.hosts[0].endpoint.statistics.callsQueued == UInt64(300 - limit))
        #expect(net.hosts[1].endpoint.statistics.drops(for: .tooManyRPCs) == 0)
        #expect(net.hosts[1].endpoint.statistics.sent(.busy) == 0)
    }

    @Test("without the limit the same server refuses some")
    func refusedOtherwise() throws {
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: configuration(calls: 300, server: 64)), seed: 3)
        net.serviceTime = 1_000_000
        for cookie in 0..<300 { try net.call(from: 0, to: 1, length: 2000, cookie: UInt64(cookie)) }
        try net.run()
        #expect(net.hosts[1].endpoint.statistics.drops(for: .tooManyRPCs) > 0)
    }

    @Test("one-way messages wait as calls do", arguments: 0..<4 as Range<UInt64>)
    func messages(seed: UInt64) throws {
        let net = TestNet(
            hosts: try NetTests.hosts(2, configuration: configuration(calls: 3), seed: seed), seed: seed)
        for cookie in 0..<40 as Range<UInt64> {
            if cookie % 2 == 0 {
                try net.message(from: 0, to: 1, length: 5000, cookie: cookie)
            } else {
                try net.call(from: 0, to: 1, length: 100_000, cookie: cookie)
            }
        }
        try net.run()
        checkAtRest(net, calls: 40)
    }

    // MARK: Long messages

    private func underWay(_ bytes: Int) -> EndpointConfiguration {
        var configuration = EndpointConfiguration.default
        configuration.bytesUnderWayPerPeer = bytes
        // Which would add something for the distance.
        configuration.adaptsWindows = false
        return configuration
    }

    /// One client with many long requests for a server whose region has room for 16 of them.
    private func crowd(limit: Int) throws -> TestNet {
        let net = TestNet(
            hosts: try NetTests.hosts(2, configuration: underWay(limit), regionLength: 16 << 20), seed: 3)
        net.responseLength = { _ in 100 }
        for cookie in 0..<100 { try net.call(from: 0, to: 1, length: 1_000_000, cookie: UInt64(cookie)) }
        try net.run()
        checkAtRest(net, calls: 100)
        return net
    }

    @Test("a client with many long requests never runs its server out of buffers")
    func region() throws {
        let net = try crowd(limit: 8_000_000)
        #expect(net.hosts[1].endpoint.statistics.bufferStalls == 0)
        #expect(net.hosts[1].endpoint.statistics.drops(for: .noBuffers) == 0)
        #expect(net.hosts[0].endpoint.statistics.callsQueued == 92)
    }

    @Test("without that limit the same client's bytes are thrown away and come again")
    func regionOtherwise() throws {
        let net = try crowd(limit: 1 << 30)
        #expect(net.hosts[1].endpoint.statistics.drops(for: .noBuffers) > 0)
    }

    @Test("short messages do not wait behind long ones that wait")
    func shortOnes() throws {
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: underWay(1_000_000)), seed: 4)
        for cookie in 0..<20 { try net.call(from: 0, to: 1, length: 500_000, cookie: UInt64(cookie)) }
        try net.call(from: 0, to: 1, length: 100, cookie: 20)
        try net.run()
        checkAtRest(net, calls: 21)
        #expect(net.hosts[0].endpoint.statistics.callsQueued == 18)
        #expect(net.hosts[0].order.firstIndex(of: 20)! < 3)
    }

    @Test("a call waits for none that is longer than itself")
    func longerOnes() throws {
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: underWay(200_000)), seed: 4)
        net.serviceTime = 1_000_000
        for (cookie, length) in [900_000, 900_000, 150_000, 150_000, 150_000, 30_000]
            .enumerated()
        {
            try net.call(from: 0, to: 1, length: length, cookie: UInt64(cookie))
        }
        #expect(net.hosts[0].endpoint.statistics.callsQueued == 2, "one each of those that are equally long")
        try net.run()
        checkAtRest(net, calls: 6)
    }

    @Test("a long call begins beside a steady stream of short ones")
    func steadyStream() throws {
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: underWay(1_000_000)), seed: 4)
        net.serviceTime = 1_000_000
        for cookie in 0..<10 { try net.call(from: 0, to: 1, length: 100, cookie: UInt64(cookie)) }
        try net.call(from: 0, to: 1, length: 1_000_000, cookie: 10)
        #expect(net.hosts[0].endpoint.statistics.callsQueued == 0)
        try net.run()
        checkAtRest(net, calls: 11)
    }

    @Test("as many calls as the limit are under way, whatever their length", arguments: [1, 5, 256])
    func count(limit: Int) throws {
        var settings = EndpointConfiguration.default
        settings.callsUnderWayPerPeer = limit
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: settings), seed: 4)
        for cookie in 0..<300 { try net.call(from: 0, to: 1, length: 100, cookie: UInt64(cookie)) }
        #expect(net.hosts[0].endpoint.statistics.callsQueued == UInt64(300 - limit))
        try net.run()
        checkAtRest(net, calls: 300)
    }

    @Test("a request that its server works on makes room for the next, however long the answer takes")
    func slowAnswers() throws {
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: underWay(100_000)), seed: 4)
        net.serviceTime = 300_000_000
        net.responseLength = { _ in 100 }
        for cookie in 0..<4 { try net.call(from: 0, to: 1, length: 100_000, cookie: UInt64(cookie)) }
        try net.run(until: Instant(nanoseconds: 50_000_000))
        #expect(net.hosts[1].executions.count == 4)
        try net.run()
        checkAtRest(net, calls: 4)
    }

    @Test("of calls that wait the shortest begin first, and the oldest has its share all the same")
    func order() throws {
        var settings = underWay(100_000)
        settings.fifoSendFraction = 0.2
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: settings), seed: 4)
        net.responseLength = { _ in 100 }
        net.serviceTime = 0
        try net.call(from: 0, to: 1, length: 100_000, cookie: 0)
        try net.call(from: 0, to: 1, length: 900_000, cookie: 1)
        for cookie in 2..<40 as Range<UInt64> {
            // 298 to 261 KB: the last two are of the next shorter class.
            try net.call(from: 0, to: 1, length: 300_000 - Int(cookie) * 1000, cookie: cookie)
        }
        try net.run()
        checkAtRest(net, calls: 40)
        let order = net.hosts[0].order
        #expect(Array(order.prefix(5)) == [0, 38, 39, 2, 3], "\(order)")
        // A fifth of the bytes: 900 KB when the others have had 3.6 MB, in calls of 0.28 on the average.
        let place = try #require(order.firstIndex(of: 1))
        #expect((13...18).contains(place), "\(place)")
    }

    @Test("what the oldest call has earned is gone when no call waits any more")
    func creditEnds() throws {
        var settings = EndpointConfiguration.small
        settings.bytesUnderWayPerPeer = 100_000
        settings.adaptsWindows = false
        settings.fifoSendFraction = 0.45
        let host = try LoneHost(settings)
        func begun() -> [UInt64] {
            let data = host.sent().filter { $0.header.common.type == .data && $0.payloadOffset == 0 }
            return data.map(\.header.common.senderID.rawValue)
        }
        func finish(_ id: UInt64) {
            host.receive(.grant(GrantFields(offset: 100_000, priority: 0)), id: id ^ 1, from: LoneHost.server)
            host.data(0..<10, of: 10, id: id ^ 1, from: LoneHost.server)
        }
        for round in 0..<4 as Range<UInt64> {
            let first = 1000 + 6 * round
            for _ in 0..<3 { try host.call(length: 100_000) }
            #expect(begun() == [first])
            // The second earns the third 82 % of its length, which is not enough.
            for id in [first, first + 2] {
                finish(id)
                #expect(begun() == [id + 2])
            }
            finish(first + 4)
        }
        #expect(host.endpoint.rpcCount == 0)
    }

    @Test(
        "what is under way is the limit at most for each class, whatever begins and ends",
        arguments: 0..<8 as Range<UInt64>)
    func conservation(seed: UInt64) throws {
        let limits = AdmissionLimits(
            unfinished: 40, calls: 12, bytes: 300_000, unscheduled: 10_000, unscheduledTogether: 100_000,
            oldestEarning: 0)
        var random = SeededRandom(seed: seed)
        var admission = CallAdmission()
        var begun: [UInt32] = []
        for _ in 0..<5000 {
            let length = 1 + UInt32(random.next() % (1 << (1 + random.next() % 20)))
            let below = begun.filter { CallAdmission.sizeClass($0) <= CallAdmission.sizeClass(length) }
            let unscheduled = Dictionary(grouping: below, by: CallAdmission.sizeClass).values
                .map { min($0.reduce(0, +), 10_000 * UInt32($0.count)) }.reduce(0, +)
            let mayBegin =
                begun.count < 40 && below.count < 12 && below.reduce(0, +) < 300_000 && unscheduled < 100_000
            let answer = admission.mayBegin(length, limits)
            #expect(answer == mayBegin)
            if answer {
                admission.admit(length, oldestEarning: limits.oldestEarning)
                begun.append(length)
            }
            if !begun.isEmpty, random.next() % 2 == 0 {
                admission.handOver(begun.remove(at: Int(random.next() % UInt64(begun.count))))
                admission.finish()
            }
        }
        for length in begun {
            admission.handOver(length)
            admission.finish()
        }
        #expect(admission.isEmpty)
    }

    @Test("a call that waits can be given up, and those behind it go on", arguments: [100, 200_000])
    func abandoned(length: Int) throws {
        var settings = configuration(calls: 2)
        settings.bytesUnderWayPerPeer = 400_000
        settings.adaptsWindows = false
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: settings), seed: 5)
        net.serviceTime = 2_000_000
        var handles: [RPCHandle] = []
        for cookie in 0..<9 as Range<UInt64> {
            handles.append(try net.call(from: 0, to: 1, length: length, cookie: cookie))
        }
        for index in [2, 5, 8] {
            let wasThere = net.hosts[0].endpoint.abort(handles[index], failure: .aborted, at: net.now)
            #expect(wasThere)
        }
        net.drain(0)
        try net.run()
        checkAtRest(net, calls: 9, mayFail: true)
        #expect(Set(net.hosts[0].failures.keys) == [2, 5, 8])
        #expect(net.hosts[1].executions.count == 6, "what never began never ran")
    }

    @Test("a call that waits too long fails at its deadline")
    func deadline() throws {
        let net = TestNet(hosts: try NetTests.hosts(2, configuration: configuration(calls: 1)), seed: 6)
        net.serviceTime = 20_000_000
        try net.call(from: 0, to: 1, length: 100, cookie: 1)
        try net.call(from: 0, to: 1, length: 100, cookie: 2, deadline: net.now.advanced(byNanoseconds: 3_000_000))
        try net.call(from: 0, to: 1, length: 100, cookie: 3)
        try net.run()
        checkAtRest(net, calls: 3, mayFail: true)
        #expect(net.hosts[0].failures == [2: .deadlineExceeded])
        #expect(net.hosts[1].executions.count == 2)
    }

    @Test(
        "requests that end early for want of room make their client distrusted only if nothing much of them came",
        arguments: [1, 1416])
    func evictedForRoom(bytes: Int) throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumServerRPCsPerHost = 8
        let host = try LoneHost(configuration)
        for id in 1...30 as ClosedRange<UInt64> {
            host.data(0..<bytes, of: 5000, id: id * 2)
            if host.endpoint.rpcCount > 7 { host.pass(microseconds: 60_000) }
        }
        #expect(host.endpoint.statistics.requestsEvicted >= 10)
        for id in 101...102 as ClosedRange<UInt64> { host.data(0..<bytes, of: 5000, id: id * 2) }
        #expect((host.dropped(.distrustedPeer) == 0) == (bytes > 1))
    }

    @Test(
        "a request that its client starves is not evicted while the client answers questions", arguments: [true, false])
    func starved(answers: Bool) throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumServerRPCsPerHost = 8
        let host = try LoneHost(configuration)
        for id in 1...7 as ClosedRange<UInt64> { host.data(0..<1000, of: 5000, id: id * 2) }
        for _ in 0..<90 {
            host.pass(microseconds: 1000)
            for packet in host.sent() where packet.header.common.type == .resend && answers {
                host.receive(.busy, id: packet.header.common.senderID.clientSide.rawValue)
            }
        }
        #expect((host.endpoint.rpcCount == 7) == answers)
        #expect((host.endpoint.statistics.requestsEvicted > 0) != answers)
    }
}
