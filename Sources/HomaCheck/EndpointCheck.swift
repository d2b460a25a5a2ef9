// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCore
import HomaPosix
import HomaWire

/// One endpoint under every operation it has, in any order: stale handles, wrong lengths, ports that are open already,
/// packets that go on with what it said itself, and such with damaged bytes. Whatever comes, it neither stops the
/// program nor keeps anything when it is told to let go.
public struct EndpointCheck {
    public private(set) var operations = 0
    public private(set) var packets = 0
    public private(set) var lives = 0
    public private(set) var problem: String?
    private let seed: UInt64
    /// Operations of one endpoint before it is brought to rest and looked at.
    private static var operationsPerLife: Int { 4_096 }

    public init(seed: UInt64) { self.seed = seed }

    /// Does so many operations more, unless something was wrong.
    public mutating func run(_ count: Int) {
        let end = operations + count
        while operations < end, problem == nil {
            let life = seed &+ UInt64(lives)
            let most = min(Self.operationsPerLife, end - operations)
            let (packets, problem) = CrashNote.whileRunning("\(life)") { () -> (Int, String?) in
                do {
                    let subject = try Subject(seed: life)
                    subject.run(most)
                    return (subject.packets, subject.problem)
                } catch {
                    return (0, "an endpoint cannot be made: \(error)")
                }
            }
            operations += most
            lives += 1
            self.packets += packets
            self.problem = problem.map { "\($0); replay: homa check endpoint --operations \(most) --seed \(life)" }
        }
    }

    /// Does what the bytes say, for a fuzzer that chooses them by what they reach.
    public static func feed(_ bytes: UnsafeRawBufferPointer) {
        guard let subject = try? Subject(seed: bytes.count > 0 ? UInt64(bytes[0]) : 0) else { return }
        subject.follow(bytes)
        subject.bringToRest()
        if let problem = subject.problem { preconditionFailure(problem) }
    }

    /// One object.
    public var json: String {
        "{\"operations\":\(operations),\"seed\":\(seed),\"lives\":\(lives),\"packets\":\(packets),"
            + "\"broken\":\(problem == nil ? 0 : 1)" + (problem.map { ",\"problem\":\(Report.quoted($0))" } ?? "") + "}"
    }

    /// For a person.
    public var text: String {
        let sum = "\(operations) operations on \(lives) endpoints, \(packets) packets"
        return problem.map { "\(sum)\nbroken: \($0)" } ?? "\(sum); nothing stopped, and nothing was kept"
    }
}

/// An endpoint, and all that a driver and an application know of it.
private final class Subject {
    private let pool: BufferPool
    private let regionLength: Int
    private var endpoint: Endpoint
    private var random: SeededRandom
    private var forge: PacketForge
    private var now = Instant.zero
    private let shards: Int
    private var peers: [PeerAddress] = []
    private var handles: [RPCHandle] = []
    private var leases: [BufferLease] = []
    private var held: Set<UInt64> = []
    /// Requests that were delivered and not abandoned.
    private var inService: Set<RPCHandle> = []
    private var nextToken: UInt64 = 1
    private var ends: [UInt64: Bool] = [:]
    private var nextCookie: UInt64 = 1
    /// Packets worth changing and sending again.
    private var corpus: [[UInt8]] = []
    private var forecast: Forecast?
    private(set) var packets = 0
    private(set) var problem: String?

    init(seed: UInt64) throws {
        random = Seeds.stream(seed, 300)
        forge = PacketForge(seed: random.next())
        var plan = SwarmPlan(seed: seed).hosts[0]
        shards = plan.shards
        regionLength = plan.regionLength
        pool = try BufferPool(PoolConfiguration(regionLength: regionLength, shards: shards, maximumLeases: 256))
        plan.configuration.maximumRPCs = [4, 64, 256].randomElement(using: &random)!
        plan.configuration.maximumPeers = [2, 8, 64].randomElement(using: &random)!
        plan.configuration.peerIdleLimit = .milliseconds(random.nextUnit() < 0.5 ? 0 : 100)
        endpoint = try Endpoint(
            configuration: plan.configuration, pool: pool, shard: Int(random.next() % UInt64(shards)), of: shards,
            seed: seed, firstRPC: RPCID(rawValue: 2), life: HostLife(seed: seed), at: now)
        try endpoint.openPort(PacketForge.serverPort)
        for number in 0..<6 { peers.append(PeerAddress(ipv4: 0x0A00_0000 + UInt32(number), port: 4000)) }
    }

    func run(_ count: Int) {
        for _ in 0..<count where problem == nil { operate(Int.random(in: 0..<64, using: &random)) }
        bringToRest()
    }

