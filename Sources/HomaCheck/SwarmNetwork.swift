// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaCore
import HomaWire

/// What is going to happen, in the order of time and then of entry.
struct EventQueue {
    enum Kind: UInt8 { case arrival, wake, operation, task, incident, incidentEnd, stranger, forgery, notice, heal }

    struct Entry {
        var time: UInt64
        var sequence: UInt64
        var index: Int32
        var kind: Kind
    }

    private var heap: [Entry] = []
    private var sequence: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }
    var firstTime: UInt64? { heap.first?.time }

    private static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
        a.time != b.time ? a.time < b.time : a.sequence < b.sequence
    }

    mutating func push(_ kind: Kind, _ index: Int, at time: UInt64) {
        sequence += 1
        let entry = Entry(time: time, sequence: sequence, index: Int32(index), kind: kind)
        var place = heap.count
        heap.append(entry)
        while place > 0 {
            let parent = (place - 1) / 2
            guard Self.isBefore(entry, heap[parent]) else { break }
            heap[place] = heap[parent]
            place = parent
        }
        heap[place] = entry
    }

    mutating func pop() -> Entry? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        var place = 0
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, Self.isBefore(heap[child + 1], heap[child]) { child += 1 }
            guard Self.isBefore(heap[child], last) else { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = last
        return first
    }
}

/// The way between two hosts, in one direction.
struct SwarmWay {
    var cutUntil: UInt64 = 0
    /// Longest Homa packet that it carries; what is longer is lost, and its sender is told unless the way is silent.
    var bytes = Int.max
    var narrowUntil: UInt64 = 0
    var isSilent = false
}

/// What a stranger sent and was sent, in bytes of IP packets: who pays for a way pays for headers as well.
struct StrangerTraffic {
    static let headerBytes = 28
    var received = 0
    var sent = 0
}

/// Packets between hosts: how long they take, and what becomes of them.
extension SwarmRun {
    /// Sends a datagram, whose memory is the network's from here on.
    func launch(_ bytes: UnsafeMutableRawPointer, _ count: Int, from host: SwarmHost, to address: PeerAddress) {
        packets += 1
        let packet = UnsafeRawBufferPointer(start: bytes, count: count)
        let target = current[address]
        trace.note(.sent, at: now, host: host.index, other: target, packet: packet)
        guard let target else {
            if let stranger = strangerNumbers[address] { traffic[stranger].sent += count + StrangerTraffic.headerBytes }
            return bytes.deallocate()
        }
        guard !dialectForbids(packet, from: host, to: target) else { return bytes.deallocate() }
        if host.plan.isKernel || hosts[target].plan.isKernel { strip(bytes, count) }
        guard fits(packet, from: host, to: target, address) else { return bytes.deallocate() }
        if now < ways[host.index][target].cutUntil {
            trace.note(.noWay, at: now, host: host.index, other: target, packet: packet)
            return bytes.deallocate()
        }
        fly(Flight(bytes: bytes, count: count, from: host.address, to: target))
    }

