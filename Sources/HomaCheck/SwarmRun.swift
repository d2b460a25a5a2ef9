// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
@_spi(Testing) import HomaCore
import HomaWire

/// What a sender hears about a packet of its own.
struct Notice {
    var host: Int
    var life: Int
    var peer: PeerAddress
    var id: UInt64
    /// Longest packet that its way carries; 0: nobody is there.
    var limit: Int
    /// Where a DATA packet began in its message.
    var offset: UInt32?
}

/// A call or one-way message, and what became of it.
struct CallRecord {
    var operation: SwarmPlan.Operation
    /// Begun after the network healed, to see whether the hosts still serve.
    var isProbe = false
    var clientLife = 0
    var shard = 0
    var handle = RPCHandle(slot: 0, generation: 0)
    var id: UInt64 = 0
    var begun: UInt64 = 0
    /// On the client's clock.
    var deadline: Instant?
    var isOpen = false
    var ends = 0
    var failure: RPCFailure?
    var deliveries = 0
    /// The life of the server in which it was delivered last.
    var deliveredLife = 0

    func key(isAnswer: Bool, _ index: Int) -> Int { 2 * index + (isAnswer ? 3 : 2) }
}

/// One run of a seed: hosts, network, applications and faults on one clock, and the judge over all of them.
final class SwarmRun {
    enum Task {
        case respond(host: Int, life: Int, shard: Int, rpc: RPCHandle, call: Int?, length: Int?)
        case release(host: Int, life: Int, shard: Int, lease: BufferLease, length: Int, key: Int?)
        case abort(call: Int)
        /// The end of a host that has drained.
        case stop(host: Int, life: Int, incident: Int)
    }

    struct IDKey: Hashable {
        var host: Int
        var id: UInt64
    }

    /// Bytes handed to an endpoint, by token.
    struct Payload {
        var key: Int
        var length: Int
        var host: Int
        var life: Int
        var isHeld: Bool
    }