    /// A byte chooses an operation; for packets, the length and the bytes follow.
    func follow(_ bytes: UnsafeRawBufferPointer) {
        var place = 1
        while place < bytes.count, problem == nil {
            let choice = Int(bytes[place])
            place += 1
            guard choice >= 64, place < bytes.count else {
                operate(choice & 63)
                continue
            }
            let length = min(Int(bytes[place]), bytes.count - place - 1)
            place += 1
            receive(Array(bytes[place..<place + length]), from: peers[choice & 3])
            place += length
        }
    }

    private func operate(_ choice: Int) {
        switch choice {
        case 0...2: begin()
        case 3: endpoint.abort(anyHandle(), failure: RPCFailure.allCases.randomElement(using: &random)!, at: now)
        case 4...6: respond()
        case 7: endpoint.decline(anyHandle(), at: now)
        case 8: ports()
        case 9: _ = endpoint.register(peer(), at: now)
        case 10:
            endpoint.setMaximumPacket(bytes: [0, 128, 600, 1_472, 100_000].randomElement(using: &random)!, for: peer())
        case 11:
            endpoint.packetRefused(
                by: peer(), id: anyID(), offset: UInt32.random(in: 0...100_000, using: &random),
                longest: [0, 128, 600, 1_472, 100_000].randomElement(using: &random)!, at: now)
        case 12:
            guard random.nextUnit() < 0.1 else { return }
            endpoint.unreachable(
                peer(), because: Refusal(.hostUnreachable, [.hint, .lasting, .final].randomElement(using: &random)!),
                offending: anyID(), at: now)
        case 13...16: returnBuffers()
        case 17...24: advance()
        case 25: applySummaries()
        case 26: look()
        case 27: if random.nextUnit() < 0.02 { endpoint.releaseEverything(at: now) }
        case 28: if random.nextUnit() < 0.9 { endpoint.sendStoredAcks() } else { endpoint.sendCancellations() }
        case 29...34: drainPackets(most: Int.random(in: 1...64, using: &random))
        case 35...38: drainEvents()
        case 39...41: receiveTrain()
        case 42...50: receive(packet(), from: peer())
        default: receive(answer(), from: peer())
        }
    }

    // MARK: Commands

    private func begin() {
        let length = [0, 1, 100, 1_416, 20_000, 999_999, 1_000_000, 1_000_001].randomElement(using: &random)!
        let token = nextToken
        let cookie = nextCookie
        let request = CallRequest(
            destination: peer(), serverPort: random.nextUnit() < 0.02 ? 0 : PacketForge.serverPort,
            clientPort: random.nextUnit() < 0.02 ? 5 : PacketForge.clientPort, length: length, payload: token,
            cookie: cookie,
            deadline: random.nextUnit() < 0.2 ? now.advanced(byNanoseconds: random.next() % 50_000_000) : .distantFuture
        )
        do {
            let handle =
                random.nextUnit() < 0.7
                ? try endpoint.call(request, at: now) : try endpoint.send(request, at: now)
            nextToken += 1
            nextCookie += 1
            held.insert(token)
            ends[cookie] = false
            remember(handle)
        } catch {}
    }

    private func respond() {
        let token = nextToken
        let length = [0, 1, 1_000, 70_000, 1_000_000, 2_000_000].randomElement(using: &random)!
        let isTaken =
            random.nextUnit() < 0.2
            ? try? endpoint.fail(anyHandle(), length: length, payload: token, at: now)
            : try? endpoint.respond(to: anyHandle(), length: length, payload: token, at: now)
        guard isTaken == true else { return }
        nextToken += 1
        held.insert(token)
    }

    private func ports() {
        let port = UInt16.random(in: 0...200, using: &random)
        switch random.next() & 3 {
        case 0: try? endpoint.openPort(port)
        case 1:
            if random.nextUnit() < 0.02 {
                endpoint.beginDraining()
            } else if port != PacketForge.serverPort {
                endpoint.closePort(port)
            }
        default: if let port = try? endpoint.allocateClientPort() { endpoint.closePort(port) }
        }
    }

    private func returnBuffers() {
        if let lease = leases.randomElement(using: &random) {
            leases.removeAll { $0 == lease }
            do { _ = try pool.release(lease) } catch { problem = "a lease cannot be returned: \(error)" }
        }
        endpoint.buffersReturned(at: now)
    }

