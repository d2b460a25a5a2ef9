// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWire

/// Hosts that run `HomaCore.Endpoint`, exactly as real nodes do; only packets have no payload and memory is unlimited.
struct HomaTransport: ~Copyable {
    private static let serverPort: UInt16 = 99
    private static let clientPort = HomaLimits.firstClientPort
    private static let firstRPC: UInt64 = 2
    /// Marks the token of a response, above the message's number.
    private static let responseMark: UInt64 = 1 << 32

    let hosts: Int
    private let endpoints: UnsafeMutablePointer<Endpoint>
    private let calls: UnsafeMutablePointer<CallNumbers>
    private let waiting: UnsafeMutablePointer<[UInt32]>
    private let packets: PacketStore
    private let messages: MessageLedger
    private let wire: WireSizes
    private let unscheduledBytes: Int
    private let isOneWay: Bool
    private var deferred: UInt64 = 0

    init(
        _ scenario: Scenario, _ homa: HomaTransportConfiguration, packets: PacketStore, messages: MessageLedger
    ) {
        hosts = scenario.topology.hostCount
        self.packets = packets
        self.messages = messages
        isOneWay = scenario.traffic.mode == .oneWay
        let settings = HomaHostSettings.endpoint(for: scenario, homa)
        wire = settings.wireSizes
        unscheduledBytes = settings.unscheduledBytes
        endpoints = .allocate(capacity: hosts)
        calls = .allocate(capacity: hosts)
        waiting = .allocate(capacity: hosts)
        var seeds = SeededRandom(seed: scenario.seed ^ 0x686F_6D61)
        for host in 0..<hosts {
            do {
                var endpoint = try Endpoint(
                    configuration: settings, pool: nil, seed: seeds.next(), firstRPC: RPCID(rawValue: Self.firstRPC),
                    incarnation: 1, at: .zero)
                try endpoint.openPort(Self.serverPort)
                (endpoints + host).initialize(to: endpoint)
            } catch {
                preconditionFailure("a validated scenario made an endpoint fail: \(error)")
            }
            (calls + host).initialize(to: CallNumbers())
            (waiting + host).initialize(to: [])
        }
    }

    deinit {
        endpoints.deinitialize(count: hosts)
        endpoints.deallocate()
        for host in 0..<hosts { calls[host].destroy() }
        calls.deallocate()
        waiting.deinitialize(count: hosts)
        waiting.deallocate()
    }

    private static func address(_ host: UInt16) -> PeerAddress {
        PeerAddress(ipv4: 0x0A00_0000 | UInt32(host), port: 4000)
    }

    private static func host(_ address: PeerAddress) -> UInt16 { UInt16(truncatingIfNeeded: address.low) }

    // MARK: What a transport provides

    mutating func start(_ message: UInt32, at now: UInt64) {
        let host = Int(messages.at(message).pointee.source)
        if !waiting[host].isEmpty || !call(message, host, at: now) {
            waiting[host].append(message)
            deferred += 1
        }
    }

    private mutating func call(_ message: UInt32, _ host: Int, at now: UInt64) -> Bool {
        let record = messages.at(message)
        let request = CallRequest(
            destination: Self.address(record.pointee.destination), serverPort: Self.serverPort,
            clientPort: Self.clientPort, length: Int(record.pointee.bytes), payload: UInt64(message),
            cookie: calls[host].following << 32 | UInt64(message))
        do {
            _ = try endpoints[host].call(request, at: SimulatedTime(picoseconds: now).instant)
        } catch .tooManyRPCs {
            return false
        } catch {
            preconditionFailure("an endpoint refused a message that the scenario allows: \(error)")
        }
        calls[host].add(message)
        return true
    }

    mutating func receive(_ index: UInt32, at host: UInt16, now: UInt64) {
        let packet = packets.at(index)
        let source = Self.address(packet.pointee.source)
        let header = packets.extra(index, as: PacketHeader.self)
        let instant = SimulatedTime(picoseconds: now).instant
        _ = endpoints[Int(host)].receive(header.pointee, from: source, at: instant)
        packets.give(index)
        takeEvents(host, at: now)
    }

    /// The packet that the host's network card is to send now, or `Packet.none`.
    mutating func nextPacket(_ host: UInt16, at now: UInt64) -> UInt32 {
        let instant = SimulatedTime(picoseconds: now).instant
        guard let outgoing = endpoints[Int(host)].nextPacket(at: instant) else { return Packet.none }
        let message = UInt32(truncatingIfNeeded: outgoing.payload)
        let (kind, isNew) = kind(outgoing)
        let index = packets.take(
            Packet(
                source: host, destination: Self.host(outgoing.peer), wireBytes: UInt32(wire.bytes(of: outgoing)),
                message: message, flow: UInt32(truncatingIfNeeded: outgoing.header.common.senderID.rawValue >> 1),
                payloadBytes: UInt32(outgoing.payloadLength), priority: outgoing.priority,
                marks: kind == .unscheduled ? [.droppable] : [], kind: kind))
        packets.extra(index, as: PacketHeader.self).initialize(to: outgoing.header)
        if isNew, outgoing.payload & Self.responseMark == 0 || !isOneWay {
            messages.sent(message, bytes: UInt32(outgoing.payloadLength))
        }
        return index
    }

