// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
@testable import HomaScenarios
import HomaSim
import HomaWorkloads

/// Valid scenarios drawn at random, every field of them.
enum RandomScenario {
    static func make(using random: inout SeededRandom) throws -> Scenario {
        while true {
            let scenario = draw(&random)
            // Fields are drawn one by one; combinations that cannot run are drawn again.
            if (try? scenario.validated()) != nil { return scenario }
        }
    }

    private static func draw(_ random: inout SeededRandom) -> Scenario {
        let topology = topology(&random)
        return Scenario(
            name: ["unnamed", "w4-80", "ä \"q\" \\ \n"].pick(&random), topology: topology,
            transport: transport(&random),
            traffic: traffic(hosts: topology.hostCount, &random),
            measurement: MeasurementConfiguration(
                sizeBins: whole(1...100, &random),
                occupancySeriesInterval: maybe(&random) { .nanoseconds(whole(10...1_000_000, &$0)) },
                perPort: chance(0.5, &random), ideal: IdealFrames.allCases.pick(&random)),
            length: RunLength(
                messages: maybe(&random) { whole(1...1_000_000, &$0) }, duration: maybe(&random) { time(&$0) },
                warmUp: maybe(&random) { time(&$0) }, drain: time(&random), loadsDrain: chance(0.5, &random)),
            seed: random.next())
    }

    private static func topology(_ random: inout SeededRandom) -> TopologyConfiguration {
        let shape: TopologyConfiguration.Shape =
            chance(0.5, &random)
            ? .singleSwitch(hosts: whole(2...200, &random))
            : .leafSpine(
                leaves: whole(1...20, &random), hostsPerLeaf: whole(2...20, &random), spines: whole(1...8, &random))
        return TopologyConfiguration(
            shape: shape, hostRate: rate(&random), uplinkRate: rate(&random), linkDelay: delay(&random),
            switchDelay: delay(&random), hostSendDelay: delay(&random), hostReceiveDelay: delay(&random),
            nicDelay: delay(&random), hostCopyRate: maybe(&random) { rate(&$0) },
            hostCopies: TopologyConfiguration.HostCopies.allCases.pick(&random),
            switching: TopologyConfiguration.Switching.allCases.pick(&random),
            pathChoice: TopologyConfiguration.PathChoice.allCases.pick(&random), leafSwitch: aSwitch(&random),
            spineSwitch: aSwitch(&random))
    }

    private static func aSwitch(_ random: inout SeededRandom) -> SwitchConfiguration {
        let policy: BufferPolicy = [
            .unlimited, .shared, .dynamicThreshold(alpha: Double(whole(1...640, &random)) / 10), .perPort,
            .groups(ports: whole(1...8, &random)),
        ].pick(&random)
        let bytes = policy == .unlimited ? nil : whole(5_000_000...500_000_000, &random)
        return SwitchConfiguration(
            buffer: policy, bufferBytes: bytes, cellBytes: [1, 208, 256].pick(&random),
            reservedBytesPerQueue: [0, 1000].pick(&random),
            ecnThresholdBytes: maybe(&random) { whole(0...1_000_000, &$0) },
            selectiveDropThresholdBytes: maybe(&random) { whole(0...1_000_000, &$0) })
    }

    private static func transport(_ random: inout SeededRandom) -> TransportConfiguration {
        if chance(0.2, &random) { return .srptOracle }
        if chance(0.2, &random) { return .dcpim(dcpim(&random)) }
        return chance(0.3, &random) ? .tcp(tcp(&random)) : .homa(homa(&random))
    }

    private static func dcpim(_ random: inout SeededRandom) -> DCPIMConfiguration {
        var dcpim = DCPIMConfiguration()
        dcpim.rounds = whole(1...16, &random)
        dcpim.channels = whole(1...64, &random)
        dcpim.roundTripsPerRound = maybe(&random) { 1 + $0.nextUnit() }
        dcpim.dataPhaseRatio = 1 + random.nextUnit() * 9
        dcpim.shortestFirstRounds = whole(0...16, &random)
        dcpim.shortMessageBytes = maybe(&random) { whole(0...1_000_000, &$0) }
        dcpim.windowBytes = maybe(&random) { whole(1460...1_000_000, &$0) }
        dcpim.resendAfter = maybe(&random) { .nanoseconds(whole(1...1_000_000, &$0)) }
        dcpim.usesIdleChannels = chance(0.5, &random)
        dcpim.prioritiesBySize = chance(0.5, &random)
        dcpim.frames = DCPIMConfiguration.Frames.allCases.pick(&random)
        return dcpim
    }

