// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCheck
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

    /// Something that happens to a host, or between two.
    struct Incident {
        enum Kind {
            /// Its process is suspended; its machine sleeps; its clock leaps.
            case pause, sleep, leap
            /// It is gone at once, or told to stop, and starts again; or it is told to and does not.
            case crash, restart, end
            /// It has another address.
            case move
            /// A way in one direction or both.
            case cut, narrow
        }

        var kind: Kind
        var time: Instant
        var length: UInt64
        var host: Int
        var other: Int
        var amount: UInt64
    }

    let seed: UInt64
    var hosts: [MemoryHosts.Settings] = []
    var operations: [Operation] = []
    var incidents: [Incident] = []
    let faultSet: FaultSet
    var faults = MemoryFaults()
    var delay: UInt64
    var jitter: UInt64 = 0
    var joins: Bool
    var routerMTU: Int?
    var routerTells = true
    /// When faults begin to be, and when they are over.
    private(set) var heals: Instant
    /// Hosts stand still more often than elsewhere, and nothing else goes wrong.
    private let restsMore: Bool
    /// Of the network and of the engines' own random numbers.
    let worldSeed: UInt64

    static let milliseconds: UInt64 = 1_000_000

    init(seed: UInt64, limits: SwarmLimits) {
        self.seed = seed
        var random = Seeds.stream(seed, 401)
        worldSeed = random.next()
        delay = UInt64.random(in: 1_000...50_000, using: &random)
        joins = Int.random(in: 0..<4, using: &random) > 0
        let drawnHosts = Int.random(in: 2...4, using: &random)
        let drawn = Self.drawFaults(&random)
        faultSet = limits.faults.map { drawn.intersection($0) } ?? drawn
        // Long enough for what stands still to be missed.
        var length = UInt64.random(in: 5_000_000...80_000_000, using: &random)
        let (isLong, factor) = (Bool.random(using: &random), UInt64.random(in: 2...80, using: &random))
        if isLong, !drawn.isDisjoint(with: Self.lastingFaults) { length *= factor }
        restsMore = drawn == Self.rests
        if restsMore { length = 2_000 * Self.milliseconds + 20 * length }
        length = min(length, limits.length ?? .max)
        heals = Instant(nanoseconds: length)
        drawPacketFaults()
        let hostCount = min(limits.hosts ?? drawnHosts, drawnHosts)
        for index in 0..<hostCount {
            var stream = Seeds.stream(seed, 500 + UInt64(index))
            hosts.append(Self.host(&stream))
        }
        drawOperations()
        drawIncidents()
        // Only now: what is left is as it was.
        operations = Array(operations.prefix(limits.calls ?? .max))
        incidents = Array(incidents.prefix(limits.incidents ?? .max))
    }

    /// What has to last for some time before anybody notices.
    private static let lastingFaults = FaultSet([.pause, .restart, .partition, .sleep])
    private static let rests = FaultSet([.pause, .sleep])

    /// Some runs have none, and some hosts that stand still and nothing else: whether these get what they wait for can
    /// be told there.
    private static func drawFaults(_ random: inout SeededRandom) -> FaultSet {
        let style = random.nextUnit()
        let share = [0.15, 0.3, 0.5].randomElement(using: &random)!
        let kinds = FaultSet.ofEngines.kinds.filter { _ in random.nextUnit() < share }
        if style < 0.05 { return .none }
        if style < 0.13 { return rests }
        return FaultSet(kinds)
    }

    private mutating func drawPacketFaults() {
        var random = Seeds.stream(seed, 402)
        func share(_ kind: FaultKind, _ most: Double) -> Double {
            let value = most * random.nextUnit() * random.nextUnit()
            return faultSet.contains(kind) ? value : 0
        }
        faults.loss = share(.loss, 0.3)
        faults.duplication = share(.duplication, 0.2)
        faults.lateness = share(.lateness, 0.3)
        faults.truncation = share(.truncation, 0.5)
        faults.refusal = share(.refusal, 0.2)
        faults.fullness = share(.fullness, 0.1)
        faults.denial = share(.denial, 0.05)
        faults.outage = share(.outage, 0.002)
        faults.longestDelay = UInt64.random(in: 1_000...3_000_000, using: &random)
        let (drawnJitter, drawnMTU) = (random.next() % 100_001, Int(random.next() % 220))
        if faultSet.contains(.reordering) { jitter = drawnJitter }
        routerTells = Bool.random(using: &random)
        if Bool.random(using: &random), faultSet.contains(.narrowing) { routerMTU = 1280 + drawnMTU }
    }

    private mutating func drawIncidents() {
        let kinds: [(FaultKind, [Incident.Kind], UInt64)] = [
            (.pause, [.pause], 6_000), (.sleep, [.sleep], 6_000), (.clock, [.leap], 1),
            (.restart, [.crash, .restart], 600), (.end, [.end], 1), (.move, [.move], 1), (.partition, [.cut], 1_000),
            (.narrowing, [.narrow], 1_000),
        ]
        for (number, (fault, forms, longest)) in kinds.enumerated() where faultSet.contains(fault) {
            var random = Seeds.stream(seed, 410 + UInt64(number))
            // Somebody must be left.
            let drawnCount = Int.random(in: 1...3, using: &random)
            let most = fault == .end ? min(1, hosts.count - 2) : restsMore ? 3 * drawnCount : drawnCount
            for _ in 0..<most {
                let (place, gap, near) = (random.nextUnit(), random.nextUnit() * random.nextUnit(), random.next())
                let lasts = random.nextUnit() * random.nextUnit() * Double(longest * Self.milliseconds)
                let (first, second, form, amount) = (random.next(), random.next(), random.next(), random.next())
                let host = Int(first % UInt64(hosts.count))
                var incident = Incident(
                    kind: forms[Int(form % UInt64(forms.count))],
                    time: Instant(nanoseconds: UInt64(place * Double(heals.nanoseconds))), length: UInt64(lasts),
                    host: host, other: (host + 1 + Int(second % UInt64(hosts.count - 1))) % hosts.count,
                    amount: amount)
                // Most calls take less than a millisecond: what is to happen meanwhile must be aimed, and at those that
                // are left when a run is cut down.
                if near & 1 == 0 {
                    let call = operations[Int((near >> 2) % UInt64(min(30, operations.count)))]
                    let gap = UInt64(gap * 5 * Double(Self.milliseconds))
                    incident.time = min(heals, call.time.advanced(byNanoseconds: gap))
                    (incident.host, incident.other) =
                        near & 2 == 0 ? (call.client, call.server) : (call.server, call.client)
                }
                incidents.append(incident)
            }
        }
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

    private mutating func drawOperations() {
        var random = Seeds.stream(seed, 403)
        let drawn = [10, 30, 100, 300].randomElement(using: &random)!
        // All of them early, or as long as there are faults.
        let isEarly = Int.random(in: 0..<3, using: &random) == 0
        let span = Double(min(heals.nanoseconds, isEarly ? 20 * Self.milliseconds : .max))
        for _ in 0..<drawn { operations.append(operation(span, &random)) }
    }

    private func operation(_ span: Double, _ random: inout SeededRandom) -> Operation {
        func length() -> Int {
            let most = [200, 2_000, 2_000, 20_000, 200_000, 1_000_000].randomElement(using: &random)!
            return Int.random(in: 8...most, using: &random)
        }
        let client = Int(random.next() % UInt64(hosts.count))
        let distance = 1 + Int(random.next() % UInt64(hosts.count - 1))
        let isGivenUp = Int.random(in: 0..<12, using: &random) == 0
        let isLimited = Int.random(in: 0..<12, using: &random) == 0
        return Operation(
            time: Instant(nanoseconds: UInt64(random.nextUnit() * span)), client: client,
            server: (client + distance) % hosts.count, isOneWay: Int.random(in: 0..<5, using: &random) == 0,
            form: Int.random(in: 0..<3, using: &random), length: length(), answerLength: length(),
            answer: [.now, .now, .now, .later, .later, .failure, .declined].randomElement(using: &random)!,
            serviceTime: .random(in: 0...3_000_000, using: &random),
            holdTime: Bool.random(using: &random) ? 0 : .random(in: 0...2_000_000, using: &random),
            deadline: isLimited ? .random(in: 10_000...50_000_000, using: &random) : nil,
            cancel: isGivenUp ? .random(in: 0...10_000_000, using: &random) : nil)
    }
}
