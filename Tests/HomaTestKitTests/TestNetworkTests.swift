// SPDX-License-Identifier: Apache-2.0

import Homa
import HomaTestKit
import Synchronization
import Testing

private func pattern(_ number: Int, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
}

/// What a run came to, in order.
private final class Log: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

extension HomaSocket {
    fileprivate func echo(on place: HandlerPlace = .concurrentPool) async throws {
        try await serve(on: place) { request in
            let message = request.message
            try request.respond(copying: message)
        }
    }
}

@Suite("Test network", .timeLimit(.minutes(2)))
struct TestNetworkTests {
    @Test("calls of every length are answered over a network that loses, doubles and reorders packets")
    func faults() async throws {
        let network = TestNetwork(seed: 3, loss: 0.05)
        network.faults.duplication = 0.02
        network.faults.reordering = 0.05
        let (server, client) = (try network.addNode(), try network.addNode())
        try await network.run {
            let socket = try server.openSocket(port: 4000)
            async let serving: Void = socket.echo()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, count) in [1, 100, 1400, 20_000, 300_000, 1_000_000].enumerated() {
                    group.addTask {
                        let bytes = pattern(number, count: count)
                        let answer = try await client.call(server.address(port: 4000), sending: bytes)
                        #expect(answer.copyBytes() == bytes)
                    }
                }
                try await group.waitForAll()
            }
            socket.close()
            try await serving
        }
        #expect(network.packets.lost > 0 && network.packets.duplicated > 0)
        #expect(server.statistics.endpoint.requestsDelivered == 6)
        #expect(client.statistics.endpoint.callsCompleted == 6)
    }

    /// Answers come in an order that chance decides; their times are in the log.
    private func run(seed: UInt64, on place: HomaSocket.HandlerPlace) async throws -> [String] {
        let network = TestNetwork(seed: seed, loss: 0.1)
        let (server, client) = (try network.addNode(), try network.addNode())
        let log = Log()
        try await network.run {
            let socket = try server.openSocket(port: 4000)
            async let serving: Void = socket.serve(on: place) { request in
                let message = request.message
                try await network.sleep(for: .microseconds(message.count % 7 * 100))
                try request.respond(copying: message)
            }
            await withTaskGroup(of: Void.self) { group in
                for number in 1...40 {
                    group.addTask {
                        let answer = try? await client.call(
                            server.address(port: 4000), sending: pattern(number, count: number * 300))
                        log.add("\(number): \(answer?.count ?? 0) at \(network.now.nanoseconds)")
                    }
                }
            }
            socket.close()
            try await serving
        }
        log.add("\(network.packets)")
        return log.all
    }

    @Test(
        "a seed tells the whole run, to the nanosecond, and another seed another one",
        arguments: [HomaSocket.HandlerPlace.concurrentPool, .engine])
    func seeds(place: HomaSocket.HandlerPlace) async throws {
        let first = try await run(seed: 11, on: place)
        #expect(first.count == 41)
        for _ in 0..<3 { #expect(try await run(seed: 11, on: place) == first) }
        #expect(try await run(seed: 12, on: place) != first)
    }

    @Test("minutes pass in no time: a deadline ends a call at its very moment, and the handler is cancelled")
    func deadline() async throws {
        let network = TestNetwork()
        let (server, client) = (try network.addNode(), try network.addNode())
        let log = Log()
        try await network.run {
            let socket = try server.openSocket(port: 4000)
            async let serving: Void = socket.serve { request in
                do { try await network.sleep(for: .seconds(600)) } catch { log.add("cancelled") }
                _ = consume request
            }
            let start = network.now
            do throws(HomaError) {
                _ = try await client.call(server.address(port: 4000), sending: [1], deadline: .seconds(300))
                Issue.record("nobody answered")
            } catch {
                #expect(error.code == .deadlineExceeded)
            }
            let elapsed = network.now.nanoseconds(since: start)
            #expect((300_000_000_000...300_001_000_000).contains(elapsed))
            try await network.sleep(for: .seconds(1))
            socket.close()
            try await serving
        }
        #expect(log.all == ["cancelled"])
    }

    @Test("a node that is cut off is silent, and works again when it is not any more")
    func isolation() async throws {
        let network = TestNetwork()
        let (server, client) = (try network.addNode(), try network.addNode())
        try await network.run {
            let socket = try server.openSocket(port: 4000)
            async let serving: Void = socket.echo()
            let address = server.address(port: 4000)
            #expect(try await client.call(address, sending: [1]).count == 1)
            network.isolate(server)
            await #expect { try await client.call(address, sending: [2]) } throws: {
                ($0 as? HomaError)?.code == .timedOut
            }
            network.rejoin(server)
            #expect(try await client.call(address, sending: [3]).copyBytes() == [3])
            socket.close()
            try await serving
        }
    }

    @Test("by hand, nothing happens before time is let pass")
    func byHand() async throws {
        let network = TestNetwork(latency: .milliseconds(10), time: .byHand)
        let (server, client) = (try network.addNode(), try network.addNode())
        let log = Log()
        try await network.run {
            let socket = try server.openSocket(port: 4000)
            async let serving: Void = socket.echo()
            async let answer = client.call(server.address(port: 4000), sending: [1], deadline: .seconds(1))
            await network.advance(by: .milliseconds(5))
            #expect(server.statistics.endpoint.requestsDelivered == 0)
            #expect(network.now.nanoseconds == 5_000_000)
            // The first call of a client to a server takes another round trip (docs/protocol.md).
            await network.advance(by: .milliseconds(60))
            #expect(server.statistics.endpoint.requestsDelivered == 1)
            #expect(try await answer.count == 1)
            log.add("answered")
            socket.close()
            await network.advance(by: .milliseconds(1))
            try await serving
        }
        #expect(network.now.nanoseconds == 66_000_000 && log.all == ["answered"])
    }

    @Test("a node ends in order, and another takes its address, as after a restart")
    func restart() async throws {
        let network = TestNetwork(seed: 5)
        let (server, client) = (try network.addNode(), try network.addNode())
        try await network.run {
            for life in 0..<3 {
                let server = life == 0 ? server : try network.addNode(at: server.localAddress)
                let socket = try server.openSocket(port: 4000)
                async let serving: Void = socket.echo()
                let answer = try await client.call(server.address(port: 4000), sending: pattern(life, count: 100_000))
                #expect(answer.count == 100_000)
                #expect(await server.drain(for: .seconds(1)).isNothing)
                await server.shutdown()
                try await serving
            }
            await #expect { try await client.call(server.address(port: 4000), sending: [1]) } throws: {
                ($0 as? HomaError)?.code == .portUnreachable
            }
        }
        #expect(throws: HomaError.self) { try network.addNode(at: client.localAddress) }
    }

    @Test("inline handlers, one-way messages and nodes of several shards work as ever")
    func forms() async throws {
        let network = TestNetwork(seed: 9)
        var configuration = HomaConfiguration()
        configuration.shards = 2
        let (server, client) = (try network.addNode(configuration), try network.addNode(configuration))
        try await network.run {
            let inline = try server.openSocket(port: 1)
            let taken = try server.openSocket(port: 2)
            async let serving: Void = inline.serveInline { request in try? request.respondWithRequest() }
            for number in 0..<20 {
                let bytes = pattern(number, count: 1 + number * 1000)
                #expect(try await client.call(server.address(port: 1), sending: bytes).copyBytes() == bytes)
            }
            async let sent: Void = client.send([1, 2, 3], to: server.address(port: 2))
            let message = try await taken.nextRequest()
            #expect(message.message.copyBytes() == [1, 2, 3])
            message.decline()
            try await sent
            inline.close()
            try await serving
        }
    }

    @Test("threads that are no part of a run may ask nodes, and what they do is waited for")
    func strangers() async throws {
        let network = TestNetwork()
        let (server, client) = (try network.addNode(), try network.addNode())
        try await network.run {
            let socket = try server.openSocket(port: 4000)
            async let serving: Void = socket.echo()
            let outside = Task.detached {
                var counts: [Int] = []
                for number in 1...20 {
                    counts.append(
                        try await client.call(server.address(port: 4000), sending: pattern(1, count: number)).count)
                    #expect(server.statistics.endpoint.requestsDelivered >= number)
                }
                return counts
            }
            #expect(try await outside.value == Array(1...20))
            socket.close()
            try await serving
        }
    }

    @Test("a cancelled run, and a sleep of one, end at once")
    func cancellation() async throws {
        let network = TestNetwork(time: .byHand)
        let task = Task { try await network.run { try await network.sleep(for: .seconds(3600)) } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(network.now == .zero)
    }

    @Test("the network's time is a clock, and runs may be within runs")
    func clock() async throws {
        let network = TestNetwork()
        let elapsed = try await network.run {
            try await network.run {
                try await network.clock.measure { try await Task.sleep(for: .seconds(90), clock: network.clock) }
            }
        }
        #expect(elapsed == .seconds(90))
    }

    @Test("a node keeps its network, and nothing keeps the network without its nodes")
    func lifetimes() throws {
        weak var network: TestNetwork?
        func makeNode() throws -> HomaNode {
            let made = TestNetwork()
            network = made
            return try made.addNode()
        }
        var node: HomaNode? = try makeNode()
        #expect(network != nil)
        #expect(node?.statistics.endpoint.callsCompleted == 0)
        node = nil
        #expect(network == nil)
    }

    @Test("what a node in memory cannot have is refused by name")
    func refused() {
        let network = TestNetwork()
        var configuration = HomaConfiguration()
        configuration.bindAddress = "127.0.0.1"
        #expect { try network.addNode(configuration) } throws: { "\($0)".contains("bindAddress") }
        configuration = HomaConfiguration()
        configuration.mtu = 5
        #expect { try network.addNode(configuration) } throws: { "\($0)".contains("mtu is 5") }
    }
}

