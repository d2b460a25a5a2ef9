// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCore
import HomaIO

/// Everything that a seed decides before a run begins.
struct EnginePlan {
    struct Operation {
        enum Answer { case now, later, failure, declined }

        var time: Instant
        var client: Int
        var server: Int
        var isOneWay: Bool
        /// How the message is handed over: 0 a buffer, 1 an array, 2 a closure.
        var form: Int
        var length: Int
        var answerLength: Int
        var answer: Answer
        /// Nanoseconds that the application takes for a late answer, and for which it keeps each message.
        var serviceTime: UInt64
        var holdTime: UInt64
        var deadline: UInt64?
        /// Nanoseconds after its beginning at which it is given up.
        var cancel: UInt64?
    }

    /// A host that ends while others still talk to it.
    struct Stop {
        var host: Int
        var time: Instant
        var drain: UInt64
    }

    let seed: UInt64
    var hosts: [MemoryHosts.Settings] = []
    var operations: [Operation] = []
    var stops: [Stop] = []
    var faults = MemoryFaults()
    var delay: UInt64
    var jitter: UInt64
    var joins: Bool
    var routerMTU: Int?
    var routerTells = true
    /// When faults begin to be, and when they are over.
    let heals: Instant
    /// Of the network and of the engines' own random numbers.
    let worldSeed: UInt64

    init(seed: UInt64, limits: EngineLimits) {
        self.seed = seed
        var random = SeededRandom(seed: seed ^ 0x656E_6769_6E65_7300)
        worldSeed = random.next()
        heals = Instant(nanoseconds: UInt64.random(in: 5_000_000...80_000_000, using: &random))
        delay = UInt64.random(in: 1_000...50_000, using: &random)
        jitter = Bool.random(using: &random) ? 0 : UInt64.random(in: 0...100_000, using: &random)
        joins = Int.random(in: 0..<4, using: &random) > 0
        drawFaults(&random)
        var stream = SeededRandom(seed: random.next())
        let hostCount = Int.random(in: 2...4, using: &stream)
        for _ in 0..<hostCount { hosts.append(Self.host(&stream)) }
        hosts = Array(hosts.prefix(limits.hosts ?? .max))
        stream = SeededRandom(seed: random.next())
        let count = [10, 30, 100, 300].randomElement(using: &stream)!
        for _ in 0..<count { operations.append(operation(hostCount, &stream)) }
        operations = Array(operations.prefix(limits.calls ?? .max)).map { operation in
            var kept = operation
            kept.client %= hosts.count
            kept.server %= hosts.count
            if kept.client == kept.server { kept.server = (kept.server + 1) % hosts.count }
            return kept
        }
        stream = SeededRandom(seed: random.next())
        if hosts.count > 2, Bool.random(using: &stream) {
            stops.append(
                Stop(
                    host: Int.random(in: 0..<hosts.count, using: &stream),
                    time: Instant(nanoseconds: .random(in: 0...heals.nanoseconds, using: &stream)),
                    drain: Bool.random(using: &stream) ? 0 : 2_000_000_000))
        }
    }

    private mutating func drawFaults(_ random: inout SeededRandom) {
        func share(_ most: Double) -> Double {
            Int.random(in: 0..<2, using: &random) == 0 ? 0 : most * random.nextUnit() * random.nextUnit()
        }
        faults.loss = share(0.3)
        faults.duplication = share(0.2)
        faults.lateness = share(0.3)
        faults.longestDelay = UInt64.random(in: 1_000...3_000_000, using: &random)
        faults.truncation = share(0.5)
        faults.refusal = share(0.2)
        faults.fullness = share(0.1)
        if Int.random(in: 0..<4, using: &random) == 0 {
            routerMTU = Int.random(in: 1280...1499, using: &random)
            routerTells = Bool.random(using: &random)
        }
        faults.denial = share(0.05)
        faults.outage = share(0.002)
    }

    private static func host(_ random: inout SeededRandom) -> MemoryHosts.Settings {
        func one<Value>(of values: [Value]) -> Value { values.randomElement(using: &random)! }
        var host = MemoryHosts.Settings()
        host.shards = one(of: [1, 1, 2, 3, 4])
        host.linkMTU = one(of: [1500, 1500, 9000, 1280])
        host.refusesTrains = one(of: [false, false, false, true])
        host.socketBytes = one(of: [100_000, 1 << 20, 8 << 20])
        host.stepTime = UInt64.random(in: 200...3_000, using: &random)
        host.wakeTime = UInt64.random(in: 500...60_000, using: &random)
        var configuration = EngineConfiguration()
        configuration.spinNanoseconds = one(of: [0, 0, 5_000, 50_000])
        configuration.packetsPerRound = one(of: [1, 7, 88, 88])
        configuration.receivesInPlace = Bool.random(using: &random)
        configuration.receiveMode = one(of: [.bpages, .bpages, .copyAfterComplete])
        configuration.pool.regionLength = one(of: [4 << 20, 8 << 20, 32 << 20])
        configuration.socket.connectsToBusiestPeer = false
        configuration.socket.gso = one(of: [.automatic, .automatic, .off])
        configuration.socket.receiveSlots = one(of: [1, 2, 8])
        configuration.socket.sendQueueCapacity = one(of: [4, 64, 512])
        configuration.socket.maximumTrainBytes = one(of: [3_000, 20_000, 65_000])
        configuration.endpoint.maximumRPCs = 1024
        configuration.endpoint.maximumPeers = 64
        configuration.endpoint.callsUnderWayPerPeer = one(of: [4, 64, 256])
        host.configuration = configuration
        return host
    }

    private func operation(_ hostCount: Int, _ random: inout SeededRandom) -> Operation {
        func length() -> Int {
            let most = [200, 2_000, 2_000, 20_000, 200_000, 1_000_000].randomElement(using: &random)!
            return Int.random(in: 8...most, using: &random)
        }
        let client = Int.random(in: 0..<hostCount, using: &random)
        let isGivenUp = Int.random(in: 0..<12, using: &random) == 0
        let isLimited = Int.random(in: 0..<12, using: &random) == 0
        return Operation(
            time: Instant(nanoseconds: .random(in: 0...heals.nanoseconds, using: &random)), client: client,
            server: (client + Int.random(in: 1..<hostCount, using: &random)) % hostCount,
            isOneWay: Int.random(in: 0..<5, using: &random) == 0, form: Int.random(in: 0..<3, using: &random),
            length: length(), answerLength: length(),
            answer: [.now, .now, .now, .later, .later, .failure, .declined].randomElement(using: &random)!,
            serviceTime: .random(in: 0...3_000_000, using: &random),
            holdTime: Bool.random(using: &random) ? 0 : .random(in: 0...2_000_000, using: &random),
            deadline: isLimited ? .random(in: 10_000...50_000_000, using: &random) : nil,
            cancel: isGivenUp ? .random(in: 0...10_000_000, using: &random) : nil)
    }
}
