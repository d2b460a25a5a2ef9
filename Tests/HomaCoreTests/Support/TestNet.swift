// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire

@testable import HomaCore

/// Hosts on a network with a fake clock. Packets travel as bytes, so that the wire format is tested too.
final class TestNet {
    private struct Flight {
        var time: UInt64
        var sequence: UInt64
        var from: PeerAddress
        var to: PeerAddress
        var bytes: [UInt8]
    }

    private enum Task {
        var host: Int {
            switch self {
            case .respond(let host, _, _, _), .release(let host, _, _, _): host
            }
        }

        case respond(host: Int, rpc: RPCHandle, key: UInt64, length: Int)
        case release(host: Int, lease: BufferLease, length: Int, key: UInt64)
    }

    var hosts: [TestHost]
    var faults: Faults
    var random: SeededRandom
    private(set) var now = Instant.zero
    private var flights: [UInt64: Flight] = [:]
    private var flightTimes = IndexedHeap(capacity: 1 << 17)
    private var freeFlights: [UInt64] = []
    private var nextFlight: UInt64 = 0
    private var sequence: UInt64 = 0
    private var tasks: [(time: UInt64, task: Task)] = []
    /// Nanoseconds from a request to its response: up to this, drawn per request.
    var serviceTime: UInt64 = 20_000
    /// Nanoseconds for which an application keeps a message before it returns the buffers.
    var holdTime: UInt64 = 0
    /// Response length for a request; nil: the application drops the request unanswered.
    var responseLength: (Int) -> Int? = { $0 }
    /// Sees each packet as it is sent; false drops it.
    var filter: (PacketHeader, PeerAddress, PeerAddress) -> Bool = { _, _, _ in true }
    /// Packets that the faults do not touch.
    var spare: (PacketHeader, PeerAddress, PeerAddress) -> Bool = { _, _, _ in false }
    /// Request key by client and identifier, noted when a packet of the request leaves.
    private var keys: [String: UInt64] = [:]
    var log: [String]?
    /// Hosts that play kernel peers: every packet from or to them loses its extensions on the way.
    var kernelHosts: Set<PeerAddress> = []
    /// Packets to such a host that had a mark.
    var marksForKernels = 0
    /// Hosts that have stopped for good.
    private var dead: Set<Int> = []
    /// Every DATA packet as it left, when not nil.
    var records: [(bytes: [UInt8], from: PeerAddress, to: PeerAddress)]?
    /// Grants that went beyond the policy, in words.
    var grantViolations: [String] = []
    private var lastGrants: [String: UInt32] = [:]
    var packetsSent = 0
    var parseErrors = 0
    /// Rate of the link to each host, in front of which packets wait first in, first out. Nil: no link is too slow.
    var linkRate: BitRate?
    /// Bytes that wait for such a link at most; what comes on top is lost.
    var queueLimit = 1 << 20
    private var linkFree: [PeerAddress: UInt64] = [:]
    /// Longest datagram that the paths carry. What is longer is lost, and its sender is told.
    var pathBytes: Int?
    /// Its sender is not told.
    var isBlackHole = false

    init(hosts: [TestHost], faults: Faults = Faults(), seed: UInt64) {
        self.hosts = hosts
        self.faults = faults
        random = SeededRandom(seed: seed)
    }

    @discardableResult
    func call(
        from client: Int, to server: Int, length: Int, cookie: UInt64, deadline: Instant = .distantFuture
    ) throws -> RPCHandle {
        let handle = try hosts[client].call(
            hosts[server].address, length: length, cookie: cookie, deadline: deadline, at: now)
        drain(client)
        return handle
    }

    /// Sends a one-way message.
    @discardableResult
    func message(
        from sender: Int, to receiver: Int, length: Int, cookie: UInt64, deadline: Instant = .distantFuture
    ) throws -> RPCHandle {
        let handle = try hosts[sender].send(
            hosts[receiver].address, length: length, cookie: cookie, deadline: deadline, at: now)
        drain(sender)
        return handle
    }

    /// The host stops: nothing leaves it or reaches it any more.
    func kill(_ host: Int) {
        dead.insert(host)
        tasks.removeAll { $0.task.host == host }
    }

    /// The host loses all it knew and starts again under the same address.
    func restart(_ host: Int, as fresh: TestHost) {
        precondition(fresh.address == hosts[host].address)
        tasks.removeAll { $0.task.host == host }
        hosts[host] = fresh
    }

