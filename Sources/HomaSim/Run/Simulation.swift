// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads

/// One run of a scenario.
///
/// It knows no clock: call ``run(until:)`` in slices as long as it returns false, look at ``progress`` in between,
/// then ``finish()``. A run that is finished early gives a result with what was measured so far.
public struct Simulation: ~Copyable {
    /// What an event of the engine is about: its payload is a port, or one of these beyond the ports.
    enum Occasion: UInt32 {
        case beginMeasurement
        case endMeasurement
        case sample
        case record
        case giveUp
    }

    /// A message of a test that says exactly what happens.
    struct ScriptedMessage {
        var start: UInt64
        var source: UInt16
        var destination: UInt16
        var bytes: Int
    }

    let scenario: Scenario
    let packets: PacketStore
    let messages: MessageLedger
    var network: Network
    var transport: TransportHosts
    var traffic: TrafficSource
    var meter: MessageMeter
    var sampler: SwitchSampler
    var processors: HostProcessors
    let copying: Copying
    let idle: IdleNetwork
    let script: [ScriptedMessage]
    let responseBytes: Int?
    let isRPC: Bool
    let isClosed: Bool

    // Events beyond the ports: timers, arrivals and processors by host, occasions.
    let timerBase: UInt32
    let arrivalBase: UInt32
    let copyBase: UInt32
    let occasionBase: UInt32
    /// When each host's timer event is due.
    let timers: UnsafeMutablePointer<UInt64>

    var now: UInt64 = 0
    var eventCount: UInt64 = 0
    var isFinished = false
    var isMeasuring = false
    var measurementEnded = false
    var ranDry = false
    /// Picoseconds of warm-up.
    let warmUp: UInt64
    /// Measured messages at most; nil when time decides.
    let wanted: Int?
    var measuredStarted = 0
    var measuredCompleted = 0
    var measuredFailed = 0
    var sent: UInt64 = 0
    var received: UInt64 = 0
    var kindPackets = InlineArray<16, UInt64>(repeating: 0)
    var kindWireBytes = InlineArray<16, UInt64>(repeating: 0)
    var kindPayload = InlineArray<16, UInt64>(repeating: 0)
    var result: SimulationResult

    /// Makes everything ready for the first event.
    public init(_ scenario: Scenario) throws(ScenarioError) { try self.init(scenario, script: []) }

    /// With a script its messages are all there is, every one of them measured.
    init(_ scenario: Scenario, script: [ScriptedMessage]) throws(ScenarioError) {
        try scenario.validated()
        let scenario = scenario.resolved
        self.scenario = scenario
        self.script = script
        packets = PacketStore(extraStride: TransportHosts.extraStride(scenario.transport))
        messages = MessageLedger()
        network = Network(scenario, packets: packets)
        transport = TransportHosts(scenario, packets: packets, messages: messages)
        let load = OfferedLoad(
            scenario, frame: transport.frame, unscheduledBytes: transport.unscheduledBytes,
            packetsPerAcknowledgement: transport.packetsPerAcknowledgement)
        traffic = TrafficSource(scenario, load: load)
        meter = MessageMeter(sizes: scenario.traffic.effectiveSizes, bins: scenario.measurement.sizeBins)
        sampler = SwitchSampler(switches: network.switchCount)
        processors = HostProcessors(scenario.topology)
        copying = Copying(scenario.topology)
        let frames = scenario.idealFrames == .udp ? FrameFormat.udp : transport.frame
        idle = IdleNetwork(scenario.topology, frame: frames)
        if case .rpc(let bytes) = scenario.traffic.mode {
            (isRPC, responseBytes) = (true, bytes)
        } else {
            (isRPC, responseBytes) = (false, nil)
        }
        if case .closed = scenario.traffic.arrivals { isClosed = true } else { isClosed = false }
        let ports = UInt32(network.portCount)
        timerBase = ports
        arrivalBase = ports + UInt32(network.hosts)
        copyBase = ports + 2 * UInt32(network.hosts)
        occasionBase = ports + 3 * UInt32(network.hosts)
        timers = .allocate(capacity: network.hosts)
        timers.initialize(repeating: .max, count: network.hosts)
        let length = scenario.length
        let mean = scenario.traffic.effectiveSizes.mean
        let count = length.messages ?? RunLength.defaultMessages(meanBytes: mean)
        wanted = script.isEmpty ? (length.duration == nil ? count : nil) : script.count
        let expected = load.messagesPerSecond.map { UInt64(Double(count) / $0 * 1e12) }
        let measured = length.duration?.picoseconds ?? expected ?? 1_000_000_000
        let longest = idle.picoseconds(bytes: scenario.traffic.effectiveSizes.maximum, from: 0, to: 1)
        warmUp = script.isEmpty ? (length.warmUp?.picoseconds ?? max(measured / 5, 10 * longest)) : 0
        result = SimulationResult(scenario: scenario)
        plan()
    }

    deinit {
        timers.deallocate()
        packets.destroy()
        messages.destroy()
    }

    private mutating func plan() {
        schedule(.beginMeasurement, at: warmUp)
        if script.isEmpty {
            for sender in traffic.senders { planFirst(sender) }
        } else {
            for (index, message) in script.enumerated() {
                // The script's order is the sender's: arrival events carry the place in it.
                network.events.push(message.start, occasionBase + 16 + UInt32(index))
            }
        }
    }

    private mutating func planFirst(_ sender: Int) {
        if case .closed(let outstanding) = scenario.traffic.arrivals {
            for _ in 0..<outstanding { network.events.push(0, arrivalBase + UInt32(sender)) }
        } else {
            network.events.push(traffic.gap(of: sender), arrivalBase + UInt32(sender))
        }
    }

    mutating func schedule(_ occasion: Occasion, at time: UInt64) {
        network.events.push(time, occasionBase + occasion.rawValue)
    }

    /// Runs at most so many events; true when the run is over.
    public mutating func run(until budget: Int) -> Bool {
        var left = budget
        while left > 0, !isFinished {
            guard network.events.count > 0 else {
                ranDry = true
                isFinished = true
                break
            }
            step()
            left -= 1
        }
        return isFinished
    }

    /// True while the protocol core of some host is at work: what a sampling profiler wants to know. Valid as long as
    /// the simulation; nil when the hosts run another transport.
    public var isInProtocolCore: UnsafePointer<Bool>? {
        mutating get { transport.isInCore }
    }

    /// How far the run is.
    public var progress: SimulationProgress {
        mutating get {
            var fraction = isFinished ? 1.0 : 0
            if !isFinished, let wanted {
                fraction = Double(measuredCompleted) / Double(max(1, wanted))
            } else if !isFinished, let duration = scenario.length.duration {
                fraction = Double(now) / Double(max(1, warmUp + duration.picoseconds))
            }
            return SimulationProgress(
                fraction: min(1, fraction), simulatedTime: Duration(picoseconds: now), events: eventCount,
                packetHops: network.hops, messagesStarted: measuredStarted, messagesCompleted: measuredCompleted,
                packetsUnderWay: packets.live)
        }
    }
}
