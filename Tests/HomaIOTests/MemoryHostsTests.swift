// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaBuffers
import HomaCore
import Testing

@testable import HomaIO

/// Hosts that echo, and calls between them; no socket, no thread, no real clock.
private final class EchoWorld: @unchecked Sendable {
    let world: MemoryHosts
    private(set) var hosts: [MemoryHost] = []
    private(set) var good = 0
    private(set) var bad = 0
    private(set) var failures: [RPCFailure] = []
    /// Requests whose buffers are not given back, if that is wanted.
    var kept: [ReceivedMessage]?
    /// Whether each call has gone.
    private var weakCalls: [() -> Bool] = []

    init(seed: UInt64) { world = MemoryHosts(seed: seed) }

    @discardableResult
    func add(_ change: (inout MemoryHosts.Settings) -> Void = { _ in }) throws -> MemoryHost {
        var settings = MemoryHosts.Settings()
        settings.configuration.pool.regionLength = 8 << 20
        settings.configuration.spinNanoseconds = 2_000
        change(&settings)
        let host = try world.addHost(at: PeerAddress(ipv4: 0x0A00_0001 + UInt32(hosts.count), port: 4000), settings)
        try host.openPort(1) { engine in
            PortSink(
                owner: self,
                deliver: { [unowned self, unowned engine] request, message in
                    var bytes: [UInt8] = []
                    while bytes.count < message.count { bytes += message.piece(at: bytes.count) }
                    kept?.append(message)
                    engine.respond(to: request.rpc, with: OutgoingBuffer(copying: bytes.span.bytes))
                }, closed: {})
        }
        hosts.append(host)
        return host
    }

    func call(_ number: Int, from client: Int, to server: Int, bytes count: Int, shard: Int = 0) {
        call(number, from: client, to: hosts[server].address, bytes: count, shard: shard)
    }

    func call(_ number: Int, from client: Int, to server: PeerAddress, bytes count: Int, shard: Int = 0) {
        let bytes = pattern(number, count: count)
        let call = PendingCall(
            to: server, port: 1, sending: .bytes(bytes), limitNanoseconds: nil)
        weakCalls.append { [weak call] in call == nil }
        let hasBegun = hosts[client].engines[shard].start(call) { [unowned self] outcome in
            switch outcome {
            case .response(let message):
                var answer: [UInt8] = []
                while answer.count < message.count { answer += message.piece(at: answer.count) }
                if answer == bytes { good += 1 } else { bad += 1 }
            case .failed(let failure, _): failures.append(failure)
            default: bad += 1
            }
        }
        #expect(hasBegun)
    }

    /// Until so many calls have ended.
    func run(calls: Int, within limit: Duration = .seconds(20)) {
        world.run(until: world.now + limit) { good + bad + failures.count >= calls }
    }

    /// Stops all hosts and sees that nothing of them is left.
    func end() {
        // Answers of clients that seem to have gone are kept for a while.
        world.run(until: world.now + .seconds(8))
        for host in hosts { #expect(host.leftovers == nil) }
        for host in hosts { host.stop(drainNanoseconds: 100_000_000) }
        world.run(until: world.now + .seconds(2)) { hosts.allSatisfy(\.isOver) }
        #expect(hosts.allSatisfy { $0.isOver })
        for host in hosts {
            let pool = host.engines[0].region.pool.statistics
            #expect(pool.leasesLive == 0 && pool.doubleReturns == 0)
        }
        #expect(weakCalls.count { !$0() } == 0)
    }
}

/// One call each of many lengths, from host 0 to host 1.
private func callAll(_ echo: EchoWorld, count: Int = 40, before: Int = 0) {
    for number in 0..<count { echo.call(number, from: 0, to: 1, bytes: 1 + (number * number * 131) % 120_000) }
    echo.run(calls: before + count)
    #expect(echo.good == before + count && echo.bad == 0 && echo.failures.isEmpty)
}

@Suite("Engines over memory")
struct MemoryHostsTests {
    @Test(
        "calls are answered with their bytes, whatever the network loses, doubles, delays and refuses",
        arguments: 1...12 as ClosedRange<UInt64>)
    func faults(seed: UInt64) throws {
        let echo = EchoWorld(seed: seed)
        var faults = MemoryFaults()
        faults.loss = 0.05
        faults.duplication = 0.05
        faults.lateness = 0.1
        faults.longestDelay = 400_000
        faults.truncation = 0.2
        faults.refusal = 0.05
        faults.fullness = 0.05
        echo.world.network.faults = faults
        try echo.add { $0.shards = 1 + Int(seed % 3) }
        try echo.add { $0.shards = 1 + Int(seed % 2) }
        callAll(echo)
        echo.world.network.faults = MemoryFaults()
        echo.end()
    }