    /// No grant repeats an earlier one, goes beyond the message, or runs further ahead of what has
    /// arrived than window, unscheduled bytes and the oldest message's extra allow.
    private func check(_ grant: GrantFields, _ packet: OutgoingPacket, from: PeerAddress) {
        let host = hosts[index(of: from)!]
        let id = packet.header.common.senderID
        // A stranger may begin a request again, with another length, while the grant for the first waits to leave.
        guard index(of: packet.peer) != nil, let peer = host.endpoint.peers.find(packet.peer),
            let slot = host.endpoint.find(id, at: peer)
        else { return }
        let message = host.endpoint.rpcs.at(slot).pointee.incoming
        // Nor does one that was forgotten, since its time was over, when a late packet begins it again.
        let generation = host.endpoint.rpcs.handle(of: slot).generation
        let name = "\(from) \(packet.peer) \(id) slot \(slot) \(generation)"
        // With a probe the last grant is repeated, which may be lost.
        if grant.offset < lastGrants[name, default: 0] { grantViolations.append("\(name): less than the last") }
        lastGrants[name] = grant.offset
        if grant.offset > message.length { grantViolations.append("\(name): beyond the message") }
        let tuning = host.endpoint.tuning
        let incoming = max(tuning.maximumIncoming, host.incomingLimitHighWater)
        let most =
            max(tuning.window(active: 1, incoming: incoming), Int(tuning.unscheduledBytes) + Int(tuning.maximumSegment))
            + (tuning.fifoGrantFraction > 0 ? 3 * Int(tuning.fifoGrantIncrement) : 0)
        if Int(grant.offset) > Int(message.received) + most { grantViolations.append("\(name): too far ahead") }
    }

    func index(of address: PeerAddress) -> Int? { hosts.firstIndex { $0.address == address } }

    /// Runs until nothing is left to do, or until `limit`.
    func run(until limit: Instant = Instant(nanoseconds: 60_000_000_000)) throws {
        while let next = nextTime(), next <= limit { try step(to: next) }
        now = max(now, min(limit, nextTime() ?? limit))
    }

    private func nextTime() -> Instant? {
        var best = flightTimes.firstKey ?? .max
        for (index, host) in hosts.enumerated() where !dead.contains(index) {
            best = min(best, host.endpoint.nextDeadline?.nanoseconds ?? .max)
        }
        for entry in tasks { best = min(best, entry.time) }
        return best == .max ? nil : max(now, Instant(nanoseconds: best))
    }

    private func step(to time: Instant) throws {
        now = time
        while let due = flightTimes.firstKey, due <= now.nanoseconds, let slot = flightTimes.popFirst() {
            let flight = flights.removeValue(forKey: UInt64(slot))!
            freeFlights.append(UInt64(slot))
            deliver(flight)
        }
        let due = tasks.filter { $0.time <= now.nanoseconds }
        tasks.removeAll { $0.time <= now.nanoseconds }
        for entry in due { try perform(entry.task) }
        for host in hosts.indices where !dead.contains(host) {
            if let deadline = hosts[host].endpoint.nextDeadline, deadline <= now {
                hosts[host].endpoint.expireTimers(at: now)
            }
            drain(host)
        }
    }

    private func deliver(_ flight: Flight) {
        guard let host = index(of: flight.to), !dead.contains(host) else { return }
        flight.bytes.withUnsafeBytes { bytes in
            guard let header = try? PacketHeader(parsing: RawSpan(_unsafeBytes: bytes)) else {
                parseErrors += 1
                return
            }
            log?.append("\(now.nanoseconds / 1000) \(flight.from)→\(flight.to) \(header)")
            if case .store(let placement) = hosts[host].endpoint.receive(header, from: flight.from, at: now) {
                hosts[host].store(placement, UnsafeRawBufferPointer(rebasing: bytes[DataFields.byteCount...]))
            }
        }
        drain(host)
    }

    private func perform(_ task: Task) throws {
        switch task {
        case .respond(let host, let rpc, let key, let length):
            _ = try hosts[host].respond(rpc, key: key, length: length, at: now)
        case .release(let host, let lease, let length, let key):
            try hosts[host].checkAndRelease(lease, length: length, key: key)
            hosts[host].endpoint.buffersReturned(at: now)
        }
    }

    func drain(_ host: Int) {
        var again = true
        while again {
            again = false
            // What a grant kept to; the message that it completes may have been the one that the limit followed.
            hosts[host].incomingLimitHighWater = max(
                hosts[host].incomingLimitHighWater, hosts[host].endpoint.granter.limits.incoming)
            while let packet = hosts[host].endpoint.nextPacket(at: now) {
                again = true
                send(packet, from: hosts[host].address)
            }
            while let event = hosts[host].endpoint.nextEvent() {
                again = true
                handle(event, host)
            }
        }
        hosts[host].incomingHighWater = max(hosts[host].incomingHighWater, hosts[host].endpoint.incomingBytes)
        drains += 1
        // All of it after every step would take most of the tests' time.
        if drains % 256 == 0 { hosts[host].endpoint.checkInvariants() }
    }

