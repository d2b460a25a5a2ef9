// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore

/// Everything that a seed decides before a run begins.
struct SwarmPlan {
    struct Host {
        var configuration: EndpointConfiguration
        var shards: Int
        /// Plays a peer without extensions: what it says loses them on its way, and so does what it hears.
        var isKernel: Bool
        var regionLength: Int
        var packetsPerRound: Int
        /// Nanoseconds from a packet's arrival to the round that takes it, in which others join it.
        var pollDelay: UInt64
        var sendsTrains: Bool
        var joinsTrains: Bool
        var forecasts: Bool
        var bundles: Bool
        /// Longest Homa packet that its own link carries.
        var linkBytes: Int
        /// Nanoseconds that the application takes for an answer, and for which it keeps buffers, at most.
        var serviceTime: UInt64
        var holdTime: UInt64
    }

    struct Operation {
        enum Kind { case call, message }
        var kind: Kind
        var time: UInt64
        var client: Int
        var server: Int
        var length: Int
        /// Nil: the application declines.
        var answerLength: Int?
        /// It says with its answer that it failed.
        var fails = false
        /// Nanoseconds after its beginning.
        var deadline: UInt64?
        var abort: UInt64?
    }

    /// Something that happens to a host, or to the way between two, for a while.
    struct Incident {
        enum Kind { case pause, restart, stop, clock, move, cut, narrow, silentlyNarrow, stall }
        var kind: Kind
        var time: UInt64
        var length: UInt64
        var host: Int
        var other: Int
        var amount: UInt64
    }

    let seed: UInt64
    var hosts: [Host] = []
    var operations: [Operation] = []
    var incidents: [Incident] = []
    var faults: FaultSet
    /// When the network heals.
    var length: UInt64
    var settleLimit: UInt64 = 0

    var loss = 0.0
    var duplication = 0.0
    var lateness = 0.0
    var truncation = 0.0
    /// Nanoseconds more that a packet may take.
    var jitter: UInt64 = 0
    var longDelay: UInt64 = 0
    var delay: UInt64
    var rates: [UInt64] = []
    /// Bytes that may wait in front of a link; what comes on top is lost.
    var queueLimit = Int.max
    var strangers = 0
    var strangerPackets = 0
    var forgedPackets = 0

    static let milliseconds: UInt64 = 1_000_000

    init(seed: UInt64, limits: SwarmLimits = SwarmLimits()) {
        self.seed = seed
        var random = Seeds.stream(seed, 1)
        // Few hosts meet more often.
        let drawnHosts = [2, 2, 2, 3, 3, 4, 5, 6].randomElement(using: &random)!
        let hostCount = min(limits.hosts ?? drawnHosts, 6)
        length = UInt64.random(in: 5...60, using: &random) * Self.milliseconds
        if random.nextUnit() < 0.4 { length *= UInt64.random(in: 2...40, using: &random) }
        if let limit = limits.length { length = min(length, limit) }
        delay = [2_000, 10_000, 10_000, 50_000, 1_000_000, 20_000_000].randomElement(using: &random)!
        faults = Self.drawFaults(&random)
        if let limit = limits.faults { faults = faults.intersection(limit) }
        let isPaper = random.nextUnit() < 0.04
        for index in 0..<hostCount { hosts.append(Self.host(seed, index, isPaper: isPaper)) }
        drawOperations(limits)
        drawFailures()
        drawPacketFaults()
        drawIncidents()
        incidents = Array(incidents.prefix(limits.incidents ?? .max))
        // What takes as long as ten round trips is no silence.
        for index in hosts.indices where delay > 5 * Self.milliseconds {
            hosts[index].configuration.timeout = max(hosts[index].configuration.timeout, .seconds(1))
        }
        let timeout = hosts.map { $0.configuration.timeout.wholeNanoseconds }.max()!
        let progress = hosts.map { $0.configuration.progressTimeout.wholeNanoseconds }.max()!
        // Whoever waits to begin may have to wait for everybody before to be given up.
        settleLimit = 3 * progress + UInt64(operations.count + 20) * timeout + 5_000 * Self.milliseconds
    }

