// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaCore
import HomaWire

/// What a Homa packet carries beside what the network knows of it.
struct HomaPacketFields: BitwiseCopyable {
    var header: PacketHeader
    /// The message it is about, for the simulator's books alone; meaningless in control packets.
    var token: UInt64
}

/// Hosts that run `HomaCore.Endpoint`, exactly as real nodes do; only packets have no payload and memory is unlimited.
struct HomaTransport: ~Copyable {
    private static let serverPort: UInt16 = 99
    private static let clientPort = HomaLimits.firstClientPort
    private static let firstRPC: UInt64 = 2

    let hosts: Int
    private let endpoints: UnsafeMutablePointer<Endpoint>
    private let waiting: UnsafeMutablePointer<WaitingMessages>
    private let packets: PacketStore
    private let messages: MessageLedger
    /// The packet that an endpoint has just given out.
    private let outgoing: UnsafeMutablePointer<OutgoingPacket>
    private let wire: WireSizes
    private let unscheduledBytes: Int
    private let isOneWay: Bool
    private let answersItself: Bool
    /// By message: the request that is to be answered.
    private var unanswered: [RPCHandle?] = []
    private var deferred: UInt64 = 0
    /// True while the protocol core is at work, for whoever samples where time goes.
    private let isInCore: UnsafeMutablePointer<Bool>

    init(
        _ scenario: Scenario, _ homa: HomaTransportConfiguration, packets: PacketStore, messages: MessageLedger
    ) {
        hosts = scenario.topology.hostCount
        self.packets = packets
        self.messages = messages
        isOneWay = scenario.traffic.mode == .oneWay
        answersItself = Self.answersItself(scenario.topology)
        let settings = HomaHostSettings.endpoint(for: scenario, homa)
        wire = settings.wireSizes
        unscheduledBytes = settings.unscheduledBytes
        isInCore = .allocate(capacity: 1)
        isInCore.initialize(to: false)
        endpoints = .allocate(capacity: hosts)
        waiting = .allocate(capacity: hosts)
        outgoing = .allocate(capacity: 1)
        var seeds = SeededRandom(seed: scenario.seed ^ 0x686F_6D61)
        for host in 0..<hosts {
            do {
                var endpoint = try Endpoint(
                    configuration: settings, pool: nil, seed: seeds.next(), firstRPC: RPCID(rawValue: Self.firstRPC),
                    life: HostLife(seed: UInt64(host)), at: .zero)
                try endpoint.openPort(Self.serverPort)
                (endpoints + host).initialize(to: endpoint)
            } catch {
                preconditionFailure("a validated scenario made an endpoint fail: \(error)")
            }
            (waiting + host).initialize(to: WaitingMessages())
        }
    }

    deinit {
        endpoints.deinitialize(count: hosts)
        endpoints.deallocate()
        isInCore.deallocate()
        waiting.deinitialize(count: hosts)
        waiting.deallocate()
        outgoing.deallocate()
    }

    /// Requests are answered as soon as they are complete, not when the application has them.
    static func answersItself(_ topology: TopologyConfiguration) -> Bool {
        topology.hostCopyRate == nil || topology.hostCopies == .packets
    }

    private static func address(_ host: UInt16) -> PeerAddress {
        PeerAddress(ipv4: 0x0A00_0000 | UInt32(host), port: 4000)
    }

    private static func host(_ address: PeerAddress) -> UInt16 { UInt16(truncatingIfNeeded: address.low) }

    // MARK: What a transport provides

    mutating func start(_ message: UInt32, at now: UInt64) {
        if !answersItself, messages.at(message).pointee.isAnswering { return answer(message, at: now) }
        let host = Int(messages.at(message).pointee.source)
        if !waiting[host].isEmpty || !call(message, host, at: now) {
            waiting[host].append(message)
            deferred += 1
        }
    }

    private mutating func call(_ message: UInt32, _ host: Int, at now: UInt64) -> Bool {
        let token = messages.token(message)
        let record = messages.at(message)
        let request = CallRequest(
            destination: Self.address(record.pointee.destination), serverPort: Self.serverPort,
            clientPort: Self.clientPort, length: Int(record.pointee.bytes), payload: token, cookie: token)
        let instant = SimulatedTime(picoseconds: now).instant
        isInCore.pointee = true
        defer { isInCore.pointee = false }
        do {
            if isOneWay {
                _ = try endpoints[host].send(request, at: instant)
            } else {
                _ = try endpoints[host].call(request, at: instant)
            }
        } catch .tooManyRPCs {
            return false
        } catch {
            preconditionFailure("an endpoint refused a message that the scenario allows: \(error)")
        }
        return true
    }