    @Test("the memory of a burst goes back to the system once it is over", arguments: [1, 2])
    func burst(shards: Int) throws {
        let echo = EchoWorld(seed: 5)
        for _ in 0..<2 {
            try echo.add {
                $0.shards = shards
                $0.configuration.pool.regionLength = 32 << 20
            }
        }
        callAll(echo)
        let region = echo.hosts[1].engines[0].region
        let usual = region.residentByteCount
        echo.kept = []
        for number in 0..<20 { echo.call(number, from: 0, to: 1, bytes: 400_000) }
        echo.run(calls: 60)
        #expect(echo.good == 60)
        let burst = region.residentByteCount
        echo.kept = nil
        echo.world.run(until: echo.world.now + .seconds(15))
        #expect(burst > 7 << 20 && region.residentByteCount <= max(usual, 1 << 20) + 1 << 17, "\(usual), \(burst)")
        callAll(echo, count: 20, before: 60)
        echo.end()
    }

    @Test("an outage that a router announces costs no call, and one without end is the reason that calls fail for")
    func outage() throws {
        let echo = EchoWorld(seed: 3)
        for _ in 0..<3 { try echo.add() }
        // A request of which a server that has just begun hears nothing might be one of its former life.
        echo.world.run(until: echo.world.now + .seconds(10))
        for number in 0..<20 { echo.call(number, from: 0, to: 1, bytes: 1 + number * 5_000) }
        echo.world.network.interrupt(echo.hosts[1].address, until: echo.world.now + .milliseconds(200))
        echo.run(calls: 20)
        #expect(echo.good == 20 && echo.bad == 0)
        #expect(echo.failures == [])
        echo.world.network.interrupt(echo.hosts[1].address, until: echo.world.now + .seconds(10))
        echo.call(20, from: 0, to: 1, bytes: 100)
        echo.call(21, from: 0, to: 2, bytes: 100)
        echo.run(calls: 22)
        #expect(echo.good == 21)
        #expect(echo.failures == [.hostUnreachable])
        echo.end()
    }

    @Test("what the own system refuses to send to one host fails for that, soon, and delays nothing to others")
    func forbidden() throws {
        let echo = EchoWorld(seed: 4)
        for _ in 0..<3 { try echo.add() }
        let (own, first) = (echo.hosts[0].address, echo.hosts[1].address)
        echo.world.network.refuse(first, from: own, code: EPERM, until: echo.world.now + .seconds(10))
        for number in 0..<20 { echo.call(number, from: 0, to: 1 + number % 2, bytes: 1 + number * 5_000) }
        echo.run(calls: 10, within: .milliseconds(20))
        #expect(echo.good == 10 && echo.failures.isEmpty)
        echo.run(calls: 20, within: .milliseconds(130))
        #expect(echo.good == 10 && echo.failures == Array(repeating: .sendRefused, count: 10))
        // Much later it is another matter, and for a moment costs nothing.
        echo.world.run(until: echo.world.now + .seconds(1))
        echo.world.network.refuse(first, from: own, code: EPERM, until: echo.world.now + .milliseconds(20))
        echo.call(20, from: 0, to: 1, bytes: 50_000)
        echo.run(calls: 21)
        #expect(echo.good == 11)
        echo.end()
    }

