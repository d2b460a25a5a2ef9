// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Links and switches of one topology, with the packets in them.
///
/// Ports are numbered: the hosts' network cards, the leaves' ports to hosts (both by host), the leaves' ports to
/// spines (leaf by leaf), the spines' ports to leaves (spine by spine). The network decides nothing about what hosts
/// send; the simulation feeds the network cards' links.
struct Network: ~Copyable {
    let hosts: Int
    let leaves: Int
    let spines: Int
    let hostsPerLeaf: Int
    let portCount: Int
    let ports: UnsafeMutablePointer<Port>
    /// Eight for each port.
    let queues: UnsafeMutablePointer<PriorityQueue>
    let switchCount: Int
    let switches: UnsafeMutablePointer<SwitchState>
    let poolCount: Int
    let pools: UnsafeMutablePointer<BufferPoolState>
    /// The leaf of each host.
    let leafOf: UnsafeMutablePointer<UInt16>
    /// Of one port of a tier, over all its ports, by time.
    let tierOccupancy: InlineArray<4, LogHistogram>
    /// By tier, then priority.
    let priorityOccupancy: InlineArray<32, LogHistogram>
    /// Messages per host with bytes not sent yet, and the last time anything about its downlink was taken down.
    let wanting: UnsafeMutablePointer<UInt32>
    let wantNoted: UnsafeMutablePointer<UInt64>

    let packets: PacketStore
    var events: EventQueue
    let cutThrough: Bool
    let sprays: Bool
    let picosecondsPerKiBHost: UInt64
    let picosecondsPerKiBUplink: UInt64
    var random: SeededRandom
    let hashSeed: UInt64

    var hops: UInt64 = 0
    var dropped: UInt64 = 0
    var dropPackets = InlineArray<3, UInt64>(repeating: 0)
    var dropBytes = InlineArray<3, UInt64>(repeating: 0)
    /// Picoseconds that downlinks were idle while a message wanted them.
    var wasted = 0.0
    var measuredSince: UInt64 = 0

    /// Bytes of a packet that must have arrived before a cut-through switch can send it on: the shortest packet.
    static var headerWireBytes: UInt32 { 84 }

    init(_ scenario: Scenario, packets: PacketStore) {
        let topology = scenario.topology
        hosts = topology.hostCount
        leaves = topology.leafCount
        spines = topology.spineCount
        hostsPerLeaf = topology.hostsPerLeaf
        self.packets = packets
        portCount = 2 * hosts + 2 * leaves * spines
        ports = .allocate(capacity: portCount)
        queues = .allocate(capacity: portCount * HomaLimits.priorityLevels)
        queues.initialize(repeating: PriorityQueue(), count: portCount * HomaLimits.priorityLevels)
        switchCount = leaves + spines
        switches = .allocate(capacity: switchCount)
        leafOf = .allocate(capacity: hosts)
        for host in 0..<hosts { leafOf[host] = UInt16(host / hostsPerLeaf) }
        tierOccupancy = InlineArray { _ in LogHistogram(precision: 6, bits: 40) }
        priorityOccupancy = InlineArray { _ in LogHistogram(precision: 6, bits: 32) }
        wanting = .allocate(capacity: hosts)
        wanting.initialize(repeating: 0, count: hosts)
        wantNoted = .allocate(capacity: hosts)
        wantNoted.initialize(repeating: 0, count: hosts)
        cutThrough = topology.switching == .cutThrough
        sprays = topology.pathChoice == .perPacketSpraying
        picosecondsPerKiBHost = Port.picosecondsPerKiB(bitsPerSecond: topology.hostRate.bitsPerSecond)
        picosecondsPerKiBUplink = Port.picosecondsPerKiB(bitsPerSecond: topology.uplinkRate.bitsPerSecond)
        var random = SeededRandom(seed: scenario.seed ^ 0x6E65_7477_6F72_6B21)
        hashSeed = random.next()
        self.random = random
        events = EventQueue(topology)
        poolCount =
            topology.leafCount * Self.pools(topology.leafSwitch, topology.portsPerLeaf)
            + topology.spineCount * Self.pools(topology.spineSwitch, topology.leafCount)
        pools = .allocate(capacity: max(poolCount, 1))
        makePorts(topology)
        makeSwitches(topology)
    }

    deinit {
        ports.deallocate()
        queues.deallocate()
        switches.deallocate()
        pools.deallocate()
        leafOf.deallocate()
        wanting.deallocate()
        wantNoted.deallocate()
        for tier in 0..<4 { tierOccupancy[tier].destroy() }
        for level in 0..<32 { priorityOccupancy[level].destroy() }
    }

    // MARK: Numbers of ports

    @inline(__always)
    func downlink(to host: UInt16) -> Int { hosts + Int(host) }

    @inline(__always)
    func uplink(of leaf: Int, to spine: Int) -> Int { 2 * hosts + leaf * spines + spine }