    mutating func receive(_ index: UInt32, at host: UInt16, now: UInt64) {
        let packet = packets.at(index)
        let source = Self.address(packet.pointee.source)
        let extra = packets.extra(index, as: HomaPacketFields.self)
        let instant = SimulatedTime(picoseconds: now).instant
        isInCore.pointee = true
        _ = endpoints[Int(host)].receive(extra.pointee.header, from: source, at: instant)
        isInCore.pointee = false
        let token = extra.pointee.token
        packets.give(index)
        takeEvents(host, token, at: now)
    }

    /// The packet that the host's network card is to send now, or `Packet.none`.
    mutating func nextPacket(_ host: UInt16, at time: UInt64) -> UInt32 {
        let instant = SimulatedTime(picoseconds: time).instant
        isInCore.pointee = true
        let hasPacket = endpoints[Int(host)].nextPacket(at: instant, into: outgoing)
        isInCore.pointee = false
        guard hasPacket else { return Packet.none }
        let (kind, isNew) = kind()
        let index = packets.take(
            Packet(
                source: host, destination: Self.host(outgoing.pointee.peer), wireBytes: UInt32(wireBytes()),
                message: MessageLedger.index(outgoing.pointee.payload),
                flow: UInt32(truncatingIfNeeded: outgoing.pointee.header.common.senderID.rawValue >> 1),
                payloadBytes: UInt32(outgoing.pointee.payloadLength), priority: outgoing.pointee.priority,
                marks: kind == .unscheduled ? [.droppable] : [], kind: kind))
        packets.extra(index, as: HomaPacketFields.self).initialize(
            to: HomaPacketFields(header: outgoing.pointee.header, token: outgoing.pointee.payload))
        if isNew { messages.sent(outgoing.pointee.payload, bytes: UInt32(outgoing.pointee.payloadLength)) }
        // A message may have been the last word about itself: then its record in the endpoint is free for another.
        if isOneWay, isNew, endsMessage() { takeEvents(host, Self.noToken, at: time) }
        return index
    }

    /// Of the packet in `outgoing`: what it counts as, and whether its bytes are sent for the first time.
    @inline(__always)
    private mutating func kind() -> (PacketKind, isNew: Bool) {
        switch outgoing.pointee.header.body {
        case .data(let data):
            if data.payloadLength == 0 { return (.probe, false) }
            if data.isRetransmission { return (.resent, false) }
            return (Int(data.offset) < unscheduledBytes ? .unscheduled : .scheduled, true)
        case .grant: return (.grant, false)
        case .resend: return (.resendRequest, false)
        case .ack, .needAck: return (.acknowledgement, false)
        default: return (.other, false)
        }
    }

    @inline(__always)
    private mutating func endsMessage() -> Bool {
        guard case .data(let data) = outgoing.pointee.header.body else { return false }
        return data.offset + data.payloadLength == data.messageLength
    }

    @inline(__always)
    private mutating func wireBytes() -> Int {
        outgoing.pointee.payloadLength > 0
            ? wire.data(payload: outgoing.pointee.payloadLength)
            : wire.control(outgoing.pointee.header.common.type)
    }

    mutating func expireTimers(_ host: UInt16, at now: UInt64) {
        isInCore.pointee = true
        endpoints[Int(host)].expireTimers(at: SimulatedTime(picoseconds: now).instant)
        isInCore.pointee = false
        takeEvents(host, Self.noToken, at: now)
    }

    /// When `expireTimers` is wanted next, in picoseconds; `UInt64.max` for never.
    @inline(__always)
    mutating func deadline(_ host: UInt16) -> UInt64 {
        guard let deadline = endpoints[Int(host)].nextDeadline else { return .max }
        return deadline.nanoseconds > .max / 1000 ? .max : deadline.nanoseconds * 1000
    }

