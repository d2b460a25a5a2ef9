// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads

@testable import HomaSim

/// dcPIM hosts and a wire from each to all others, of one rate and delay; tests say which packets get lost.
struct DCPIMBench: ~Copyable {
    struct Departure {
        var time: UInt64
        var source: UInt16
        var destination: UInt16
        var isLost: Bool
        var fields: DCPIMPacket
        var kind: DCPIMPacket.Kind { fields.kind }
    }

    let packets: PacketStore
    let messages: MessageLedger
    var transport: DCPIMTransport
    private let delay: UInt64
    private let picosecondsPerKiB: UInt64
    private static let end: UInt32 = 0xFF_FFFF
    private var events = EventQueue(slotPicoseconds: 1_000_000)
    private let hosts: UInt32
    private var busyUntil: [UInt64]
    private var timers: [UInt64]
    private(set) var now: UInt64 = 0
    /// Every packet that has left, in order, lost ones included.
    private(set) var departures: [Departure] = []
    private(set) var deliveries: [(message: UInt32, time: UInt64)] = []
    private(set) var allSent: Set<UInt32> = []
    /// Packets that get lost: of each kind, by their place among those of the kind.
    var lost: [DCPIMPacket.Kind: Set<Int>] = [:]
    /// Share of all packets that get lost.
    var lossRate = 0.0
    private var random = SeededRandom(seed: 7)
    private var counts: [DCPIMPacket.Kind: Int] = [:]

    /// - Parameter delay: of the wire; the transport takes half of it for each of the two links to and from a switch.
    init(
        _ dcpim: DCPIMConfiguration, hosts: Int = 2, rate: BitRate = .gigabitsPerSecond(10),
        delay: Duration = .microseconds(10), seed: UInt64 = 1
    ) {
        packets = PacketStore(extraStride: MemoryLayout<DCPIMPacket>.stride)
        messages = MessageLedger()
        let topology = TopologyConfiguration(
            shape: .singleSwitch(hosts: hosts), hostRate: rate, uplinkRate: rate, linkDelay: delay / 2,
            switchDelay: .zero, hostSendDelay: .zero, hostReceiveDelay: .zero, nicDelay: .zero)
        let scenario = Scenario(
            topology: topology, transport: .dcpim(dcpim), traffic: TrafficConfiguration(sizes: .fixed(1)), seed: seed)
        transport = DCPIMTransport(scenario, dcpim, packets: packets, messages: messages)
        self.delay = delay.picoseconds
        picosecondsPerKiB = Port.picosecondsPerKiB(bitsPerSecond: rate.bitsPerSecond)
        self.hosts = UInt32(hosts)
        busyUntil = Array(repeating: 0, count: hosts)
        timers = Array(repeating: .max, count: hosts)
    }

    deinit {
        packets.destroy()
        messages.destroy()
    }

    /// Hands a message over, now.
    @discardableResult
    mutating func send(_ bytes: Int, from source: UInt16 = 0, to destination: UInt16 = 1) -> UInt32 {
        let message = messages.begin(
            Message(
                start: now, bytes: UInt32(bytes), responseBytes: 0, unsent: UInt32(bytes), source: source,
                destination: destination, isMeasured: true))
        transport.start(message, at: now)
        wake(source)
        return message
    }

    /// Lets time pass.
    mutating func run(until limit: UInt64) {
        events.push(limit, Self.end)
        while true {
            let event = events.pop()
            guard event.payload != Self.end else { break }
            now = event.time
            step(event.payload)
            settle()
        }
        now = limit
    }

    mutating func run(for duration: Duration) { run(until: now + duration.picoseconds) }

    private mutating func step(_ what: UInt32) {
        var host = UInt16(truncatingIfNeeded: what % hosts)
        if what >= 2 * hosts {
            let packet = what - 2 * hosts
            host = packets.at(packet).pointee.destination
            transport.receive(packet, at: host, now: now)
        } else if what >= hosts {
            guard timers[Int(host)] == now else { return }
            timers[Int(host)] = .max
            transport.expireTimers(host, at: now)
        }
        wake(host)
    }

    private mutating func wake(_ host: UInt16) {
        while busyUntil[Int(host)] <= now {
            let packet = transport.nextPacket(host, at: now)
            guard packet != Packet.none else { break }
            let end = now + (UInt64(packets.at(packet).pointee.wireBytes) * picosecondsPerKiB + 1023) >> 10
            busyUntil[Int(host)] = end
            events.push(end, UInt32(host))
            depart(packet, end)
        }
        let due = transport.deadline(host)
        guard due < timers[Int(host)] else { return }
        timers[Int(host)] = due
        events.push(due, hosts + UInt32(host))
    }

    private mutating func depart(_ packet: UInt32, _ end: UInt64) {
        let fields = packets.extra(packet, as: DCPIMPacket.self).pointee
        let place = counts[fields.kind, default: 0]
        counts[fields.kind] = place + 1
        var isLost = lost[fields.kind]?.contains(place) ?? false
        if lossRate > 0, random.nextUnit() < lossRate { isLost = true }
        departures.append(
            Departure(
                time: now, source: packets.at(packet).pointee.source,
                destination: packets.at(packet).pointee.destination, isLost: isLost, fields: fields))
        if isLost { return packets.give(packet) }
        events.push(end + delay, 2 * hosts + packet)
    }

    private mutating func settle() {
        for index in 0..<messages.outcomeCount {
            let outcome = messages.outcome(index)
            if outcome.kind == .allSent { allSent.insert(outcome.message) }
            guard outcome.kind == .delivered else { continue }
            deliveries.append((outcome.message, now))
            messages.end(outcome.message)
        }
        messages.clearOutcomes()
    }

    func departures(_ kind: DCPIMPacket.Kind) -> [Departure] { departures.filter { $0.kind == kind } }
    func count(_ kind: DCPIMPacket.Kind) -> Int { departures.count { $0.kind == kind } }
}
