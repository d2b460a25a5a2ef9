// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWorkloads

@testable import HomaSim

/// TCP hosts and a wire from each to all others, of one rate and delay; tests say which segments get lost or marked.
struct TCPBench: ~Copyable {
    struct Departure {
        var time: UInt64
        var start: UInt64
        var count: Int
        var isRepeat: Bool
    }

    let packets: PacketStore
    let messages: MessageLedger
    var transport: TCPTransport
    private let delay: UInt64
    private let picosecondsPerKiB: UInt64
    /// A payload, which has 24 bits, that ends `run(until:)`.
    private static let end: UInt32 = 0xFF_FFFF
    /// Payloads: a host whose wire falls idle, a host's timer (beyond the hosts), a packet (beyond those).
    private var events = EventQueue(slotPicoseconds: 1_000_000)
    private let hosts: UInt32
    private var busyUntil: [UInt64]
    /// When each host's timer event is due.
    private var timers: [UInt64]
    private(set) var now: UInt64 = 0
    /// Data packets that have left, in order, lost ones included.
    private(set) var departures: [Departure] = []
    private(set) var deliveries: [(message: UInt32, time: UInt64)] = []

    /// Data packets that get lost, by their place in `departures`.
    var lost: Set<Int> = []
    /// Every so many'th data packet is marked.
    var markEvery: Int?

    init(
        _ tcp: TCPConfiguration, hosts: Int = 2, rate: BitRate = .gigabitsPerSecond(10), delay: Duration,
        isRPC: Bool = false
    ) {
        packets = PacketStore(extraStride: MemoryLayout<TCPSegment>.stride)
        messages = MessageLedger()
        let topology = TopologyConfiguration(
            shape: .singleSwitch(hosts: hosts), hostRate: rate, uplinkRate: rate, linkDelay: delay / 2,
            switchDelay: .zero, hostSendDelay: .zero, hostReceiveDelay: .zero, nicDelay: .zero)
        let scenario = Scenario(
            topology: topology, transport: .tcp(tcp),
            traffic: TrafficConfiguration(sizes: .fixed(1), mode: isRPC ? .rpc(responseBytes: nil) : .oneWay))
        transport = TCPTransport(scenario, tcp, packets: packets, messages: messages)
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

    private mutating func step(_ what: UInt32) {
        var host = UInt16(truncatingIfNeeded: what % hosts)
        if what >= 2 * hosts {
            let packet = what - 2 * hosts
            host = packets.at(packet).pointee.destination
            transport.receive(packet, at: host, now: now)
        } else if what >= hosts {
            // One that was set for later than what came up since.
            guard timers[Int(host)] == now else { return }
            timers[Int(host)] = .max
            transport.expireTimers(host, at: now)
        }
        wake(host)
    }

    mutating func run(for duration: Duration) { run(until: now + duration.picoseconds) }

    func delivery(of message: UInt32) -> UInt64? { deliveries.first { $0.message == message }?.time }

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
        let kind = packets.at(packet).pointee.kind
        if kind != .acknowledgement {
            let place = departures.count
            departures.append(
                Departure(
                    time: now, start: packets.extra(packet, as: TCPSegment.self).pointee.sequence,
                    count: Int(packets.at(packet).pointee.payloadBytes), isRepeat: kind == .resent))
            if lost.contains(place) { return packets.give(packet) }
            if let markEvery, place % markEvery == 0 { packets.at(packet).pointee.marks.insert(.congested) }
        }
        events.push(end + delay, 2 * hosts + packet)
    }

    private mutating func settle() {
        for index in 0..<messages.outcomeCount where messages.outcome(index).kind == .delivered {
            let message = messages.outcome(index).message
            deliveries.append((message, now))
            messages.end(message)
        }
        messages.clearOutcomes()
    }
}

extension UInt64 {
    static func milliseconds(_ count: Double) -> UInt64 { UInt64(count * 1e9) }
}