@Suite("Handlers and callers alone", .timeLimit(.minutes(1)))
struct StandInTests {
    @Test("a handler is tested without a server: its answer, its failure, and no answer at all")
    func handler() async throws {
        let answer = try await TestNetwork.answer(to: [1, 2, 3]) { request in
            let message = request.message
            try request.respond(Array(message.copyBytes().reversed()))
        }
        #expect(answer.copyBytes() == [3, 2, 1])
        await #expect {
            try await TestNetwork.answer(to: [1]) { request in try request.fail("no such key") }
        } throws: { ($0 as? HomaError)?.code == .applicationError && "\($0)".contains("no such key") }
        await #expect {
            try await TestNetwork.answer(to: [1]) { request in
                _ = consume request
                throw CancellationError()
            }
        } throws: { ($0 as? HomaError)?.code == .requestDropped }
        await #expect(throws: HomaError.self) {
            try await TestNetwork.answer(to: []) { request in try request.respond([1]) }
        }
    }

    /// Code that only calls.
    private func total(of keys: [UInt8], using caller: some HomaCaller) async throws -> Int {
        var total = 0
        for key in keys {
            total += try await caller.call("10.0.0.9:4000", sending: [key], deadline: .seconds(1)).copyBytes().count
        }
        return total
    }

    @Test("code that only calls is tested against a stub, and runs over a node unchanged")
    func callers() async throws {
        let stub = StubCaller { call throws(HomaError) in
            guard call.bytes != [13] else { throw HomaError(.timedOut, "unlucky", peer: call.server) }
            return Array(repeating: 0, count: Int(call.bytes[0]))
        }
        #expect(try await total(of: [1, 2, 3], using: stub) == 6)
        #expect(stub.calls.map(\.bytes) == [[1], [2], [3]] && stub.calls[0].deadline == .seconds(1))
        await #expect(throws: HomaError(.timedOut, "unlucky", peer: stub.calls[0].server)) {
            try await total(of: [13], using: stub)
        }
        await #expect(throws: HomaError.self) { try await stub.resolve("server:4000") }

        let network = TestNetwork()
        let server = try network.addNode(at: try HomaAddress("10.0.0.9:4000").node)
        let client = try network.addNode()
        try await network.run {
            let socket = try server.openSocket(port: 4000)
            async let serving: Void = socket.serve { request in
                let count = Int(request.message.copyBytes()[0])
                try request.respond([UInt8](repeating: 0, count: count))
            }
            #expect(try await total(of: [1, 2, 3], using: client) == 6)
            socket.close()
            try await serving
        }
    }

    @Test("messages and errors can be made")
    func values() {
        let bytes = pattern(1, count: 100_000)
        let message = HomaMessage(copying: bytes)
        #expect(message.isContiguous && message.count == 100_000 && message.copyBytes() == bytes)
        #expect(HomaMessage(copying: [1, 2]) == HomaMessage(copying: [1, 2]))
        let error = HomaError(.applicationError, "broken", response: HomaMessage(copying: [7]))
        #expect(error.response?.copyBytes() == [7] && error.mayHaveRun && "\(error)" == "applicationError: broken")
    }
}