    @Test(
        "neighbors that do not exist fill a send buffer for seconds, and delay nothing to those who answer",
        arguments: [20, 200], [1, 2])
    func missingNeighbors(count: Int, shards: Int) throws {
        let echo = EchoWorld(seed: 7)
        // As much as an unprivileged process gets.
        try echo.add {
            $0.sendBytes = 425_984
            $0.shards = shards
        }
        try echo.add()
        try echo.add()
        echo.call(0, from: 0, to: 1, bytes: 100)
        echo.run(calls: 1)
        for number in 1...count {
            let nobody = PeerAddress(ipv4: 0x0A00_0100 + UInt32(number), port: 4000)
            echo.world.network.missing.insert(nobody)
            echo.call(number, from: 0, to: nobody, bytes: 60_000, shard: number % shards)
        }
        for number in 1...1000 {
            echo.call(number, from: 0, to: 1, bytes: 100 * (1 + number % 50), shard: number % shards)
            // Nor to one that is called for the first time.
            let newcomers = number >= 100 ? 1 : 0
            if number == 100 { echo.call(2_000, from: 0, to: 2, bytes: 20_000, shard: shards - 1) }
            echo.world.run(until: echo.world.now + .milliseconds(1)) { echo.good == number + newcomers + 1 }
            try #require(echo.good == number + newcomers + 1, "call \(number) of 1000")
            echo.world.run(until: echo.world.now + .milliseconds(2))
        }
        #expect(echo.hosts[0].statistics[0].driver.sendBufferFull > 0)
        echo.run(calls: 1002 + count, within: .seconds(20))
        #expect(echo.good == 1002 && echo.failures.count == count)
        #expect(echo.failures.allSatisfy { $0 == .timedOut || $0 == .hostUnreachable })
        echo.end()
    }

    @Test("trains that the system refuses are spared for a minute, and tried again then")
    func refusedTrains() throws {
        let echo = EchoWorld(seed: 6)
        try echo.add { $0.refusesTrains = true }
        try echo.add()
        func trains() -> (sent: UInt64, refused: UInt64) {
            let driver = echo.hosts[0].statistics[0].driver
            return (driver.sentTrains, driver.gsoFallbacks)
        }
        for number in 0..<5 { echo.call(number, from: 0, to: 1, bytes: 50_000) }
        echo.run(calls: 5)
        let first = trains()
        #expect(first.sent == 0 && first.refused > 0)
        echo.world.network.permitTrains(of: echo.hosts[0].address)
        echo.world.run(until: echo.world.now + .seconds(50))
        echo.call(5, from: 0, to: 1, bytes: 50_000)
        echo.run(calls: 6)
        #expect(trains() == first)
        echo.world.run(until: echo.world.now + .seconds(12))
        for number in 6..<8 {
            echo.call(number, from: 0, to: 1, bytes: 50_000)
            echo.run(calls: number + 1)
        }
        #expect(trains().sent > 0 && trains().refused == first.refused)
        #expect(echo.good == 8)
        echo.end()
    }

    @Test("a path that becomes a black hole for what a server wants to see again is found out", arguments: [1, 20])
    func narrowAfterTheFirst(packets: Int) throws {
        let echo = EchoWorld(seed: 5)
        for _ in 0..<2 { try echo.add() }
        // The request comes through whole, and the server, which has just begun, asks for its first packet again.
        echo.call(0, from: 0, to: 1, bytes: packets * 1400)
        let start = echo.world.now
        echo.world.at(start + .microseconds(3)) {
            echo.world.network.routerMTU = 1400
            echo.world.network.routerTells = false
        }
        echo.run(calls: 1)
        #expect(echo.good == 1)
        #expect(echo.world.now.nanoseconds(since: start) < 2_000_000_000)
        echo.end()
    }

    @Test("trains arrive joined, and go straight into the region when that is asked for")
    func inPlace() throws {
        let echo = EchoWorld(seed: 1)
        try echo.add()
        try echo.add { $0.configuration.receivesInPlace = true }
        for number in 0..<12 {
            echo.call(number, from: 0, to: 1, bytes: 400_000)
            echo.run(calls: number + 1)
        }
        #expect(echo.good == 12)
        #expect(echo.world.network.counters.joined > 1_000)
        echo.end()
        let statistics = echo.hosts[1].engines[0].statistics
        #expect(statistics.trainsInPlace > 0 && statistics.bytesInPlace > 1_000_000)
    }

    @Test("a system that takes no trains is given single packets, after the first refusals")
    func withoutTrains() throws {
        let echo = EchoWorld(seed: 2)
        try echo.add { $0.refusesTrains = true }
        try echo.add()
        callAll(echo)
        echo.end()
        let driver = echo.hosts[0].engines[0].statistics.driver
        #expect(driver.gsoFallbacks > 0 && driver.sentTrains == 0)
        #expect(driver.sendCalls > driver.gsoFallbacks)
    }

    @Test(
        "packets that are longer than a router takes are cut anew, also when it says nothing",
        arguments: [true, false])
    func narrowPath(isTold: Bool) throws {
        let echo = EchoWorld(seed: 3)
        try echo.add()
        try echo.add()
        callAll(echo, count: 5)
        echo.world.network.routerMTU = 1_300
        echo.world.network.routerTells = isTold
        for number in 5..<25 { echo.call(number, from: 0, to: 1, bytes: 30_000) }
        echo.run(calls: 25)
        #expect(echo.good == 25 && echo.failures.isEmpty)
        echo.end()
    }