    let plan: SwarmPlan
    let settings: SwarmSettings
    var now: UInt64 = 0
    var hosts: [SwarmHost] = []
    var queue = EventQueue()
    var trace = SwarmTrace()
    var random: SeededRandom
    var flights: [Flight] = []
    var freeFlights: [Int] = []
    var ways: [[SwarmWay]]
    /// Where packets to an address arrive, and whose it is or was.
    var current: [PeerAddress: Int] = [:]
    var owners: [PeerAddress: Int] = [:]
    var strangerNumbers: [PeerAddress: Int] = [:]
    var strangerAddresses: [PeerAddress] = []
    var traffic: [StrangerTraffic] = []
    var forges: [PacketForge] = []
    var notices: [Notice] = []
    var tasks: [Task?] = []
    var freeTasks: [Int] = []
    var calls: [CallRecord] = []
    private var rounds = 0
    var numbers: [IDKey: Int] = [:]
    var payloads: [Payload] = []
    var open = 0
    var isHealed = false
    /// What had been sent by then over slow links.
    var dataBeforeHealing: (all: UInt64, again: UInt64)?
    var violation: Violation?
    var packets = 0
    var lost = 0
    var events = 0
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: 1 << 17, alignment: 64)
    private var phaseEnd: UInt64 = 0

    init(_ plan: SwarmPlan, _ settings: SwarmSettings) throws {
        self.plan = plan
        self.settings = settings
        random = Seeds.stream(plan.seed, 4)
        ways = Array(repeating: Array(repeating: SwarmWay(), count: plan.hosts.count), count: plan.hosts.count)
        for (index, host) in plan.hosts.enumerated() {
            let host = try SwarmHost(index, host, seed: plan.seed, plant: settings.plant)
            hosts.append(host)
            current[host.address] = index
            owners[host.address] = index
        }
        for (index, operation) in plan.operations.enumerated() { queue.push(.operation, index, at: operation.time) }
        for (index, incident) in plan.incidents.enumerated() { queue.push(.incident, index, at: incident.time) }
        invite()
        queue.push(.heal, 0, at: plan.length)
    }

    deinit {
        while let entry = queue.pop() {
            if entry.kind == .arrival { flights[Int(entry.index)].bytes.deallocate() }
        }
        scratch.deallocate()
    }

    /// The strangers, and when they speak.
    private func invite() {
        for number in 0..<plan.strangers {
            let address = PeerAddress(ipv4: 0x0900_0000 + UInt32(number), port: 4000)
            strangerAddresses.append(address)
            strangerNumbers[address] = number
            traffic.append(StrangerTraffic())
            forges.append(PacketForge(seed: plan.seed &+ UInt64(number) &* 7919))
        }
        forges.append(PacketForge(seed: plan.seed ^ 0xF0F0))
        for number in 0..<plan.strangerPackets where plan.strangers > 0 {
            queue.push(.stranger, number % plan.strangers, at: UInt64.random(in: 0..<plan.length, using: &random))
        }
        for _ in 0..<plan.forgedPackets {
            queue.push(.forgery, 0, at: UInt64.random(in: 0..<plan.length, using: &random))
        }
    }

    // MARK: Time

    /// Runs until everything is at rest, or a rule is broken.
    func run() {
        phaseEnd = plan.length + plan.settleLimit
        var isProbing = false
        while violation == nil {
            if isHealed, open == 0, isAtRest {
                if isProbing || settings.skipsProbes { return judgeRest() }
                isProbing = true
                probe()
                phaseEnd = now + plan.settleLimit
            }
            guard let time = queue.firstTime, time <= phaseEnd, events < settings.mostEvents else {
                return judgeStuck()
            }
            now = max(now, time)
            events += 1
            handle(queue.pop()!)
        }
    }

    private var isAtRest: Bool {
        for host in hosts {
            if host.isDown { return false }
            for shard in host.shards where shard.endpoint.rpcCount > 0 { return false }
        }
        return freeTasks.count == tasks.count
    }

    private func handle(_ entry: EventQueue.Entry) {
        let index = Int(entry.index)
        switch entry.kind {
        case .arrival: arrive(index)
        case .wake: if hosts[index].nextWake == entry.time { round(hosts[index]) }
        case .operation: begin(index, entry)
        case .task: perform(index)
        case .incident: happen(plan.incidents[index], index)
        case .incidentEnd: end(plan.incidents[index])
        case .stranger: strangerSpeaks(index)
        case .forgery: forgerSpeaks()
        case .notice: heed(notices[index])
        case .heal: heal()
        }
    }

    func wake(_ host: SwarmHost, at time: UInt64) {
        guard time < host.nextWake else { return }
        host.nextWake = time
        queue.push(.wake, host.index, at: time)
    }

    func later(_ task: Task, at time: UInt64) {
        let slot = freeTasks.popLast() ?? tasks.count
        if slot == tasks.count { tasks.append(nil) }
        tasks[slot] = task
        queue.push(.task, slot, at: time)
    }

    func post(_ notice: Notice, at time: UInt64) {
        notices.append(notice)
        queue.push(.notice, notices.count - 1, at: time)
    }

    func breach(_ rule: Rule, _ detail: String, rpc: UInt64 = 0) {
        guard violation == nil else { return }
        violation = Violation(rule: rule, seed: plan.seed, nanoseconds: now, rpc: rpc & ~1, detail: detail)
    }

    // MARK: Rounds

    /// What an engine does when it wakes.
    private func round(_ host: SwarmHost) {
        host.nextWake = .max
        guard !host.isDown else { return }
        guard host.pausedUntil <= now else { return wake(host, at: host.pausedUntil) }
        let local = host.local(now)
        if let problem = host.takeInbox(at: local, scratch, { arrived($0) }) { breach(.storesInside, problem) }
        host.applySummaries(at: local)
        for shard in host.shards {
            if let due = shard.endpoint.nextDeadline, due <= local { shard.endpoint.expireTimers(at: local) }
        }
        var hasMore = transmit(host, at: local)
        tell(host)
        if transmit(host, at: local) { hasMore = true }
        tell(host)
        host.publishSummaries()
        checkNextSteps(of: host)
        rounds += 1
        if settings.plant == nil, rounds % 512 == 0 { for shard in host.shards { shard.endpoint.checkInvariants() } }
        // A driver whose socket is full waits until there is room again, whatever is due.
        if hasMore { return wake(host, at: now + (isFull(host) ? 500_000 : 1_000)) }
        if let deadline = host.deadline(after: now) { wake(host, at: max(now + 1, deadline)) }
    }

    private func arrived(_ flight: Flight) {
        trace.note(.arrived, at: now, host: flight.to, other: owners[flight.from], packet: flight.buffer)
    }

    /// Sends what may leave. True when it stopped before there was no more.
    private func transmit(_ host: SwarmHost, at local: Instant) -> Bool {
        var budget = host.plan.packetsPerRound
        var bundle = Bundle()
        defer { flush(&bundle, from: host) }
        return withUnsafeTemporaryAllocation(of: OutgoingPacket.self, capacity: 1) { memory in
            let packet = memory.baseAddress!
            for shard in host.shards {
                while true {
                    guard budget > 0, !isFull(host) else { return true }
                    guard shard.endpoint.nextPacket(at: local, into: packet) else { break }
                    budget -= 1
                    put(packet, host, &bundle)
                    guard packet.pointee.payloadLength > 0, host.plan.sendsTrains, host.random.nextUnit() < 0.9 else {
                        continue
                    }
                    let most = min(budget, Int.random(in: 0...63, using: &host.random))
                    let count = shard.endpoint.continueTrain(after: packet, atMost: most, at: local)
                    budget -= count
                    follow(packet, count, host, &bundle)
                }
            }
            return false
        }
    }

    /// As a socket whose buffer is full.
    private func isFull(_ host: SwarmHost) -> Bool {
        host.uplinkFree > now && host.uplinkFree - now >= nanoseconds(300_000, at: rate(of: host.index))
    }

    /// Packets that will leave in one datagram.
    private struct Bundle {
        var bytes: [UInt8] = []
        var packets = 0
        var limit = 0
        var peer = PeerAddress(ipv4: 0, port: 0)
        var priority: UInt8 = 0
    }

    private func put(_ packet: UnsafeMutablePointer<OutgoingPacket>, _ host: SwarmHost, _ bundle: inout Bundle) {
        let count = packet.pointee.header.byteCount + packet.pointee.payloadLength
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 8)
        let header = packet.pointee.header.write(into: UnsafeMutableRawBufferPointer(start: bytes, count: count))
        if packet.pointee.payloadLength > 0 {
            copyPayload(packet, at: packet.pointee.payloadOffset, to: bytes + header, host)
        }
        let limit = Int(packet.pointee.bundleBytes)
        guard host.plan.bundles, limit >= PacketBundle.markByteCount + PacketBundle.lengthByteCount + count else {
            flush(&bundle, from: host)
            return launch(bytes, count, from: host, to: packet.pointee.peer)
        }
        let fits = bundle.bytes.count + PacketBundle.lengthByteCount + count <= min(limit, bundle.limit)
        if !fits || bundle.peer != packet.pointee.peer || bundle.priority != packet.pointee.priority {
            flush(&bundle, from: host)
            bundle = Bundle(
                bytes: [0, 0, 0, 1], limit: limit, peer: packet.pointee.peer, priority: packet.pointee.priority)
        }
        bundle.limit = min(limit, bundle.limit)
        bundle.bytes += [UInt8(count >> 8), UInt8(count & 255)]
        bundle.bytes += UnsafeRawBufferPointer(start: bytes, count: count)
        bundle.packets += 1
        bytes.deallocate()
    }

    private func flush(_ bundle: inout Bundle, from host: SwarmHost) {
        guard bundle.packets > 0 else { return }
        // One alone goes as it is.
        let skipped = bundle.packets == 1 ? PacketBundle.markByteCount + PacketBundle.lengthByteCount : 0
        let count = bundle.bytes.count - skipped
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 8)
        bundle.bytes.withUnsafeBytes { bytes.copyMemory(from: $0.baseAddress! + skipped, byteCount: count) }
        bundle.packets = 0
        launch(bytes, count, from: host, to: bundle.peer)
        bundle = Bundle()
    }

    /// The packets behind one that has just been sent, as the driver makes them.
    private func follow(
        _ packet: UnsafeMutablePointer<OutgoingPacket>, _ count: Int, _ host: SwarmHost, _ bundle: inout Bundle
    ) {
        guard count > 0 else { return }
        flush(&bundle, from: host)
        let header = DataFields.byteCount
        let length = packet.pointee.payloadLength
        for number in 1...count {
            let bytes = UnsafeMutableRawPointer.allocate(byteCount: header + length, alignment: 8)
            packet.pointee.header.write(into: UnsafeMutableRawBufferPointer(start: bytes, count: header))
            let offset = packet.pointee.payloadOffset + number * length
            PacketHeader.advance(bytes, to: UInt32(offset))
            copyPayload(packet, at: offset, to: bytes + header, host)
            launch(bytes, header + length, from: host, to: packet.pointee.peer)
        }
    }

    private func copyPayload(
        _ packet: UnsafeMutablePointer<OutgoingPacket>, at offset: Int, to place: UnsafeMutableRawPointer,
        _ host: SwarmHost
    ) {
        let id = packet.pointee.header.common.senderID
        let token = Int(truncatingIfNeeded: packet.pointee.payload)
        let length = packet.pointee.payloadLength
        guard token > 0, token <= payloads.count, payloads[token - 1].isHeld, payloads[token - 1].host == host.index,
            offset >= 0, offset + length <= payloads[token - 1].length
        else {
            place.initializeMemory(as: UInt8.self, repeating: 0, count: length)
            return breach(
                .payloadOnce, "host \(host.index) sends bytes \(offset)..<\(offset + length) of token \(token)",
                rpc: id.rawValue)
        }
        let payload = payloads[token - 1]
        place.copyMemory(from: Pattern.start(payload.key) + offset, byteCount: length)
        if !id.isServerSide, offset == 0, payload.key >= 2 {
            let call = payload.key / 2 - 1
            numbers[IDKey(host: host.index, id: id.rawValue)] = call
            calls[call].id = id.rawValue
        }
    }

    func token(key: Int, length: Int, _ host: SwarmHost) -> UInt64 {
        payloads.append(Payload(key: key, length: length, host: host.index, life: host.life, isHeld: true))
        return UInt64(payloads.count)
    }

    private func checkNextSteps(of host: SwarmHost) {
        for (number, shard) in host.shards.enumerated() where shard.endpoint.rpcCount > shard.inService.count {
            guard shard.endpoint.nextDeadline == nil else { continue }
            let waiting = shard.endpoint.allInformation(at: host.local(now)).first { $0.phase != .inService }
            breach(
                .nextStep, "host \(host.index) shard \(number): \(waiting.map(Self.text) ?? "none that shows")",
                rpc: waiting?.id.rawValue ?? 0)
        }
    }

    static func text(_ rpc: RPCInformation) -> String {
        "rpc \(rpc.id) \(rpc.phase.rawValue), sent \(rpc.sent) of \(rpc.sendLength) (granted \(rpc.sendGranted)), "
            + "received \(rpc.received) of \(rpc.receiveLength) (granted \(rpc.receiveGranted), \(rpc.gaps) gaps)"
            + (rpc.waitsForBuffers ? ", waits for buffers" : "") + ", \(rpc.ageNanoseconds / 1_000_000) ms old"
    }

    private func heed(_ notice: Notice) {
        let host = hosts[notice.host]
        guard !host.isDown, host.life == notice.life else { return }
        let local = host.local(now)
        for (number, shard) in host.shards.enumerated() {
            guard RPCID(rawValue: notice.id).shard(of: host.shards.count) == number else { continue }
            if notice.limit == 0 {
                shard.endpoint.unreachable(
                    notice.peer, because: Refusal(.portUnreachable, .final), offending: RPCID(rawValue: notice.id),
                    at: local)
            } else if let offset = notice.offset {
                shard.endpoint.packetRefused(
                    by: notice.peer, id: RPCID(rawValue: notice.id), offset: offset, longest: notice.limit, at: local)
            }
        }
        wake(host, at: now)
    }
}