    /// - Parameter token: of the packet that has just come in; it completes what the events say has arrived.
    private mutating func takeEvents(_ host: UInt16, _ token: UInt64, at now: UInt64) {
        while let event = endpoints[Int(host)].nextEvent() {
            switch event {
            case .messageArrived: messages.delivered(token)
            case .requestArrived(let request): requestArrived(request, token, at: host, now: now)
            case .responseArrived(_, let cookie, _, _, _):
                messages.delivered(cookie)
                retry(Int(host), at: now)
            case .callFailed(_, let cookie, _):
                messages.failed(cookie)
                retry(Int(host), at: now)
            case .messageSent: retry(Int(host), at: now)
            case .payloadReleased, .requestAbandoned, .pathWanted: break
            }
        }
    }

    private mutating func requestArrived(_ request: ArrivedRequest, _ token: UInt64, at host: UInt16, now: UInt64) {
        let instant = SimulatedTime(picoseconds: now).instant
        // The client may have given up.
        guard messages.isCurrent(token) else { return endpoints[Int(host)].decline(request.rpc, at: instant) }
        // A one-way message to a host that was not known to understand it: any answer will do, and is no message.
        let length = isOneWay ? 1 : Int(messages.at(MessageLedger.index(token)).pointee.responseBytes)
        messages.delivered(token)
        guard answersItself || isOneWay else { return keep(request.rpc, of: MessageLedger.index(token)) }
        respond(to: request.rpc, length: length, payload: isOneWay ? Self.noToken : token, of: Int(host), at: instant)
    }

    private mutating func respond(
        to request: RPCHandle, length: Int, payload: UInt64, of host: Int, at instant: Instant
    ) {
        do {
            // False when the client has given up meanwhile; it says so itself.
            _ = try endpoints[host].respond(to: request, length: length, payload: payload, at: instant)
        } catch {
            preconditionFailure("an endpoint refused a response that the scenario allows: \(error)")
        }
    }

    private mutating func keep(_ request: RPCHandle, of message: UInt32) {
        while unanswered.count <= Int(message) { unanswered.append(nil) }
        unanswered[Int(message)] = request
    }

    /// The application has the request: the response begins.
    private mutating func answer(_ message: UInt32, at now: UInt64) {
        let record = messages.at(message).pointee
        guard let request = unanswered[Int(message)] else { preconditionFailure("no request is there to be answered") }
        unanswered[Int(message)] = nil
        respond(
            to: request, length: Int(record.responseBytes), payload: messages.token(message),
            of: Int(record.destination), at: SimulatedTime(picoseconds: now).instant)
    }

    /// A token that no message has.
    private static let noToken = UInt64.max

    private mutating func retry(_ host: Int, at now: UInt64) {
        while let message = waiting[host].first, call(message, host, at: now) { waiting[host].removeFirst() }
    }

    // MARK: Figures

    mutating func coreFlag() -> UnsafePointer<Bool> { UnsafePointer(isInCore) }

    mutating func statistics() -> HomaHostStatistics {
        var sum = HomaHostStatistics()
        for host in 0..<hosts {
            let one = endpoints[host].statistics
            sum.grantsSent += one.sent(.grant)
            sum.resendRequestsSent += one.sent(.resend)
            sum.packetsRetransmitted += one.packetsRetransmitted
            sum.bytesRetransmitted += one.bytesRetransmitted
            sum.busySent += one.sent(.busy)
            sum.acksSent += one.sent(.ack)
            sum.cutoffsSent += one.sent(.cutoffs)
            sum.unknownSent += one.sent(.rpcUnknown)
            sum.callsFailed += one.callsFailed
            sum.probesSent += one.probesSent
            sum.bytesFoundLost += one.bytesFoundLost
            for reason in one.drops.indices { sum.packetsRefused += one.drops[reason] }
        }
        sum.messagesDeferred = deferred
        return sum
    }
}

/// Messages that their sender's endpoint has no room for yet, first come first served.
private struct WaitingMessages {
    private var messages: [UInt32] = []
    private var served = 0

    var isEmpty: Bool { served == messages.count }

    var first: UInt32? { isEmpty ? nil : messages[served] }

    mutating func append(_ message: UInt32) { messages.append(message) }

    mutating func removeFirst() {
        served += 1
        guard served > 1024, served * 2 > messages.count else { return }
        messages.removeFirst(served)
        served = 0
    }
}
