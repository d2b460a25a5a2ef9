// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
package import HomaBase
internal import HomaPosix
internal import HomaWire
internal import Synchronization

/// A clock that shows what it is told to.
package final class VirtualClock: EngineClock, Sendable {
    private let time = Atomic<UInt64>(0)

    package func now() -> Instant { Instant(nanoseconds: time.load(ordering: .relaxed)) }

    func advance(to time: Instant) { self.time.store(max(now(), time).nanoseconds, ordering: .relaxed) }
}

/// What goes wrong on a ``MemoryNetwork``. Shares are of one.
package struct MemoryFaults: Sendable, Equatable {
    /// Packets that are lost, those among them that a checksum catches.
    package var loss = 0.0
    /// Packets that arrive twice.
    package var duplication = 0.0
    /// Packets that arrive after others that left behind them, and by how many nanoseconds at most.
    package var lateness = 0.0
    package var longestDelay: UInt64 = 0
    /// Trains whose end is lost.
    package var truncation = 0.0
    /// Messages to the system for whose destination it has no room (ENOBUFS), then and for up to two milliseconds.
    package var refusal = 0.0
    /// Messages to the system for which the socket has no room (EAGAIN), then and for up to half a millisecond.
    package var fullness = 0.0
    /// Messages to the system whose destination it forbids or has no way to (EPERM, ENETUNREACH, EHOSTUNREACH), then
    /// and for up to five milliseconds.
    package var denial = 0.0
    /// Packets to a destination that a router has no way to, as it says, then and for up to twenty milliseconds.
    package var outage = 0.0

    package init() {}
}

/// What is the matter with the way from one host to another, in this direction.
package struct MemoryWay: Sendable, Equatable {
    package var isCut = false
    /// Longest IP packet that gets through; nil: as everywhere.
    package var mtu: Int?
    /// Whether a sender is told of what does not.
    package var tells = true

    package init() {}
}

/// What a ``MemoryNetwork`` does with a packet.
package enum PacketFate: Sendable {
    case sent, arrived, lost
    /// There is no way, or nobody at its end.
    case noWay
    case tooLong
}