    @inline(__always)
    func spineDownlink(of spine: Int, to leaf: Int) -> Int { 2 * hosts + leaves * spines + spine * leaves + leaf }

    // MARK: Construction

    private mutating func makePorts(_ topology: TopologyConfiguration) {
        let link = topology.linkDelay.picoseconds
        let intoSwitch = link + topology.switchDelay.picoseconds
        let outOfHost = topology.hostSendDelay.picoseconds + topology.nicDelay.picoseconds
        for host in 0..<hosts {
            let leaf = UInt32(leafOf[host])
            add(host, .hostUplink, rate: picosecondsPerKiBHost, delay: outOfHost + intoSwitch, .leaf, leaf, -1)
            add(
                hosts + host, .hostDownlink, rate: picosecondsPerKiBHost,
                delay: link + topology.hostReceiveDelay.picoseconds, .host, UInt32(host), Int32(leaf))
        }
        for leaf in 0..<leaves {
            for spine in 0..<spines {
                add(
                    uplink(of: leaf, to: spine), .leafUplink, rate: picosecondsPerKiBUplink, delay: intoSwitch, .spine,
                    UInt32(spine), Int32(leaf))
                add(
                    spineDownlink(of: spine, to: leaf), .spineDownlink, rate: picosecondsPerKiBUplink,
                    delay: intoSwitch, .leaf, UInt32(leaf), Int32(leaves + spine))
            }
        }
    }

    private func add(
        _ index: Int, _ tier: Tier, rate: UInt64, delay: UInt64, _ kind: NodeKind, _ end: UInt32, _ owner: Int32
    ) {
        (ports + index).initialize(
            to: Port(picosecondsPerKiB: rate, delay: delay, tier: tier, endsAt: kind, end: end, owner: owner, pool: 0))
    }

    private static func pools(_ configuration: SwitchConfiguration, _ ports: Int) -> Int {
        switch configuration.buffer {
        case .perPort: ports
        case .groups(let size): (ports + size - 1) / size
        default: 1
        }
    }

    private mutating func makeSwitches(_ topology: TopologyConfiguration) {
        var pool = 0
        for number in 0..<switchCount {
            let isLeaf = number < leaves
            let settings = isLeaf ? topology.leafSwitch : topology.spineSwitch
            var state = SwitchState(kind: isLeaf ? .leaf : .spine, number: isLeaf ? number : number - leaves)
            if isLeaf {
                state.downlinks = hosts + number * hostsPerLeaf..<hosts + (number + 1) * hostsPerLeaf
                state.uplinks = 2 * hosts + number * spines..<2 * hosts + (number + 1) * spines
            } else {
                let first = spineDownlink(of: number - leaves, to: 0)
                state.downlinks = first..<first + leaves
            }
            state.isLimited = settings.isLimited
            if case .dynamicThreshold(let alpha) = settings.buffer { state.alpha = alpha }
            state.cell = settings.cellBytes
            state.reserve = settings.reservedBytesPerQueue
            state.ecnThreshold = settings.ecnThresholdBytes ?? .max
            state.selectiveThreshold = settings.selectiveDropThresholdBytes ?? .max
            (switches + number).initialize(to: state)
            pool = share(settings, number, firstPool: pool)
        }
    }

    /// Divides a switch's memory among its pools and gives each port its pool; the number after the last pool.
    private func share(_ settings: SwitchConfiguration, _ number: Int, firstPool: Int) -> Int {
        let one = switches[number]
        let members = Array(one.downlinks) + Array(one.uplinks)
        let reserved = settings.reservedBytesPerQueue * members.count * HomaLimits.priorityLevels
        let shared = max(0, (settings.bufferBytes ?? 0) - reserved)
        let count = Self.pools(settings, members.count)
        let size: Int =
            switch settings.buffer {
            case .perPort: 1
            case .groups(let size): size
            default: members.count
            }
        for (place, port) in members.enumerated() { ports[port].pool = Int32(firstPool + place / size) }
        for pool in 0..<count {
            // A last group with fewer ports has a smaller part.
            let share = min(size, members.count - pool * size)
            let capacity = settings.isLimited ? shared * share / members.count : Int.max
            (pools + firstPool + pool).initialize(to: BufferPoolState(used: 0, capacity: capacity))
        }
        return firstPool + count
    }
}

extension Duration {
    /// Whole picoseconds, rounded down; for the delays of a topology, which are at most a second.
    var picoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds)) * 1_000_000_000_000 + UInt64(max(0, attoseconds)) / 1_000_000
    }

    init(picoseconds: UInt64) {
        self.init(
            secondsComponent: Int64(picoseconds / 1_000_000_000_000),
            attosecondsComponent: Int64(picoseconds % 1_000_000_000_000) * 1_000_000)
    }
}
