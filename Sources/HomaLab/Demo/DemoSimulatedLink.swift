// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaPosix
import HomaScenarios
import HomaSim
import HomaWorkloads

/// The loaded link in the simulator, for systems that let nobody make a network.
///
/// The simulated hosts run the protocol of real ones, and a TCP written from the standards; processors take no time.
/// Loads do not change during a simulation, so nothing is known of the time after an overload.
struct DemoSimulatedLink {
    let seed: UInt64
    let reason: String

    private static let rate = BitRate.megabitsPerSecond(100)
    private static let seconds = (measured: 10, overload: 2)

    func run() -> DemoLink {
        let tcp: (Int) -> TransportConfiguration = { connections in
            var configuration = TCPConfiguration(congestionControl: .cubic)
            configuration.connectionsPerPair = connections
            return .tcp(configuration)
        }
        let homa = HomaTransportConfiguration(
            preset: .default, endpoint: .forLink(Self.rate, mtu: 1500, roundTrip: .microseconds(500)))
        let carriers = [
            run("Homa", "homa", .homa(homa)), run("TCP, 1 connection", "tcp", tcp(1)),
            run("TCP, \(DemoLinkRunner.pool) connections", "tcp-pool", tcp(DemoLinkRunner.pool)),
        ]
        return DemoLink(
            place: .simulator(because: reason), rate: Self.rate, hosts: DemoLinkRunner.hosts, carriers: carriers,
            overloadSeconds: Double(Self.seconds.overload), afterSeconds: 0, afterLoad: 0)
    }

    private func run(_ name: String, _ key: String, _ transport: TransportConfiguration) -> DemoCarrier {
        note("simulated link: \(name), at 50 %, 80 % and 160 % load …")
        var carrier = DemoCarrier(name: name, key: key)
        for path in [\DemoCarrier.half, \.high, \.overload] {
            let scenario = scenario(transport, load: carrier[keyPath: path].load)
            do {
                guard let (result, _) = try ScenarioRun.run(scenario, RunMonitor(stop: StopFlag())) else { continue }
                carrier[keyPath: path] = Self.phase(result, load: carrier[keyPath: path].load)
                carrier.failures += Self.failures(name, result)
                carrier.packetsRetransmitted += Double(result.homa?.packetsRetransmitted ?? 0)
            } catch { carrier.failures.append("\(name), simulated: \(error)") }
        }
        return carrier
    }

    private func scenario(_ transport: TransportConfiguration, load: Double) -> Scenario {
        let isOverload = load > 1
        // As in the emulated network: 250 000 bytes for each of eight priorities and port, of which TCP uses one.
        let buffer = DemoLinkRunner.hosts * 250_000
        return Scenario(
            name: "demo",
            topology: TopologyConfiguration(
                shape: .singleSwitch(hosts: DemoLinkRunner.hosts), hostRate: Self.rate, uplinkRate: Self.rate,
                hostSendDelay: .microseconds(20), hostReceiveDelay: .microseconds(20),
                leafSwitch: SwitchConfiguration(buffer: .perPort, bufferBytes: buffer)),
            transport: transport,
            traffic: TrafficConfiguration(
                sizes: .w4, sizesTruncatedTo: HomaLimits.maximumMessageLength, load: load,
                allowsOverload: isOverload, mode: .rpc(responseBytes: nil)),
            // Two bins: the first is the shorter half of all messages.
            measurement: MeasurementConfiguration(sizeBins: 2, ideal: .transport),
            length: RunLength(
                duration: .seconds(isOverload ? Self.seconds.overload : Self.seconds.measured),
                warmUp: isOverload ? .milliseconds(1) : .seconds(1), drain: .seconds(20)),
            seed: seed)
    }

    private static func phase(_ result: SimulationResult, load: Double) -> DemoPhase {
        var phase = DemoPhase(load: load)
        if let short = result.sizeBins.first {
            phase.shortCount = short.completionMicroseconds.count
            phase.shortP50 = short.completionMicroseconds.median * 1000
            phase.shortP99 = short.completionMicroseconds.p99 * 1000
            phase.slowdownP99 = short.slowdown.p99
        }
        phase.allP99 = result.completionMicroseconds.p99 * 1000
        let utilisation = result.tier("host_downlink")?.utilisation ?? 0
        phase.goodput = utilisation * Double(rate.bitsPerSecond)
        return phase
    }

    private static func failures(_ name: String, _ result: SimulationResult) -> [String] {
        var failures: [String] = []
        if let failure = result.failure { failures.append("\(name), simulated: \(failure)") }
        let lost = result.messagesIncomplete + result.messagesFailed
        if lost > 0 {
            failures.append("\(name), simulated: \(lost) of \(lost + result.messages) requests were not answered")
        }
        return failures
    }
}