    @Test("a host that has gone is told of by its system, and calls to it end at once")
    func goneHost() throws {
        let echo = EchoWorld(seed: 4)
        try echo.add()
        let server = try echo.add()
        callAll(echo, count: 3)
        server.stop()
        echo.world.run(until: echo.world.now + .milliseconds(50))
        #expect(server.isOver)
        let begun = echo.world.now
        echo.call(3, from: 0, to: 1, bytes: 100)
        echo.run(calls: 4)
        #expect(echo.failures == [.portClosed])
        #expect(echo.world.now.nanoseconds(since: begun) < 1_000_000)
        echo.end()
    }

    @Test(
        "a server that drains brings its answers home before it ends, though packets are lost",
        arguments: 1...6 as ClosedRange<UInt64>)
    func drains(seed: UInt64) throws {
        let echo = EchoWorld(seed: seed)
        echo.world.network.faults.loss = 0.1
        try echo.add()
        let server = try echo.add { $0.shards = 2 }
        callAll(echo, count: 4)
        for number in 4..<24 { echo.call(number, from: 0, to: 1, bytes: 60_000) }
        // Some have begun to arrive, and go on; the others are refused.
        echo.world.run(until: echo.world.now + .microseconds(30))
        for engine in server.engines { engine.beginDraining() }
        for number in 24..<34 { echo.call(number, from: 0, to: 1, bytes: 100) }
        echo.run(calls: 34)
        #expect(echo.bad == 0 && echo.good >= 4 && echo.good + echo.failures.count == 34)
        #expect(echo.failures.count >= 10 && echo.failures.allSatisfy { $0 == .serverDraining })
        server.stop(drainNanoseconds: 5_000_000_000)
        echo.world.run(until: echo.world.now + .seconds(1)) { server.isOver }
        #expect(server.isOver)
        echo.world.network.faults.loss = 0
        echo.end()
    }

    @Test("an engine with nothing to do sleeps, and a command from elsewhere wakes it")
    func sleeps() throws {
        let echo = EchoWorld(seed: 5)
        try echo.add()
        try echo.add()
        callAll(echo, count: 3)
        echo.world.run(until: echo.world.now + .seconds(5))
        let before = echo.world.steps
        echo.world.run(until: echo.world.now + .seconds(100))
        #expect(echo.world.steps - before < 1_000)
        echo.call(3, from: 0, to: 1, bytes: 10)
        echo.run(calls: 4, within: .milliseconds(1))
        #expect(echo.good == 4)
        echo.end()
    }

    @Test("packets that are refused after they were put together keep their order and are sent once there is room")
    func refusedBundles() throws {
        let echo = EchoWorld(seed: 6)
        echo.world.network.faults.refusal = 0.2
        echo.world.network.faults.fullness = 0.2
        try echo.add { $0.configuration.socket.sendQueueCapacity = 64 }
        try echo.add { $0.configuration.socket.sendQueueCapacity = 64 }
        for round in 0..<20 {
            for number in 0..<50 { echo.call(number, from: 0, to: 1, bytes: 20 + number * 7) }
            echo.run(calls: 50 * (round + 1))
        }
        #expect(echo.good == 1_000)
        echo.world.network.faults = MemoryFaults()
        echo.end()
        let driver = echo.hosts[1].engines[0].statistics.driver
        #expect(driver.bundledPackets > 0 && driver.deviceQueueFull > 0 && driver.sendBufferFull > 0)
    }
}

@Suite("What may happen to engines over memory")
struct MemoryIncidentTests {
    @Test("what comes to a host that is suspended waits in its socket, and is answered when it goes on")
    func suspension() throws {
        let echo = EchoWorld(seed: 7)
        for _ in 0..<2 { try echo.add() }
        callAll(echo, count: 5)
        echo.hosts[1].suspend()
        echo.call(5, from: 0, to: 1, bytes: 3_000)
        echo.world.run(until: echo.world.now + .milliseconds(100))
        #expect(echo.good == 5 && echo.failures.isEmpty)
        #expect(echo.hosts[1].resume() > 0)
        echo.run(calls: 6)
        #expect(echo.good == 6)
        echo.end()
    }