    private static func tcp(_ random: inout SeededRandom) -> TCPConfiguration {
        var tcp = TCPConfiguration(congestionControl: TCPCongestionControl.allCases.pick(&random))
        tcp.connectionsPerPair = whole(1...256, &random)
        tcp.initialWindowSegments = whole(1...1000, &random)
        tcp.minimumRTO = .nanoseconds(whole(1000...1_000_000_000, &random))
        tcp.maximumRTO = tcp.minimumRTO + .nanoseconds(whole(0...1_000_000_000, &random))
        tcp.delayedAck = maybe(&random) { .nanoseconds(whole(0...999, &$0)) }
        tcp.segmentsPerAck = whole(1...64, &random)
        tcp.acknowledgesMessageEnds = chance(0.5, &random)
        tcp.receiveWindowBytes = whole(2920...1_000_000_000, &random)
        tcp.restartsAfterIdle = chance(0.5, &random)
        tcp.hyStart = chance(0.5, &random)
        tcp.tailLossProbe = maybe(&random) { .nanoseconds(whole(0...1_000_000_000, &$0)) }
        tcp.dctcpGain = [0.0625, 0.1, 1].pick(&random)
        tcp.hostQueueBytes = whole(0...1_000_000, &random)
        tcp.segmentsPerTurn = whole(1...64, &random)
        tcp.keepsPaths = chance(0.5, &random)
        return tcp
    }

    private static func homa(_ random: inout SeededRandom) -> HomaTransportConfiguration {
        var homa = HomaTransportConfiguration(
            preset: HomaPreset.allCases.pick(&random), cutoffs: CutoffSource.allCases.pick(&random),
            scheduledLevels: maybe(&random) { whole(1...7, &$0) })
        homa.endpoint.unscheduledBytes = whole(1...1_000_000, &random)
        homa.endpoint.window = maybe(&random) { whole(1...1_000_000, &$0) }
        homa.endpoint.fifoSendFraction = random.nextUnit() / 2
        homa.endpoint.linkRate = maybe(&random) { rate(&$0) }
        homa.endpoint.grantIncrement = 1
        homa.endpoint.countsUnscheduledIncoming.toggle()
        homa.endpoint.adaptsUnscheduled = chance(0.5, &random)
        homa.endpoint.controlPriority = maybe(&random) { UInt8(whole(0...7, &$0)) }
        homa.endpoint.cutoffVersion = UInt16(whole(1...65_535, &random))
        homa.endpoint.unscheduledCutoffs = [0, 0, 0, 0, 1_000_000, UInt32(whole(1...1_000_000, &random)), 0, 0]
        homa.endpoint.resendAfter = .nanoseconds(whole(1000...5_000_000, &random))
        homa.isAeolus = chance(0.3, &random)
        return homa
    }

    private static func traffic(hosts: Int, _ random: inout SeededRandom) -> TrafficConfiguration {
        let active = maybe(&random) { whole(2...hosts, &$0) }
        let others = (active ?? hosts) - 1
        let own = SizeDistribution(
            name: "own", rows: [.init(bytes: 1, cumulative: 0), .init(bytes: whole(1...1000, &random), cumulative: 1)])
        let overload = chance(0.3, &random)
        return TrafficConfiguration(
            sizes: [
                .w1, .w2, .w3, .w4, .w5, .imc10, .webSearch, .dataMining, .fixed(whole(1...1_000_000, &random)), own,
            ].pick(&random),
            sizesTruncatedTo: maybe(&random) { whole(1...1_000_000, &$0) },
            load: max(1e-6, random.nextUnit()) * (overload ? 100 : 1), allowsOverload: overload,
            pattern: [
                .allToAll, .permutation, .incast(senders: whole(1...others, &random)),
                .outcast(receivers: whole(1...others, &random)),
            ].pick(&random),
            arrivals: [.poisson, .periodic, .closed(outstanding: whole(1...4096, &random))].pick(&random),
            mode: [.oneWay, .rpc(responseBytes: nil), .rpc(responseBytes: whole(1...1_000_000, &random))].pick(&random),
            activeHosts: active)
    }

    private static func chance(_ share: Double, _ random: inout SeededRandom) -> Bool { random.nextUnit() < share }
    private static func whole(_ range: ClosedRange<Int>, _ random: inout SeededRandom) -> Int {
        Int.random(in: range, using: &random)
    }
    private static func maybe<T>(_ random: inout SeededRandom, _ make: (inout SeededRandom) -> T) -> T? {
        chance(0.5, &random) ? make(&random) : nil
    }
    private static func rate(_ random: inout SeededRandom) -> BitRate {
        BitRate(bitsPerSecond: UInt64(whole(1_000_000...400_000_000_000, &random)))
    }
    /// Down to the attosecond, which nothing may round.
    private static func delay(_ random: inout SeededRandom) -> Duration {
        Duration(attoseconds: Int128(whole(0...1_000_000_000_000_000, &random)))
    }
    private static func time(_ random: inout SeededRandom) -> Duration {
        .nanoseconds(whole(1...10_000_000_000, &random))
    }
}

extension Array {
    fileprivate func pick(_ random: inout SeededRandom) -> Element { self[Int.random(in: indices, using: &random)] }
}
