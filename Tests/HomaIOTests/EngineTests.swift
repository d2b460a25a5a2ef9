// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Synchronization
import Testing

@testable import HomaIO

@Suite("Engine", .serialized, .timeLimit(.minutes(1)))
struct EngineTests {
    private func makeEngine(spinNanoseconds: UInt64 = 0) throws -> Engine {
        var configuration = EngineConfiguration()
        configuration.socket.binding = .address(PeerAddress(ipv4: 0x7F00_0001, port: 0))
        configuration.spinNanoseconds = spinNanoseconds
        let engine = try Engine(configuration)
        try engine.start()
        return engine
    }

    /// Method: an engine that sleeps at once, and a thread that hands it one thing to do after another,
    /// each at a slightly different moment of its falling asleep. A lost wake would hang the test.
    @Test("no wake is lost, however close to falling asleep", arguments: [0, 2_000, 20_000] as [UInt64])
    func wakes(spinNanoseconds: UInt64) async throws {
        let engine = try makeEngine(spinNanoseconds: spinNanoseconds)
        for pause in 0..<6_000 {
            #expect(engine.performAndWait { true } == true)
            for _ in 0..<(pause & 255) { _ = engine.now }
        }
        await engine.stopAndWait()
    }

    @Test("jobs from many tasks at once all run on the engine's thread")
    func jobs() async throws {
        let engine = try makeEngine()
        let onThread = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<500 {
                group.addTask(executorPreference: engine) {
                    await Task.yield()
                    return engine.isCurrentThread
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(onThread == 500)
        await engine.stopAndWait()
    }

    @Test("a stopped engine refuses commands, runs jobs elsewhere, and keeps its last statistics")
    func stopped() async throws {
        let engine = try makeEngine()
        _ = engine.performAndWait { true }
        await engine.stopAndWait()
        await engine.stopAndWait()
        #expect(engine.performAndWait { true } == nil)
        #expect(engine.perform {} == false)
        #expect(await engine.sleep(until: engine.now) == .closed)
        #expect(await Task(executorPreference: engine) { engine.isCurrentThread }.value == false)
        #expect(engine.statistics.rounds > 0)
        #expect(engine.rpcs().isEmpty)
    }

    @Test("a node's engines begin with the same identifier, so that servers' windows hold what all of them ask")
    func firstIdentifiers() async throws {
        var configuration = EngineConfiguration()
        configuration.socket.binding = .address(PeerAddress(ipv4: 0x7F00_0001, port: 0))
        let engines = try Engine.makeShards(configuration, count: 3)
        #expect(engines.allSatisfy { $0.firstRPC == engines[0].firstRPC })
        try Engine.start(engines)
        for engine in engines { await engine.stopAndWait() }
    }

    @Test("many engines start and stop under load")
    func manyEngines() async throws {
        for _ in 0..<20 {
            let engine = try makeEngine(spinNanoseconds: 10_000)
            let sleeping = Task { await engine.sleep(until: .distantFuture) }
            let busy = Task(executorPreference: engine) { for _ in 0..<1000 { await Task.yield() } }
            await Task.yield()
            await engine.stopAndWait()
            #expect(await sleeping.value == .closed)
            await busy.value
        }
    }

    @Test("an engine that nobody holds ends by itself once told to")
    func dropped() async throws {
        weak var weakEngine: Engine?
        do {
            let engine = try makeEngine()
            weakEngine = engine
            engine.stop()
        }
        for _ in 0..<1000 where weakEngine != nil { try await Task.sleep(for: .milliseconds(1)) }
        #expect(weakEngine == nil)
    }
}