    private func kind(_ packet: OutgoingPacket) -> (PacketKind, isNew: Bool) {
        switch packet.header.body {
        case .data(let data):
            if data.isRetransmission { return (.resent, false) }
            return (Int(data.offset) < unscheduledBytes ? .unscheduled : .scheduled, true)
        case .grant: return (.grant, false)
        case .resend: return (.resendRequest, false)
        case .ack, .needAck: return (.acknowledgement, false)
        default: return (.other, false)
        }
    }

    mutating func expireTimers(_ host: UInt16, at now: UInt64) {
        endpoints[Int(host)].expireTimers(at: SimulatedTime(picoseconds: now).instant)
        takeEvents(host, at: now)
    }

    /// When `expireTimers` is wanted next, in picoseconds; `UInt64.max` for never.
    @inline(__always)
    mutating func deadline(_ host: UInt16) -> UInt64 {
        guard let deadline = endpoints[Int(host)].nextDeadline else { return .max }
        return deadline.nanoseconds > .max / 1000 ? .max : deadline.nanoseconds * 1000
    }

    private mutating func takeEvents(_ host: UInt16, at now: UInt64) {
        while let event = endpoints[Int(host)].nextEvent() {
            switch event {
            case .requestArrived(let request): requestArrived(request, at: host, now: now)
            case .responseArrived(_, let cookie, _, _):
                if !isOneWay { messages.delivered(UInt32(truncatingIfNeeded: cookie)) }
                retry(Int(host), at: now)
            case .callFailed(_, let cookie, _):
                let neverArrived = calls[Int(host)].cancel(cookie >> 32)
                if neverArrived || !isOneWay { messages.failed(UInt32(truncatingIfNeeded: cookie)) }
                retry(Int(host), at: now)
            case .payloadReleased, .requestAbandoned, .peerAdded: break
            }
        }
    }

    private mutating func requestArrived(_ request: ArrivedRequest, at host: UInt16, now: UInt64) {
        let client = Int(Self.host(request.client))
        let number = (request.id.clientSide.rawValue - Self.firstRPC) / 2
        guard let message = calls[client].take(number) else {
            // The client has given up.
            return endpoints[Int(host)].decline(request.rpc, at: SimulatedTime(picoseconds: now).instant)
        }
        let length = isOneWay ? 1 : Int(messages.at(message).pointee.responseBytes)
        messages.delivered(message)
        do {
            _ = try endpoints[Int(host)].respond(
                to: request.rpc, length: length, payload: Self.responseMark | UInt64(message),
                at: SimulatedTime(picoseconds: now).instant)
        } catch {
            preconditionFailure("an endpoint refused a response that the scenario allows: \(error)")
        }
    }

    private mutating func retry(_ host: Int, at now: UInt64) {
        while let message = waiting[host].first, call(message, host, at: now) { waiting[host].removeFirst() }
    }

    // MARK: Figures

    mutating func statistics() -> HomaHostStatistics {
        var sum = HomaHostStatistics()
        for host in 0..<hosts {
            let one = endpoints[host].statistics
            sum.grantsSent += one.sent(.grant)
            sum.resendRequestsSent += one.sent(.resend)
            sum.packetsResent += one.packetsResent
            sum.bytesResent += one.bytesResent
            sum.busySent += one.sent(.busy)
            sum.acksSent += one.sent(.ack)
            sum.cutoffsSent += one.sent(.cutoffs)
            sum.unknownSent += one.sent(.rpcUnknown)
            sum.callsFailed += one.callsFailed
            for reason in one.drops.indices { sum.packetsRefused += one.drops[reason] }
        }
        sum.messagesDeferred = deferred
        return sum
    }
}

/// Which message each call of a host is about: call numbers are consecutive, and those in use lie close together.
struct CallNumbers: BitwiseCopyable {
    private struct Entry: BitwiseCopyable {
        var number: UInt64
        var message: UInt32
        var isUsed: Bool
    }

    private var entries: UnsafeMutablePointer<Entry>
    private var capacity = 256
    private var next: UInt64 = 0

    init() {
        entries = .allocate(capacity: 256)
        entries.initialize(repeating: Entry(number: 0, message: 0, isUsed: false), count: 256)
    }

    func destroy() { entries.deallocate() }

    /// Notes the message of the next call.
    mutating func add(_ message: UInt32) {
        while entries[Int(next) & (capacity - 1)].isUsed { grow() }
        entries[Int(next) & (capacity - 1)] = Entry(number: next, message: message, isUsed: true)
        next += 1
    }

    /// The number that the next call will have.
    var following: UInt64 { next }

    /// The message of a call that has arrived; nil when it was cancelled.
    mutating func take(_ number: UInt64) -> UInt32? {
        let entry = entries + (Int(number) & (capacity - 1))
        guard entry.pointee.isUsed, entry.pointee.number == number else { return nil }
        entry.pointee.isUsed = false
        return entry.pointee.message
    }

    /// Forgets a call; false when it has arrived.
    mutating func cancel(_ number: UInt64) -> Bool { take(number) != nil }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: capacity * 2)
        larger.initialize(repeating: Entry(number: 0, message: 0, isUsed: false), count: capacity * 2)
        for index in 0..<capacity where entries[index].isUsed {
            larger[Int(entries[index].number) & (capacity * 2 - 1)] = entries[index]
        }
        entries.deallocate()
        entries = larger
        capacity *= 2
    }
}