    private func advance() {
        switch random.next() % 6 {
        case 0: break
        case 1: now = now.advanced(byNanoseconds: random.next() % 1_000)
        case 2: now = now.advanced(byNanoseconds: random.next() % 10_000_000)
        case 3: if random.nextUnit() < 0.05 { now = now.advanced(byNanoseconds: random.next() % 5_000_000_000) }
        default: if let due = endpoint.nextDeadline { now = max(now, due) }
        }
        endpoint.expireTimers(at: now)
    }

    private func applySummaries() {
        var summaries = ShardSummaries()
        summaries.add(
            ShardSummary(
                activeMessages: Int.random(in: 0...64, using: &random), isSending: random.nextUnit() < 0.5,
                nextID: RPCID(rawValue: UInt64.random(in: 1...2_000, using: &random) * 2)))
        endpoint.apply(summaries)
        // One for another shard comes to this one only by mistake, and is passed on again.
        var strayed: CrossShardAck?
        while let ack = endpoint.nextCrossShardAck() { strayed = ack }
        if let strayed { endpoint.receive(strayed, at: now) }
        if random.nextUnit() < 0.1 { endpoint.adopt(endpoint.unscheduledCutoffs) }
        _ = endpoint.summary
    }

    private func look() {
        _ = endpoint.information(about: anyHandle(), at: now)
        let count = endpoint.allInformation(at: now).count
        if count != endpoint.rpcCount { problem = "\(endpoint.rpcCount) RPCs, but \(count) are told of" }
        _ = endpoint.awaitsAcks
        if endpoint.unfinishedWork.unanswered + endpoint.unfinishedWork.unacknowledged > endpoint.rpcCount {
            problem = "more work is unfinished than there is"
        }
        _ = endpoint.statistics
        _ = endpoint.peerCount
    }

    // MARK: Outputs

    private func drainPackets(most: Int) {
        withUnsafeTemporaryAllocation(of: OutgoingPacket.self, capacity: 1) { memory in
            let packet = memory.baseAddress!
            for _ in 0..<most {
                guard endpoint.nextPacket(at: now, into: packet) else { return }
                packets += 1
                if packet.pointee.payloadLength > 0 {
                    if !held.contains(packet.pointee.payload) { problem = "a packet of payload that was released" }
                    let limit = Int.random(in: 0...40, using: &random)
                    let count = endpoint.continueTrain(after: packet, atMost: limit, at: now)
                    if count < 0 || count > limit { problem = "a train of \(count) when \(limit) were permitted" }
                }
                keep(packet.pointee.header)
            }
        }
    }

    private func drainEvents() {
        while let event = endpoint.nextEvent() {
            switch event {
            case .requestArrived(let request), .messageArrived(let request):
                leases.append(request.lease)
                if request.wantsResponse {
                    remember(request.rpc)
                    inService.insert(request.rpc)
                }
            case .responseArrived(_, let cookie, let lease, _, _):
                leases.append(lease)
                end(cookie)
            case .callFailed(_, let cookie, _), .messageSent(_, let cookie): end(cookie)
            case .payloadReleased(let token):
                if held.remove(token) == nil { problem = "payload \(token) was released twice" }
            case .requestAbandoned(let rpc, _, _):
                if !inService.contains(rpc) { problem = "a request that nobody has is abandoned" }
                inService.remove(rpc)
            case .pathWanted: break
            }
        }
    }

    private func end(_ cookie: UInt64) {
        if ends[cookie] != false { problem = "call \(cookie) ended twice" }
        ends[cookie] = true
    }

    // MARK: Packets

    private func receive(_ bytes: [UInt8], from peer: PeerAddress) {
        packets += 1
        bytes.withUnsafeBytes { bytes in
            guard let header = try? PacketHeader.parse(bytes) else { return }
            if case .store(let place) = endpoint.receive(header, from: peer, at: now) { check(place, header) }
        }
        if random.nextUnit() < 0.2 { forecast = endpoint.forecast() }
        if let expected = forecast, endpoint.stillExpects(expected) {
            let count = min(expected.length - expected.offset, 1_416)
            let place = endpoint.place(expected, offset: expected.offset, byteCount: count)
            if place.byteCount + place.secondByteCount != Int(count) { problem = "\(place) for \(count) bytes" }
        }
    }

    private func check(_ place: Placement, _ header: PacketHeader) {
        guard case .data(let data) = header.body else { return problem = "a place for \(header)" }
        let isRight =
            place.byteCount + place.secondByteCount == Int(data.payloadLength) && place.regionOffset >= 0
            && place.secondRegionOffset >= 0 && place.regionOffset + place.byteCount <= regionLength
            && place.secondRegionOffset + place.secondByteCount <= regionLength
        if !isRight { problem = "\(place) for \(header)" }
    }