    /// A datagram that was made up by nobody in particular.
    func forge(_ packet: [UInt8], from address: PeerAddress, to target: Int) {
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: max(1, packet.count), alignment: 8)
        packet.withUnsafeBytes { if $0.count > 0 { memcpy(bytes, $0.baseAddress!, $0.count) } }
        trace.note(
            .forged, at: now, host: 255, other: target,
            packet: UnsafeRawBufferPointer(start: bytes, count: packet.count))
        if let stranger = strangerNumbers[address] {
            traffic[stranger].received += packet.count + StrangerTraffic.headerBytes
        }
        arriveLater(Flight(bytes: bytes, count: packet.count, from: address, to: target), at: now + 1_000)
    }

    /// A peer without extensions sends no bundles and is sent none, and it is sent no marks.
    private func dialectForbids(_ packet: UnsafeRawBufferPointer, from host: SwarmHost, to target: Int) -> Bool {
        guard hosts[target].plan.isKernel || host.plan.isKernel else { return false }
        if PacketBundle.isBundle(packet) { return true }
        if hosts[target].plan.isKernel, packet.count >= CommonHeader.byteCount, packet[9] != 0,
            !plan.faults.contains(.forgery)
        {
            breach(.noMarksForKernels, "marks \(packet[9]) from host \(host.index) to host \(target)")
        }
        return false
    }

    /// Takes away what HomaModule does not write, and what it does not read.
    private func strip(_ bytes: UnsafeMutableRawPointer, _ count: Int) {
        guard count >= CommonHeader.byteCount else { return }
        memset(bytes + 4, 0, 4)
        memset(bytes + 8, 0, 3)
        memset(bytes + 14, 0, 4)
        let type = bytes.load(fromByteOffset: 11, as: UInt8.self)
        if type == PacketType.data.rawValue, count >= DataFields.byteCount { memset(bytes + 49, 0, 3) }
        if type == PacketType.cutoffs.rawValue, count >= 62 { memset(bytes + 28, 0, 4) }
    }

    /// Whether the way is wide enough. If not, the sender hears of it as a driver does: from its own kernel at once, or
    /// from a router on the way; or from nobody.
    private func fits(_ packet: UnsafeRawBufferPointer, from host: SwarmHost, to target: Int, _ address: PeerAddress)
        -> Bool
    {
        let way = ways[host.index][target]
        let narrow = now < way.narrowUntil && !isHealed ? way.bytes : .max
        let limit = min(host.plan.linkBytes, hosts[target].plan.linkBytes, narrow)
        guard packet.count > limit else { return true }
        trace.note(.tooLong, at: now, host: host.index, other: target, packet: packet)
        lost += 1
        if way.isSilent, limit == narrow { return false }
        let start = PacketBundle.isBundle(packet) ? PacketBundle.markByteCount + PacketBundle.lengthByteCount : 0
        let quoted = UnsafeRawBufferPointer(rebasing: packet[start...])
        let id = UInt64(bigEndian: quoted.loadUnaligned(fromByteOffset: CommonHeader.senderIDOffset, as: UInt64.self))
        let isData = quoted[11] == PacketType.data.rawValue
        let offset = DataFields.quotedOffset(in: quoted)
        let isLocal = host.plan.linkBytes == limit
        post(
            Notice(
                host: host.index, life: host.life, peer: address, id: id, limit: limit, offset: isData ? offset : nil),
            at: isLocal ? now : now + 2 * plan.delay)
        return false
    }

    /// Loses, doubles, cuts and delays.
    private func fly(_ flight: Flight) {
        guard !isHealed else { return arriveLater(flight, at: departure(of: flight) ?? now) }
        if plan.loss > 0, random.nextUnit() < plan.loss { return lose(flight, .lost) }
        if plan.duplication > 0, random.nextUnit() < plan.duplication {
            let copy = UnsafeMutableRawPointer.allocate(byteCount: flight.count, alignment: 8)
            memcpy(copy, flight.bytes, flight.count)
            var second = flight
            second.bytes = copy
            delayed(second)
        }
        var flight = flight
        if plan.truncation > 0, random.nextUnit() < plan.truncation {
            // A receive buffer that is too short does this. What is left is true, so it must be believed or dropped.
            flight.count = Int.random(in: 0...flight.count, using: &random)
            flight.isWhole = false
        }
        delayed(flight)
    }

    private func delayed(_ flight: Flight) {
        guard var time = departure(of: flight) else { return lose(flight, .full) }
        if plan.jitter > 0 { time += UInt64.random(in: 0...plan.jitter, using: &random) }
        if plan.lateness > 0, random.nextUnit() < plan.lateness { time += plan.longDelay }
        arriveLater(flight, at: time)
    }

    private func lose(_ flight: Flight, _ kind: SwarmTrace.Kind) {
        trace.note(kind, at: now, host: flight.to, other: owners[flight.from], packet: flight.buffer)
        lost += 1
        flight.bytes.deallocate()
    }

    /// When it has passed both links, first in, first out; nil: there was no room in front of the second.
    private func departure(of flight: Flight) -> UInt64? {
        guard let sender = owners[flight.from] else { return now + plan.delay }
        let wire = flight.count + 66
        let receiver = hosts[flight.to]
        let rates = (rate(of: sender), rate(of: flight.to))
        hosts[sender].uplinkFree = max(now, hosts[sender].uplinkFree) + nanoseconds(wire, at: rates.0)
        let there = hosts[sender].uplinkFree + plan.delay
        let waiting = receiver.downlinkFree > there ? receiver.downlinkFree - there : 0
        if !isHealed, plan.queueLimit != .max, waiting > nanoseconds(plan.queueLimit, at: rates.1) { return nil }
        receiver.downlinkFree = max(there, receiver.downlinkFree) + nanoseconds(wire, at: rates.1)
        return receiver.downlinkFree
    }

    func rate(of host: Int) -> UInt64 { isHealed ? 10_000_000_000 : plan.rates[host] }

    func nanoseconds(_ bytes: Int, at rate: UInt64) -> UInt64 { UInt64(bytes) * 8_000_000_000 / rate }

    func arriveLater(_ flight: Flight, at time: UInt64) {
        let slot: Int
        if let free = freeFlights.popLast() {
            slot = free
            flights[slot] = flight
        } else {
            slot = flights.count
            flights.append(flight)
        }
        queue.push(.arrival, slot, at: max(now, time))
    }

    /// A datagram reaches a host's socket.
    func arrive(_ slot: Int) {
        let flight = flights[slot]
        freeFlights.append(slot)
        let host = hosts[flight.to]
        if host.isDown {
            if host.saysUnreachable, let sender = owners[flight.from], flight.count >= CommonHeader.byteCount {
                let id = UInt64(
                    bigEndian: flight.bytes.loadUnaligned(fromByteOffset: CommonHeader.senderIDOffset, as: UInt64.self))
                post(
                    Notice(
                        host: sender, life: hosts[sender].life, peer: host.address, id: id, limit: 0, offset: nil),
                    at: now + plan.delay)
            }
            return lose(flight, .noWay)
        }
        // A socket's buffer has an end.
        guard host.inbox.count < 8_000 else { return lose(flight, .full) }
        host.inbox.append(flight)
        wake(host, at: max(now + host.plan.pollDelay, host.pausedUntil))
    }
}