    /// Some runs have none: what is sent beside what is needed shows there. The others have a few.
    private static func drawFaults(_ random: inout SeededRandom) -> FaultSet {
        let style = random.nextUnit()
        if style < 0.08 { return .none }
        if style < 0.16 { return FaultSet([.slow]) }
        let share = [0.1, 0.2, 0.35].randomElement(using: &random)!
        return FaultSet(FaultSet.ofEndpoints.kinds.filter { _ in random.nextUnit() < share })
    }

    // MARK: Hosts

    private static func host(_ seed: UInt64, _ index: Int, isPaper: Bool) -> Host {
        var random = Seeds.stream(seed, 100 + UInt64(index))
        let shards = random.nextUnit() < 0.25 ? Int.random(in: 2...4, using: &random) : 1
        let isKernel = random.nextUnit() < 0.12 && !isPaper
        let megabytes = [2, 2, 3, 4, 8, 16, 16].randomElement(using: &random)!
        var configuration = isPaper ? paper(seed) : configuration(&random)
        configuration.maximumRPCs = [64, 256, 256, 1024].randomElement(using: &random)!
        configuration.maximumPeers = 64
        // No host of a run begins its identifiers anew, so none must be taken to have done so.
        configuration.peerRestartSilence = .seconds(3600)
        configuration.maximumServerRPCsPerHost = min(configuration.maximumServerRPCsPerHost, configuration.maximumRPCs)
        configuration.maximumCallsPerPeer = min(configuration.maximumCallsPerPeer, configuration.maximumRPCs)
        configuration.finishedMemory = isPaper ? 65_536 : [1024, 4096, 65_536].randomElement(using: &random)!
        return Host(
            configuration: configuration, shards: isPaper ? 1 : shards, isKernel: isKernel,
            regionLength: megabytes << 20, packetsPerRound: [4, 16, 64, 256].randomElement(using: &random)!,
            pollDelay: [0, 1_000, 10_000, 50_000].randomElement(using: &random)!,
            sendsTrains: random.nextUnit() < 0.8, joinsTrains: random.nextUnit() < 0.8,
            forecasts: random.nextUnit() < 0.4, bundles: shards == 1 && !isKernel && random.nextUnit() < 0.5,
            linkBytes: [1472, 1472, 1472, 1452, 8972].randomElement(using: &random)!,
            serviceTime: [0, 5_000, 100_000, 2 * milliseconds, 20 * milliseconds].randomElement(using: &random)!,
            holdTime: [0, 0, 50_000, 5 * milliseconds].randomElement(using: &random)!)
    }

    /// The published simulations are of equal hosts.
    private static func paper(_ seed: UInt64) -> EndpointConfiguration {
        var random = Seeds.stream(seed, 7)
        return .sigcomm2018(scheduledLevels: Int.random(in: 1...7, using: &random))
    }

    /// One of the presets, or the default with a few settings drawn anew.
    private static func configuration(_ random: inout SeededRandom) -> EndpointConfiguration {
        var base: EndpointConfiguration =
            switch Int.random(in: 0..<10, using: &random) {
            case 0: .linux2026
            case 1: .smallBuffers
            default: .default
            }
        if random.nextUnit() < 0.5 { base.progressTimeout = .seconds(Int.random(in: 1...10, using: &random)) }
        guard random.nextUnit() < 0.6 else { return base }
        // Drawn until it is one that an endpoint takes.
        for _ in 0..<20 {
            var drawn = base
            drawSizes(&drawn, &random)
            drawTimes(&drawn, &random)
            drawCounts(&drawn, &random)
            if (try? drawn.validated(bpageSize: 64 << 10)) != nil { return drawn }
        }
        return base
    }