    private var drains = 0

    private func send(_ packet: OutgoingPacket, from: PeerAddress) {
        packetsSent += 1
        if case .grant(let grant) = packet.header.body { check(grant, packet, from: from) }
        if packet.payloadLength > 0, !packet.header.common.senderID.isServerSide {
            keys["\(from) \(packet.header.common.senderID)"] = hosts[index(of: from)!].cookies[packet.payload]
        }
        guard filter(packet.header, from, packet.peer) else { return }
        var bytes = [UInt8](repeating: 0, count: packet.header.byteCount + packet.payloadLength)
        bytes.withUnsafeMutableBytes { buffer in
            packet.header.write(into: buffer)
            if packet.payloadLength > 0 {
                let source = UnsafeRawPointer(bitPattern: UInt(packet.payload))! + packet.payloadOffset
                (buffer.baseAddress! + packet.header.byteCount).copyMemory(
                    from: source, byteCount: packet.payloadLength)
            }
        }
        if kernelHosts.contains(from) || kernelHosts.contains(packet.peer) {
            if !packet.header.common.extensions.marks.isEmpty { marksForKernels += 1 }
            for byte in [4, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17] { bytes[byte] = 0 }
            if packet.payloadLength > 0 { for byte in 49...51 { bytes[byte] = 0 } }
        }
        if packet.payloadLength > 0 { records?.append((bytes, from, packet.peer)) }
        if random.nextUnit() < faults.loss, !spare(packet.header, from, packet.peer) { return }
        launch(bytes, from: from, to: packet.peer)
        if random.nextUnit() < faults.duplication { launch(bytes, from: from, to: packet.peer) }
    }

    func launch(_ bytes: [UInt8], from: PeerAddress, to: PeerAddress) {
        if let pathBytes, bytes.count > pathBytes {
            if isBlackHole { return }
            let sender = index(of: from)!
            hosts[sender].endpoint.setMaximumPacket(bytes: pathBytes, for: to)
            return
        }
        var time = now.nanoseconds + faults.delay
        if let linkRate {
            let start = max(now.nanoseconds, linkFree[to] ?? 0)
            guard start - now.nanoseconds <= linkRate.nanoseconds(forBytes: queueLimit) else { return }
            linkFree[to] = start + linkRate.nanoseconds(forBytes: max(84, bytes.count + 66))
            time = linkFree[to]! + faults.delay
        }
        if faults.jitter > 0 { time += UInt64.random(in: 0...faults.jitter, using: &random) }
        if random.nextUnit() < faults.lateness { time += faults.longDelay }
        sequence += 1
        let slot = freeFlights.popLast() ?? nextFlight
        if slot == nextFlight { nextFlight += 1 }
        flights[slot] = Flight(time: time, sequence: sequence, from: from, to: to, bytes: bytes)
        flightTimes.set(UInt32(slot), key: time, tie: sequence)
    }

    private func handle(_ event: EndpointEvent, _ index: Int) {
        let host = hosts[index]
        switch event {
        case .requestArrived(let request):
            let name = "\(request.client) \(request.id.clientSide)"
            host.executions[name, default: 0] += 1
            let key = keys[name] ?? 0
            later(holdTime, .release(host: index, lease: request.lease, length: request.length, key: key))
            guard let length = responseLength(request.length) else {
                host.endpoint.decline(request.rpc, at: now)
                return
            }
            let delay = serviceTime == 0 ? 0 : UInt64.random(in: 0...serviceTime, using: &random)
            later(delay, .respond(host: index, rpc: request.rpc, key: key + 1, length: length))
        case .responseArrived(_, let cookie, let lease, let length, let isFailure):
            host.responses[cookie, default: 0] += 1
            if isFailure { host.failedAnswers.insert(cookie) }
            host.order.append(cookie)
            later(holdTime, .release(host: index, lease: lease, length: length, key: cookie + 1))
        case .callFailed(_, let cookie, let failure):
            precondition(host.failures[cookie] == nil, "a call failed twice")
            host.failures[cookie] = failure
        case .messageArrived(let message):
            let name = "\(message.client) \(message.id.clientSide)"
            host.deliveries[name, default: 0] += 1
            later(holdTime, .release(host: index, lease: message.lease, length: message.length, key: keys[name] ?? 0))
        case .messageSent(_, let cookie):
            host.completions[cookie, default: 0] += 1
        case .payloadReleased(let token):
            host.payloadReleased(token)
        case .requestAbandoned:
            host.abandoned += 1
        case .pathWanted:
            break
        }
    }

    private func later(_ delay: UInt64, _ task: Task) {
        tasks.append((now.nanoseconds + delay, task))
    }
}
