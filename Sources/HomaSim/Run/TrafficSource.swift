// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads

/// What the applications do: who sends how much to whom, and when next. Every host has random streams of its own, so
/// that neither the number of hosts nor the transport changes what one of them wants.
struct TrafficSource: ~Copyable {
    private struct Host: BitwiseCopyable {
        var sizes: SeededRandom
        var destinations: SeededRandom
        var next: UInt16 = 0
        var partner: UInt16 = 0
    }

    /// Hosts that send, and where they go.
    let senders: Range<Int>
    /// Mean time between messages of one sender in picoseconds; nil in a closed loop.
    let meanGap: Double?
    private let sizes: SizeDistribution
    private let pattern: TrafficPattern
    private let active: Int
    private let periodic: Bool
    private var arrivals: [PoissonArrivals]
    private let hosts: UnsafeMutablePointer<Host>

    init(_ scenario: Scenario, load: OfferedLoad) {
        let traffic = scenario.traffic
        sizes = traffic.effectiveSizes
        pattern = traffic.pattern
        active = traffic.activeHosts ?? scenario.topology.hostCount
        senders = Self.senders(traffic.pattern, active: active)
        hosts = .allocate(capacity: active)
        for host in 0..<active {
            var seeds = SeededRandom(seed: scenario.seed &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(host) << 20)
            _ = seeds.next()
            (hosts + host).initialize(
                to: Host(sizes: SeededRandom(seed: seeds.next()), destinations: SeededRandom(seed: seeds.next())))
        }
        meanGap = load.meanGapPicoseconds
        periodic = traffic.arrivals == .periodic
        arrivals = []
        if let meanGap {
            arrivals = senders.map { host in
                var seeds = SeededRandom(seed: scenario.seed &+ 0xA331 &+ UInt64(host) &* 0xD129_0D3B_3A5B_9F1D)
                // The unit is the simulator's: picoseconds.
                return PoissonArrivals(meanIntervalNanoseconds: meanGap, seed: seeds.next())
            }
        }
        if case .permutation = pattern { drawPartners(scenario.seed) }
    }

    deinit { hosts.deallocate() }

    static func senders(_ pattern: TrafficPattern, active: Int) -> Range<Int> {
        switch pattern {
        case .allToAll, .permutation: 0..<active
        case .incast(let senders): 1..<senders + 1
        case .outcast: 0..<1
        }
    }

    /// A cyclic order drawn at random: everybody sends to the next one.
    private func drawPartners(_ seed: UInt64) {
        var random = SeededRandom(seed: seed ^ 0x7065_726D)
        var order = Array(0..<active)
        for index in stride(from: active - 1, to: 0, by: -1) {
            order.swapAt(index, Int(random.next() % UInt64(index + 1)))
        }
        for place in 0..<active { hosts[order[place]].partner = UInt16(order[(place + 1) % active]) }
    }

    /// Picoseconds from one message of a sender to its next.
    mutating func gap(of sender: Int) -> UInt64 {
        guard let meanGap else { return .max }
        return periodic ? UInt64(meanGap.rounded()) : arrivals[sender - senders.lowerBound].nextGap()
    }

    mutating func size(from sender: Int) -> Int { sizes.sample(using: &hosts[sender].sizes) }

    mutating func destination(from sender: Int) -> UInt16 {
        switch pattern {
        case .allToAll:
            let draw = hosts[sender].destinations.next() >> 32
            let other = UInt16((draw &* UInt64(active - 1)) >> 32)
            return other >= UInt16(sender) ? other + 1 : other
        case .permutation: return hosts[sender].partner
        case .incast: return 0
        case .outcast(let receivers):
            let turn = hosts[sender].next
            hosts[sender].next = (turn + 1) % UInt16(receivers)
            return turn + 1
        }
    }
}

/// How often senders begin a message so that the busiest host link carries the load asked for.
///
/// Load counts every byte on the wire: frames of the data with headers and gaps, and one grant for each packet that
/// is sent with a grant (of TCP: the acknowledgements), which the same link carries for messages that come in.
/// For the five published workloads in the frames of the SIGCOMM 2018 simulations the share of application data is
/// taken from those simulations (0.657, 0.796, 0.887, 0.898 and 0.898 for W1 to W5), so that "80 %" means what it meant
/// there.
struct OfferedLoad {
    /// Per sender; nil in a closed loop.
    let meanGapPicoseconds: Double?
    /// Messages per second of all senders together; nil in a closed loop.
    let messagesPerSecond: Double?

    init(_ scenario: Scenario, frame: FrameFormat, unscheduledBytes: Int, packetsPerAcknowledgement: Int? = nil) {
        let traffic = scenario.traffic
        if case .closed = traffic.arrivals {
            meanGapPicoseconds = nil
            messagesPerSecond = nil
            return
        }
        let sizes = traffic.effectiveSizes
        var wire = Self.wireBytes(
            sizes, frame: frame, unscheduledBytes: unscheduledBytes,
            packetsPerAcknowledgement: packetsPerAcknowledgement)
        if let share = Self.publishedShare(sizes.name, frame), traffic.sizesTruncatedTo == nil {
            wire = sizes.mean / share
        }
        if case .rpc(let response) = traffic.mode {
            // Every host is client and server: its link carries requests and responses.
            wire += response.map { Double(frame.wireBytes(message: $0)) } ?? wire
        }
        let active = traffic.activeHosts ?? scenario.topology.hostCount
        let senders = TrafficSource.senders(traffic.pattern, active: active).count
        var sharing = 1.0
        if case .incast(let count) = traffic.pattern { sharing = Double(count) }
        let bytesPerSecond = traffic.load * Double(scenario.topology.hostRate.bitsPerSecond) / 8 / sharing
        let perSender = bytesPerSecond / wire
        meanGapPicoseconds = 1e12 / perSender
        messagesPerSecond = perSender * Double(senders)
    }

    static func publishedShare(_ workload: String, _ frame: FrameFormat) -> Double? {
        guard frame == .sigcomm2018 else { return nil }
        switch workload {
        case "w1": return 0.657
        case "w2": return 0.796
        case "w3": return 0.887
        case "w4", "w5": return 0.898
        default: return nil
        }
    }

    /// Mean bytes on the wire per message, grants or acknowledgements included; by 4000 points of the distribution.
    static func wireBytes(
        _ sizes: SizeDistribution, frame: FrameFormat, unscheduledBytes: Int, packetsPerAcknowledgement: Int?
    ) -> Double {
        let points = 4000
        var sum = 0.0
        for point in 0..<points {
            let bytes = sizes.quantile((Double(point) + 0.5) / Double(points))
            let scheduled = max(0, bytes - unscheduledBytes)
            sum += Double(frame.wireBytes(message: bytes))
            var control = (scheduled + frame.payloadBytes - 1) / frame.payloadBytes
            if let count = packetsPerAcknowledgement { control = (frame.packets(of: bytes) + count - 1) / count }
            sum += Double(control * frame.minimumWireBytes)
        }
        return sum / Double(points)
    }
}