    private static func drawSizes(_ drawn: inout EndpointConfiguration, _ random: inout SeededRandom) {
        func now() -> Bool { random.nextUnit() < 0.3 }
        if now() { drawn.unscheduledBytes = [1, 1_000, 10_000, 100_000, 1_000_000].randomElement(using: &random)! }
        if now() { drawn.maximumIncoming = [20_000, 100_000, 2_000_000].randomElement(using: &random)! }
        if now() { drawn.grantIncrement = [1, 3_000, 20_000].randomElement(using: &random)! }
        if now() { drawn.window = [20_000, 100_000].randomElement(using: &random)! }
        if now() { drawn.largestGrant = max(drawn.grantIncrement, 10_000) }
        if now() { drawn.fifoGrantIncrement = [1_500, 200_000].randomElement(using: &random)! }
        if now() { drawn.boostedTailBytes = 5_000 }
        if now() { drawn.roundsUnscheduledToPackets.toggle() }
        if now() { drawn.countsUnscheduledIncoming.toggle() }
        if now() { drawn.adaptsWindows.toggle() }
        if now() { drawn.adaptsUnscheduled = true }
        if now() { drawn.linkRate = .gigabitsPerSecond([0.1, 1, 10].randomElement(using: &random)!) }
        if now() { drawn.maximumPacketBytes = [576, 1_280, 1_472].randomElement(using: &random)! }
    }

    private static func drawTimes(_ drawn: inout EndpointConfiguration, _ random: inout SeededRandom) {
        func now() -> Bool { random.nextUnit() < 0.3 }
        if now() { drawn.resendAfter = .microseconds([500, 2_000, 20_000].randomElement(using: &random)!) }
        if now() { drawn.resendIntervalLimit = .milliseconds([20, 100].randomElement(using: &random)!) }
        if now() { drawn.timeout = .milliseconds([100, 1_000].randomElement(using: &random)!) }
        if now() { drawn.acknowledgementDelay = .microseconds([100, 10_000].randomElement(using: &random)!) }
        if now() { drawn.adaptsTimers.toggle() }
        if now() { drawn.learnsCutoffs.toggle() }
        if now() { drawn.cutoffSample = 100 }
        if now() { drawn.cutoffInterval = .milliseconds(1) }
    }

    private static func drawCounts(_ drawn: inout EndpointConfiguration, _ random: inout SeededRandom) {
        func now() -> Bool { random.nextUnit() < 0.3 }
        if now() { drawn.overcommitment = [1, 2, 16, 64].randomElement(using: &random)! }
        if now() { drawn.activeMessagesPerHost = [1, 2].randomElement(using: &random)! }
        if now() { drawn.probesPerPeer = [0, 1, 4].randomElement(using: &random)! }
        if now() { drawn.maximumCallsPerPeer = [1, 8].randomElement(using: &random)! }
        if now() { drawn.callsUnderWayPerPeer = [1, 4].randomElement(using: &random)! }
        if now() { drawn.bytesUnderWayPerPeer = [1, 50_000].randomElement(using: &random)! }
        if now() { drawn.maximumServerRPCsPerHost = [1, 4].randomElement(using: &random)! }
        if now() { drawn.brokenRequestLimit = [1, 2].randomElement(using: &random)! }
        if now() { drawn.maximumGapsPerMessage = [1, 4].randomElement(using: &random)! }
        if now() { drawn.priorityLevels = [1, 2, 6].randomElement(using: &random)! }
        if now() { drawn.fifoSendFraction = [0, 0.5].randomElement(using: &random)! }
        if now() { drawn.fifoGrantFraction = [0, 0.5].randomElement(using: &random)! }
    }

    // MARK: Work

    private mutating func drawOperations(_ limits: SwarmLimits) {
        var random = Seeds.stream(seed, 2)
        let drawn = [3, 10, 20, 40, 80, 150, 300, 600].randomElement(using: &random)!
        let longest = Double([2_000, 100_000, 1_000_000, 1_000_000].randomElement(using: &random)!)
        // All at once, or spread over the time until the network heals.
        let spread = random.nextUnit() < 0.3 ? 0.02 : 0.9
        let target = random.nextUnit() < 0.3 ? random.next() : nil
        for _ in 0..<min(limits.calls ?? drawn, drawn) {
            let client = Int(random.next() % UInt64(hosts.count))
            let other = target ?? random.next()
            let server = (client + 1 + Int(other % UInt64(hosts.count - 1))) % hosts.count
            let lengths = (Self.logarithmic(longest, &random), Self.logarithmic(longest, &random))
            let choice = random.nextUnit()
            operations.append(
                Operation(
                    kind: random.nextUnit() < 0.25 ? .message : .call,
                    time: UInt64(random.nextUnit() * spread * Double(length)), client: client, server: server,
                    length: lengths.0, answerLength: random.nextUnit() < 0.06 ? nil : lengths.1,
                    deadline: choice < 0.1 ? UInt64(random.nextUnit() * 1e8) + 100_000 : nil,
                    abort: choice > 0.93 ? UInt64(random.nextUnit() * 2e7) : nil))
        }
    }