    @Test("what comes to a host that sleeps is lost, and its clock goes on or stands still", arguments: [false, true])
    func sleep(stopsClock: Bool) throws {
        let echo = EchoWorld(seed: 8)
        for _ in 0..<2 { try echo.add() }
        callAll(echo, count: 5)
        let engine = echo.hosts[1].engines[0]
        let (before, start) = (engine.now, echo.world.now)
        echo.hosts[1].fallAsleep(stopsClock: stopsClock)
        echo.call(5, from: 0, to: 1, bytes: 3_000)
        echo.world.run(until: start + .milliseconds(100))
        #expect(echo.world.network.counters.isolated > 0)
        #expect(echo.hosts[1].resume() == 0)
        echo.run(calls: 6)
        #expect(echo.good == 6)
        let passed = echo.world.now.nanoseconds(since: start) - (stopsClock ? 100_000_000 : 0)
        #expect(engine.now.nanoseconds(since: before) == passed)
        echo.hosts[1].leapClock(byNanoseconds: 7)
        #expect(engine.now.nanoseconds(since: before) == passed + 7)
        echo.end()
    }

    @Test("a host that crashes ends its calls, is told of by its system or not, and another begins at its address")
    func crash() throws {
        let echo = EchoWorld(seed: 9)
        for _ in 0..<2 { try echo.add() }
        callAll(echo, count: 5)
        let address = echo.hosts[1].address
        echo.world.network.silent.insert(address)
        echo.hosts[1].crash()
        #expect(echo.hosts[1].isOver)
        echo.call(5, from: 0, to: 1, bytes: 100)
        echo.run(calls: 6)
        echo.world.network.silent = []
        echo.call(6, from: 0, to: 1, bytes: 100)
        echo.run(calls: 7)
        #expect(echo.failures == [.timedOut, .portClosed])
        var settings = MemoryHosts.Settings()
        settings.traceCapacity = 16
        let next = try echo.world.addHost(at: address, settings, after: echo.hosts[1])
        echo.call(7, from: 0, to: 1, bytes: 100)
        echo.run(calls: 8)
        #expect(echo.failures.last == .noSuchPort)
        next.crash()
        #expect(!next.trace().isEmpty && next.trace().allSatisfy { $0.time <= echo.world.now })
        echo.end()
    }

    @Test("a host that moves keeps its calls, and is called where it is")
    func move() throws {
        let echo = EchoWorld(seed: 10)
        for _ in 0..<2 { try echo.add() }
        callAll(echo, count: 5)
        let former = echo.hosts[0].address
        echo.call(5, from: 0, to: 1, bytes: 100_000)
        echo.world.run(until: echo.world.now + .microseconds(20))
        echo.hosts[0].move(to: PeerAddress(ipv4: 0x0A00_0009, port: 77))
        echo.run(calls: 6)
        echo.call(6, from: 1, to: 0, bytes: 100)
        echo.run(calls: 7)
        #expect(echo.good == 7 && echo.failures.isEmpty)
        #expect(echo.world.network.isFree(former) && echo.world.network.counters.strayed > 0)
        echo.end()
    }

    @Test("a way is cut in one direction, and narrow in one, also when a host moves")
    func ways() throws {
        let echo = EchoWorld(seed: 11)
        for _ in 0..<2 { try echo.add() }
        callAll(echo, count: 5)
        let network = echo.world.network
        var way = MemoryWay()
        way.mtu = 700
        network.set(way, from: echo.hosts[0].address, to: echo.hosts[1].address)
        echo.hosts[0].move(to: PeerAddress(ipv4: 0x0A00_0009, port: 4000))
        echo.call(5, from: 0, to: 1, bytes: 50_000)
        echo.run(calls: 6)
        #expect(echo.good == 6 && network.counters.tooLong > 0 && network.counters.cut == 0)
        way.isCut = true
        network.set(way, from: echo.hosts[0].address, to: echo.hosts[1].address)
        var lost = 0
        let ends = echo.hosts.map(\.address)
        network.onPacket = { fate, from, to, _ in if fate == .noWay, [from, to] == ends { lost += 1 } }
        echo.call(6, from: 0, to: 1, bytes: 100)
        echo.run(calls: 7)
        #expect(echo.failures == [.timedOut] && lost == network.counters.cut)
        network.heal()
        network.onPacket = nil
        echo.call(7, from: 0, to: 1, bytes: 100)
        echo.run(calls: 8)
        #expect(echo.good == 7)
        echo.end()
    }
}