/// Wires between engines that exist in memory alone: what a datagram socket and a network do to packets, and what goes
/// wrong with them, by a seed and on a virtual clock.
///
/// Packets travel one by one, also those of a train, and are joined again where they arrive side by side. Sockets that
/// share a port get those that the system's program would give them.
package final class MemoryNetwork {
    package struct Counters: Sendable, Equatable {
        package var sent = 0
        package var lost = 0
        package var doubled = 0
        /// Packets that arrived joined to the one before.
        package var joined = 0
        /// Messages to the system that it did not take.
        package var refused = 0
        /// Packets that found no room in a socket.
        package var overflows = 0
        /// Packets lost on ways that are cut, at hosts that are isolated, on ways that are too narrow, and where nobody
        /// is any more.
        package var cut = 0
        package var isolated = 0
        package var tooLong = 0
        package var strayed = 0
    }

    private struct Route: Hashable {
        var source: PeerAddress
        var destination: PeerAddress
    }

    package let clock = VirtualClock()
    package var faults = MemoryFaults()
    /// Nanoseconds on the way, and how many more at most.
    package var delay: UInt64 = 5_000
    package var jitter: UInt64 = 0
    /// Packets that arrive together are joined to trains.
    package var joinsPackets = true
    /// Longest IP packet that gets through; nil: all do that a host can send.
    package var routerMTU: Int?
    /// Whether a sender is told of what does not.
    package var routerTells = true
    package private(set) var counters = Counters()
    /// Addresses to and from which nothing gets through.
    package var isolated: Set<PeerAddress> = []
    /// Addresses of neighbors that do not exist: for three seconds a host asks who they are and keeps what is for them;
    /// then it gives up.
    package var missing: Set<PeerAddress> = []
    /// Addresses where no system is that would say that a port is closed.
    package var silent: Set<PeerAddress> = []
    /// Told of every packet: where from, and where to.
    package var onPacket: ((PacketFate, PeerAddress, PeerAddress, UnsafeRawBufferPointer) -> Void)?
    private var ways: [Route: MemoryWay] = [:]
    private var random: SeededRandom
    private var ports: [PeerAddress: MemoryPort] = [:]
    private var flights = Timeline<Flight>()
    /// Until when routers have no way to a destination.
    private var outages: [PeerAddress: Instant] = [:]

    /// Something on its way.
    private enum Flight {
        case packet(bytes: [UInt8], source: PeerAddress, sender: MemorySockets.Reference, to: PeerAddress, UInt8)
        /// Bad news for a sender.
        case report(homa_socket_error, MemorySockets.Reference)
        /// A socket has room again.
        case room(MemorySockets.Reference, MemoryRoom, bytes: Int)
    }

    package init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// When something arrives next.
    var earliest: Instant { flights.earliest }

    /// False while somebody has sockets at the address.
    package func isFree(_ address: PeerAddress) -> Bool { ports[address]?.isOpen != true }

    func open(_ port: MemoryPort) {
        precondition(isFree(port.address), "an address has one port")
        ports[port.address] = port
    }

    /// Has a host's system refuse what goes to a destination, with an error code.
    package func refuse(_ destination: PeerAddress, from host: PeerAddress, code: Int32, until end: Instant) {
        ports[host]?.refusals[destination] = (end, code)
    }

    /// Has a host's system take trains from now on.
    package func permitTrains(of host: PeerAddress) { ports[host]?.refusesTrains = false }

    /// How it is with the way from one address to another.
    package func set(_ way: MemoryWay, from source: PeerAddress, to destination: PeerAddress) {
        ways[Route(source: source, destination: destination)] = way == MemoryWay() ? nil : way
    }

    /// Nothing goes wrong any more, and no way is cut or narrow.
    package func heal() {
        faults = MemoryFaults()
        routerMTU = nil
        ways = [:]
    }

    /// Gives a host another address: its sockets stay, and with them its ways.
    func move(_ port: MemoryPort, to address: PeerAddress) {
        precondition(isFree(address), "an address has one port")
        let former = port.address
        ports[former] = nil
        port.address = address
        ports[address] = port
        if isolated.remove(former) != nil { isolated.insert(address) }
        for (route, way) in ways where route.source == former || route.destination == former {
            ways[route] = nil
            let moved = Route(
                source: route.source == former ? address : route.source,
                destination: route.destination == former ? address : route.destination)
            ways[moved] = way
        }
    }

    private func note(_ fate: PacketFate, _ packet: [UInt8], from source: PeerAddress, to destination: PeerAddress) {
        guard let onPacket else { return }
        packet.withUnsafeBytes { onPacket(fate, source, destination, $0) }
    }

    /// Has routers lose what goes to a destination, and say so.
    package func interrupt(_ destination: PeerAddress, until end: Instant) { outages[destination] = end }

    private func happens(_ share: Double) -> Bool { share > 0 && random.nextUnit() < share }

    /// 0 … `limit`.
    private func draw(upTo limit: UInt64) -> UInt64 { limit == 0 ? 0 : random.next() % (limit + 1) }

    /// Takes a message of a socket, as the system would; 0, or the error.
    func take(_ message: homa_outgoing, from sockets: MemorySockets, _ room: MemoryRoom) -> Int32 {
        let peer = PeerAddress(message.to)
        let now = clock.now()
        let code = refusal(of: message, to: peer, from: sockets, room, at: now)
        guard code == 0 else {
            counters.refused += 1
            return code
        }
        var bytes: [UInt8] = []
        for piece in UnsafeBufferPointer(start: message.pieces, count: Int(message.piece_count)) {
            bytes += UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len)
        }
        if missing.contains(peer) {
            keep(bytes, for: peer, from: sockets, room, at: now)
            return 0
        }
        launch(bytes, segment: Int(message.segment_size), message.traffic_class, to: peer, from: sockets, at: now)
        return 0
    }

    /// What is for a neighbor that nobody is.
    private func keep(
        _ bytes: [UInt8], for peer: PeerAddress, from sockets: MemorySockets, _ room: MemoryRoom, at now: Instant
    ) {
        counters.lost += 1
        room.heldBytes += bytes.count
        let end = now.advanced(byNanoseconds: 3_000_000_000)
        flights.insert(.room(sockets.reference, room, bytes: bytes.count), at: end)
        tell(sockets.reference, code: EHOSTUNREACH, info: 0, icmp: 1, quoting: bytes, peer, at: end)
    }

    private func refusal(
        of message: homa_outgoing, to peer: PeerAddress, from sockets: MemorySockets, _ room: MemoryRoom,
        at now: Instant
    ) -> Int32 {
        if now < room.fullUntil || room.heldBytes >= sockets.port.sendBytes { return EAGAIN }
        if happens(faults.fullness) {
            room.fullUntil = now.advanced(byNanoseconds: 1 + draw(upTo: 500_000))
            flights.insert(.room(sockets.reference, room, bytes: 0), at: room.fullUntil)
            return EAGAIN
        }
        if let refusal = sockets.port.refusals[peer], now < refusal.end { return refusal.code }
        if happens(faults.refusal) {
            sockets.port.refusals[peer] = (now.advanced(byNanoseconds: draw(upTo: 2_000_000)), ENOBUFS)
            return ENOBUFS
        }
        if happens(faults.denial) {
            let code = [EPERM, ENETUNREACH, EHOSTUNREACH][Int(draw(upTo: 2))]
            sockets.port.refusals[peer] = (now.advanced(byNanoseconds: draw(upTo: 5_000_000)), code)
            return code
        }
        if message.segment_size > 0, sockets.port.refusesTrains { return EINVAL }
        let pieces = UnsafeBufferPointer(start: message.pieces, count: Int(message.piece_count))
        let longest = message.segment_size > 0 ? Int(message.segment_size) : pieces.reduce(0) { $0 + $1.iov_len }
        return longest + Self.headerBytes(to: peer) > sockets.port.mtu(to: peer) ? EMSGSIZE : 0
    }

    /// Of IP and UDP.
    private static func headerBytes(to peer: PeerAddress) -> Int { peer.isIPv4 ? 28 : 48 }

    private func launch(
        _ bytes: [UInt8], segment: Int, _ trafficClass: UInt8, to peer: PeerAddress, from sockets: MemorySockets,
        at now: Instant
    ) {
        let length = segment > 0 ? segment : max(bytes.count, 1)
        let starts = Array(stride(from: 0, to: bytes.count, by: length))
        let arrival = now.advanced(byNanoseconds: delay + draw(upTo: jitter))
        let kept = starts.count > 1 && happens(faults.truncation) ? 1 + Int(draw(upTo: UInt64(starts.count - 2))) : .max
        for (index, start) in starts.enumerated() {
            counters.sent += 1
            let packet = Array(bytes[start..<min(start + length, bytes.count)])
            note(.sent, packet, from: sockets.localAddress, to: peer)
            if index >= kept || happens(faults.loss) {
                counters.lost += 1
                note(.lost, packet, from: sockets.localAddress, to: peer)
                continue
            }
            if let fate = obstacle(to: packet, to: peer, from: sockets, at: arrival) {
                counters.lost += 1
                note(fate, packet, from: sockets.localAddress, to: peer)
                continue
            }
            let flight = Flight.packet(
                bytes: packet, source: sockets.localAddress, sender: sockets.reference, to: peer, trafficClass)
            let isLate = happens(faults.lateness)
            flights.insert(flight, at: isLate ? later(arrival) : arrival)
            guard happens(faults.duplication) else { continue }
            counters.doubled += 1
            flights.insert(flight, at: later(arrival))
        }
    }

    private func later(_ time: Instant) -> Instant { time.advanced(byNanoseconds: draw(upTo: faults.longestDelay)) }

    /// What keeps a packet from its destination; nil: nothing.
    private func obstacle(
        to packet: [UInt8], to peer: PeerAddress, from sockets: MemorySockets, at time: Instant
    ) -> PacketFate? {
        if isolated.contains(peer) || isolated.contains(sockets.localAddress) {
            counters.isolated += 1
            return .noWay
        }
        let way = ways[Route(source: sockets.localAddress, destination: peer)] ?? MemoryWay()
        if way.isCut {
            counters.cut += 1
            return .noWay
        }
        if happens(faults.outage) { outages[peer] = time.advanced(byNanoseconds: draw(upTo: 20_000_000)) }
        if let end = outages[peer], time < end {
            tell(sockets.reference, code: EHOSTUNREACH, info: 0, icmp: 1, quoting: packet, peer, at: time)
            return .noWay
        }
        let limit = min(routerMTU ?? .max, way.mtu ?? .max)
        guard packet.count + Self.headerBytes(to: peer) > limit else { return nil }
        counters.tooLong += 1
        if limit == way.mtu ? way.tells : routerTells {
            tell(sockets.reference, code: EMSGSIZE, info: limit, icmp: 4, quoting: packet, peer, at: time)
        }
        return .tooLong
    }

    /// Sends an ICMP message of type 3, "destination unreachable".
    private func tell(
        _ sender: MemorySockets.Reference, code: Int32, info: Int, icmp: UInt8, quoting packet: [UInt8],
        _ peer: PeerAddress, at time: Instant
    ) {
        var record = homa_socket_error()
        record.peer = peer.shimAddress
        record.code = UInt32(code)
        record.info = UInt32(info)
        record.origin = UInt8(errorOriginICMP)
        record.type = 3
        record.icmp_code = icmp
        record.payload_count = UInt8(min(packet.count, DriverError.maximumPayloadBytes))
        withUnsafeMutableBytes(of: &record.payload) { $0.copyBytes(from: packet.prefix(Int(record.payload_count))) }
        flights.insert(.report(record, sender), at: time.advanced(byNanoseconds: delay))
    }

    /// Hands over what has arrived by now.
    func deliver() {
        let now = clock.now()
        var touched: [MemoryPort] = []
        while let flight = flights.popFirst(until: now) {
            switch flight {
            case .room(let sockets, let room, let bytes):
                room.heldBytes -= bytes
                sockets.value?.noteNews()
            case .report(let record, let sockets): sockets.value?.take(record)
            case .packet(let bytes, let source, let sender, let to, let trafficClass):
                guard let port = ports[to], port.isOpen else {
                    counters.lost += 1
                    counters.strayed += 1
                    note(.noWay, bytes, from: source, to: to)
                    if !silent.contains(to) {
                        tell(sender, code: ECONNREFUSED, info: 0, icmp: 3, quoting: bytes, to, at: now)
                    }
                    continue
                }
                if isolated.contains(to) {
                    counters.lost += 1
                    counters.isolated += 1
                    note(.noWay, bytes, from: source, to: to)
                    continue
                }
                note(.arrived, bytes, from: source, to: to)
                if !touched.contains(where: { $0 === port }) { touched.append(port) }
                let arrival = Arrival(bytes: bytes, source: source, trafficClass: trafficClass)
                if port.gather(arrival, joins: joinsPackets) { counters.joined += 1 }
            }
        }
        for port in touched { counters.overflows += port.hand() }
    }
}