    /// A message's packets, one after the other, and the rest of them in one step.
    private func receiveTrain() {
        let length = UInt32([3_000, 70_000, 200_000].randomElement(using: &random)!)
        let id = UInt64.random(in: 1...2_000, using: &random) * 2
        var data = DataFields(messageLength: length, incoming: length, offset: 0, payloadLength: 1_000)
        let from = peer()
        var place: UInt32 = random.nextUnit() < 0.8 ? 0 : 1_000
        while place + 1_000 <= length {
            data.offset = place
            let header = PacketHeader(
                sourcePort: PacketForge.clientPort, destinationPort: PacketForge.serverPort,
                senderID: RPCID(rawValue: id), extensions: HeaderExtension(tag: 3), body: .data(data))
            packets += 1
            if case .store(let stored) = endpoint.receive(header, from: from, at: now) { check(stored, header) }
            let most = Int.random(in: 0...64, using: &random)
            let followers = endpoint.receiveFollowers(of: header, count: most, from: from, at: now)
            if followers.count < 0 || followers.count > most { problem = "\(followers.count) of \(most) taken" }
            place += 1_000 * UInt32(1 + followers.count)
            if random.nextUnit() < 0.1 { return }
        }
    }

    /// Something about an RPC that exists, from whoever may be its other side.
    private func answer() -> [UInt8] {
        let packet = forge.plausible(.about)
        return random.nextUnit() < 0.15 ? forge.mutated(packet) : packet
    }

    private func packet() -> [UInt8] {
        guard random.nextUnit() < 0.5, let known = corpus.randomElement(using: &random) else {
            return forge.packet(.stranger)
        }
        return random.nextUnit() < 0.5 ? forge.mutated(known) : known
    }

    /// Notes what the endpoint speaks of, and keeps the packet as the other side would send it.
    private func keep(_ header: PacketHeader) {
        let id = header.common.senderID.clientSide.rawValue
        if forge.ids.count < 64 {
            forge.ids.append(id)
        } else {
            forge.ids[Int(random.next() & 63)] = id
        }
        guard random.nextUnit() < 0.2 else { return }
        var turned = header
        swap(&turned.common.sourcePort, &turned.common.destinationPort)
        turned.common.senderID = header.common.senderID.peer
        var carried = 0
        if case .data(let data) = turned.body { carried = Int(data.payloadLength) }
        var bytes = [UInt8](repeating: 0, count: turned.byteCount + carried)
        bytes.withUnsafeMutableBytes { _ = turned.write(into: $0) }
        if corpus.count < 128 { corpus.append(bytes) } else { corpus[Int(random.next() & 127)] = bytes }
    }

    // MARK: Choices

    private func peer() -> PeerAddress { peers.randomElement(using: &random)! }

    private func anyID() -> RPCID {
        let id = forge.ids.randomElement(using: &random) ?? 2
        return RPCID(rawValue: random.nextUnit() < 0.5 ? id : id | 1)
    }

    private func remember(_ handle: RPCHandle) {
        if handles.count < 128 { handles.append(handle) } else { handles[Int(random.next() & 127)] = handle }
    }

    /// Often a stale one, now and then one that never was.
    private func anyHandle() -> RPCHandle {
        if random.nextUnit() < 0.02 { return RPCHandle(slot: UInt32(random.next() & 511), generation: 7) }
        return handles.randomElement(using: &random) ?? RPCHandle(slot: 0, generation: 0)
    }

    // MARK: The end

    func bringToRest() {
        guard problem == nil else { return }
        drainPackets(most: .max)
        drainEvents()
        endpoint.releaseEverything(at: now)
        drainEvents()
        for lease in leases {
            do { _ = try pool.release(lease) } catch { problem = "a lease cannot be returned: \(error)" }
        }
        endpoint.buffersReturned(at: now)
        guard problem == nil else { return }
        let statistics = pool.statistics
        if endpoint.rpcCount != 0 {
            problem = "\(endpoint.rpcCount) RPCs are left"
        } else if endpoint.incomingBytes != 0 || endpoint.waitingForBuffers != 0 {
            problem = "\(endpoint.incomingBytes) bytes incoming, \(endpoint.waitingForBuffers) messages wait"
        } else if endpoint.nextDeadline != nil {
            problem = "something is due, and nothing is left"
        } else if statistics.leasesLive != 0 || statistics.pagesInUse > shards {
            problem = "\(statistics.leasesLive) leases, \(statistics.pagesInUse) pages"
        } else if !held.isEmpty {
            problem = "payload of \(held.count) messages was not released"
        } else if let open = ends.first(where: { !$0.value }) {
            problem = "call \(open.key) has no end"
        }
    }
}