    private mutating func drawFailures() {
        var random = Seeds.stream(seed, 8)
        for index in operations.indices {
            operations[index].fails = random.nextUnit() < 0.1 && operations[index].answerLength != nil
        }
    }

    /// 1 … `longest`, every power of ten as likely as the next.
    private static func logarithmic(_ longest: Double, _ random: inout SeededRandom) -> Int {
        var value = 1.0
        // A product of steps rather than an exponential, which is no part of the standard library.
        for _ in 0..<Int.random(in: 0...7, using: &random) { value *= 1 + random.nextUnit() * 9 }
        return min(Int(value), Int(longest))
    }

    // MARK: Faults

    private mutating func drawPacketFaults() {
        var random = Seeds.stream(seed, 3)
        let values = (0..<8).map { _ in random.nextUnit() }
        if faults.contains(.loss) { loss = values[0] * values[0] * 0.3 }
        if faults.contains(.duplication) { duplication = values[1] * 0.2 }
        if faults.contains(.reordering) { jitter = UInt64(values[2] * 300_000) + 1_000 }
        if faults.contains(.lateness) {
            lateness = values[3] * 0.05
            longDelay = UInt64(values[4] * 200) * Self.milliseconds + 1_000
        }
        if faults.contains(.truncation) { truncation = values[5] * 0.05 }
        let slow: [UInt64] = [1_000_000, 10_000_000, 40_000_000, 100_000_000, 1_000_000_000]
        let choices = (0..<6).map { _ in slow.randomElement(using: &random)! }
        let isLimited = random.nextUnit() < 0.5
        rates = hosts.indices.map { faults.contains(.slow) ? choices[$0] : 10_000_000_000 }
        if faults.contains(.slow), isLimited, !faults.kinds.elementsEqual([.slow]) { queueLimit = 200_000 }
        // A long message takes 8 s at 1 Mb/s: fewer of them then.
        if let slowest = rates.min(), slowest <= 10_000_000 {
            let most = slowest == 1_000_000 ? 30_000 : 200_000
            for index in operations.indices {
                operations[index].length = min(operations[index].length, most)
                operations[index].answerLength = operations[index].answerLength.map { min($0, most) }
            }
        }
        let counts = (0..<3).map { _ in Int(random.next() % 1_000) }
        if faults.contains(.strangers) {
            strangers = 1 + counts[0] % 20
            strangerPackets = 1 + counts[1]
        }
        if faults.contains(.forgery) { forgedPackets = 1 + counts[2] / 10 }
    }

    /// The protocol relies on it that no host starts anew within 100 ms (docs/protocol.md, 6.8).
    static var restartTime: UInt64 { 100 * milliseconds }

    private mutating func drawIncidents() {
        let kinds: [(FaultKind, [Incident.Kind], UInt64)] = [
            (.pause, [.pause], 1_500), (.restart, [.restart, .stop], 600), (.clock, [.clock], 1),
            (.move, [.move], 1), (.partition, [.cut], 1_000), (.narrowing, [.narrow, .silentlyNarrow], 1_000),
            (.stall, [.stall], 2_000),
        ]
        for (number, (fault, forms, longest)) in kinds.enumerated() where faults.contains(fault) {
            var random = Seeds.stream(seed, 20 + UInt64(number))
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let time = random.nextUnit()
                let lasts = random.nextUnit() * random.nextUnit() * Double(longest)
                let (first, second, form, amount) = (random.next(), random.next(), random.next(), random.next())
                let host = Int(first % UInt64(hosts.count))
                incidents.append(
                    Incident(
                        kind: forms[Int(form % UInt64(forms.count))], time: UInt64(time * Double(length)),
                        length: UInt64(lasts * Double(Self.milliseconds)), host: host,
                        other: (host + 1 + Int(second % UInt64(hosts.count - 1))) % hosts.count, amount: amount))
            }
        }
    }
}