/// What has reached a socket: a packet, or a train of those that came together.
struct Arrival {
    var bytes: [UInt8]
    /// Of every packet but a shorter last one.
    let segment: Int
    let source: PeerAddress
    let trafficClass: UInt8
    private var packets = 1

    init(bytes: [UInt8], source: PeerAddress, trafficClass: UInt8) {
        self.bytes = bytes
        segment = bytes.count
        self.source = source
        self.trafficClass = trafficClass
    }

    /// Takes a packet in, if the system would join them (udp_gro_receive, net/ipv4/udp_offload.c).
    mutating func join(_ other: Arrival) -> Bool {
        guard other.source == source, other.trafficClass == trafficClass, bytes.count == packets * segment,
            other.bytes.count <= segment, packets < 64, bytes.count + other.bytes.count <= 65_000
        else { return false }
        bytes += other.bytes
        packets += 1
        return true
    }
}

/// Things by the time at which they happen; those of one time in the order in which they were put in.
struct Timeline<Element> {
    private var heap: [(time: Instant, sequence: UInt64, element: Element)] = []
    private var sequence: UInt64 = 0

    var earliest: Instant { heap.first?.time ?? .distantFuture }

    mutating func insert(_ element: Element, at time: Instant) {
        heap.append((time, sequence, element))
        sequence += 1
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The first, if its time has come.
    mutating func popFirst(until now: Instant) -> Element? {
        guard let first = heap.first, first.time <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.element }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) {
                least = child
            }
            guard least != parent else { return first.element }
            heap.swapAt(least, parent)
            parent = least
        }
    }

    private func precedes(_ first: Int, _ second: Int) -> Bool {
        (heap[first].time, heap[first].sequence) < (heap[second].time, heap[second].sequence)
    }
}
