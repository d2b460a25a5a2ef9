// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaBuffers
@_spi(Testing) import HomaCore
import HomaWire

/// Bytes that every message is cut from, so that contents can be checked without keeping copies.
enum Pattern {
    private static let starts = 1 << 16
    nonisolated(unsafe) private static let bytes: UnsafeMutableRawPointer = {
        let length = HomaLimits.maximumMessageLength + starts + 8
        let memory = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 64)
        var random = SeededRandom(seed: 99)
        for word in 0..<length / 8 { memory.storeBytes(of: random.next(), toByteOffset: word * 8, as: UInt64.self) }
        return memory
    }()

    /// The message with this key starts here; those with other keys of a run elsewhere.
    static func start(_ key: Int) -> UnsafeRawPointer { UnsafeRawPointer(bytes) + (key &* 61 & (starts - 1)) }
}

/// A datagram on its way, or in a host's socket.
struct Flight {
    var bytes: UnsafeMutableRawPointer
    var count: Int
    var from: PeerAddress
    var to: Int
    /// Nothing on the way has changed it.
    var isWhole = true

    var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }
}

/// One endpoint of a host.
final class SwarmShard {
    var endpoint: Endpoint
    var forecast: Forecast?
    var sentCutoffVersion: UInt16 = 0
    /// Requests that the application has and has not answered.
    var inService: Set<RPCHandle> = []
    /// What it last said of itself, as the others hear it a round later.
    var published: ShardSummary?

    init(_ endpoint: consuming Endpoint) { self.endpoint = endpoint }
}

/// A host of the swarm: endpoints, the memory of its region, and how it runs. Its rounds are those of an engine, which
/// is why trains, followers, forecasts and bundles come about here as they do there.
final class SwarmHost {
    let index: Int
    let plan: SwarmPlan.Host
    var address: PeerAddress
    /// Counts its starts.
    var life = 0
    /// When its present life began.
    private(set) var bornAt: UInt64 = 0
    private(set) var pool: BufferPool
    let region: UnsafeMutableRawPointer
    private(set) var shards: [SwarmShard] = []
    var random: SeededRandom
    /// How far its clock is ahead of the network's.
    var clockOffset: UInt64 = 0
    var isDown = false
    /// Its kernel answers for it while it is down.
    var saysUnreachable = false
    var pausedUntil: UInt64 = 0
    var stalledUntil: UInt64 = 0
    /// It stood still, or its clock leapt, so its own times mean little.
    var wasDisturbed = false
    /// It takes no new requests, since it is about to stop.
    var isDraining = false
    var hasMoved = false
    var inbox: [Flight] = []
    var nextWake = UInt64.max
    /// When its own link is free again.
    var uplinkFree: UInt64 = 0
    var downlinkFree: UInt64 = 0
    /// Of former lives.
    var former = EndpointStatistics()

    init(_ index: Int, _ plan: SwarmPlan.Host, seed: UInt64, plant: PlantedFault?) throws {
        var plan = plan
        plan.configuration.plant(plant)
        self.index = index
        self.plan = plan
        address = PeerAddress(ipv4: 0x0A00_0001 + UInt32(index), port: 4000)
        random = Seeds.stream(seed, 200 + UInt64(index))
        pool = try Self.pool(plan)
        region = .allocate(byteCount: plan.regionLength, alignment: 4096)
        try start(at: 0)
    }

    deinit {
        region.deallocate()
        for flight in inbox { flight.bytes.deallocate() }
    }

    private static func pool(_ plan: SwarmPlan.Host) throws -> BufferPool {
        try BufferPool(PoolConfiguration(regionLength: plan.regionLength, shards: plan.shards, maximumLeases: 2048))
    }

    /// Begins a life. Identifiers begin with the time, as a node's do, so they are above all that it used before; hosts
    /// that begin at the same time use the same ones.
    func start(at time: UInt64) throws {
        if life > 0 { pool = try Self.pool(plan) }
        life += 1
        bornAt = time
        isDraining = false
        let identity = HostLife(using: &random)
        let first = RPCID(rawValue: (1 << 38 + (time + clockOffset) / 1000) * 4096)
        shards = []
        for shard in 0..<plan.shards {
            var configuration = plan.configuration
            // One learns for all.
            if shard > 0 { configuration.learnsCutoffs = false }
            var endpoint = try Endpoint(
                configuration: configuration, pool: pool, shard: shard, of: plan.shards, seed: random.next(),
                firstRPC: first, life: identity, at: local(time))
            try endpoint.openPort(PacketForge.serverPort)
            shards.append(SwarmShard(endpoint))
        }
    }

    /// Ends a life, and remembers what it counted.
    func end() {
        for shard in shards { former.add(shard.endpoint.statistics) }
        for flight in inbox { flight.bytes.deallocate() }
        inbox = []
        shards = []
        isDown = true
        nextWake = .max
    }

    func local(_ time: UInt64) -> Instant { Instant(nanoseconds: time + clockOffset) }

    var statistics: EndpointStatistics {
        var sum = former
        for shard in shards { sum.add(shard.endpoint.statistics) }
        return sum
    }

    /// When its endpoints want to be woken, on the network's clock.
    func deadline(after now: UInt64) -> UInt64? {
        var earliest: UInt64?
        for shard in shards {
            guard let due = shard.endpoint.nextDeadline else { continue }
            let time = due.nanoseconds > clockOffset ? due.nanoseconds - clockOffset : 0
            earliest = min(earliest ?? .max, max(now, time))
        }
        return earliest
    }

    /// Lets the endpoints hear of each other, as far as they said anything in the round before.
    func applySummaries(at now: Instant) {
        guard shards.count > 1 else { return }
        for (number, shard) in shards.enumerated() {
            var summaries = ShardSummaries()
            for (other, neighbour) in shards.enumerated() where other != number {
                if let known = neighbour.published { summaries.add(known) }
            }
            shard.endpoint.apply(summaries)
            while let ack = shard.endpoint.nextCrossShardAck() {
                shards[ack.record.clientID.shard(of: shards.count)].endpoint.receive(ack, at: now)
            }
        }
    }

    func publishSummaries() {
        guard shards.count > 1 else { return }
        for shard in shards { shard.published = shard.endpoint.summary }
        let cutoffs = shards[0].endpoint.unscheduledCutoffs
        guard cutoffs.version != shards[0].sentCutoffVersion else { return }
        shards[0].sentCutoffVersion = cutoffs.version
        for shard in shards.dropFirst() { shard.endpoint.adopt(cutoffs) }
    }

    // MARK: Memory

    /// False when the places are not what they must be.
    func store(_ place: Placement, _ payload: UnsafeRawBufferPointer) -> Bool {
        guard place.byteCount + place.secondByteCount == payload.count,
            isInside(place.regionOffset, place.byteCount), isInside(place.secondRegionOffset, place.secondByteCount)
        else { return false }
        memcpy(region + place.regionOffset, payload.baseAddress!, place.byteCount)
        if place.secondByteCount > 0 {
            memcpy(
                region + place.secondRegionOffset, payload.baseAddress! + place.byteCount, place.secondByteCount)
        }
        return true
    }

    private func isInside(_ offset: Int, _ count: Int) -> Bool {
        offset >= 0 && count >= 0 && offset <= plan.regionLength - count
    }

    /// Whether the message that holds the lease is the one with the key.
    func holds(_ lease: BufferLease, length: Int, key: Int) -> Bool {
        var offset = 0
        while offset < length {
            let piece = pool.piece(of: lease, at: offset)
            let count = min(piece.byteCount, length - offset)
            if memcmp(region + piece.regionOffset, Pattern.start(key) + offset, count) != 0 { return false }
            offset += count
        }
        return true
    }

    // MARK: Receiving

    /// Takes what lies in the socket: packets that came one after the other in trains, as a kernel would join them.
    /// - Returns: what went wrong, in words.
    func takeInbox(at now: Instant, _ scratch: UnsafeMutableRawPointer, _ note: (Flight) -> Void) -> String? {
        let flights = inbox
        inbox = []
        defer { for flight in flights { flight.bytes.deallocate() } }
        var position = 0
        var problem: String?
        while position < flights.count, problem == nil {
            let first = flights[position]
            note(first)
            position += 1
            guard plan.joinsTrains else {
                problem = takeDatagram(first.buffer, segment: first.count, from: first.from, at: now)
                continue
            }
            memcpy(scratch, first.bytes, first.count)
            var count = first.count
            var joined = 1
            while position < flights.count, joined < 64, flights[position].from == first.from,
                flights[position].count <= first.count, count + flights[position].count <= 65_536
            {
                let next = flights[position]
                note(next)
                memcpy(scratch + count, next.bytes, next.count)
                count += next.count
                joined += 1
                position += 1
                if next.count < first.count { break }
            }
            problem = takeDatagram(
                UnsafeRawBufferPointer(start: scratch, count: count), segment: first.count, from: first.from, at: now)
        }
        return problem
    }

    /// A datagram, or several of `segment` bytes.
    private func takeDatagram(
        _ datagram: UnsafeRawBufferPointer, segment: Int, from peer: PeerAddress, at now: Instant
    ) -> String? {
        if plan.forecasts, let problem = scatter(datagram, segment: segment) { return problem }
        var offset = 0
        while offset < datagram.count {
            let length = min(segment, datagram.count - offset)
            let packet = UnsafeRawBufferPointer(rebasing: datagram[offset..<offset + length])
            if PacketBundle.isBundle(packet) {
                if let problem = takeBundle(packet, from: peer, at: now) { return problem }
            } else {
                let (shard, problem) = takePacket(packet, from: peer, at: now)
                if let problem { return problem }
                if let shard, random.nextUnit() < 0.95 {
                    let rest = UnsafeRawBufferPointer(rebasing: datagram[offset...])
                    let (count, problem) = takeFollowers(rest, segment, shard, from: peer, at: now)
                    if let problem { return problem }
                    offset += count * segment
                }
            }
            offset += length
        }
        if plan.forecasts { for shard in shards { shard.forecast = shard.endpoint.forecast() } }
        return nil
    }

    private func takeBundle(_ bundle: UnsafeRawBufferPointer, from peer: PeerAddress, at now: Instant) -> String? {
        // A node of several shards says that it takes none, and a kernel knows none.
        guard !plan.isKernel else { return nil }
        var position = PacketBundle.markByteCount
        defer { for shard in shards { shard.endpoint.isInsideBundle = false } }
        while let packet = try? PacketBundle.next(in: bundle, at: &position) {
            if let problem = takePacket(packet, from: peer, at: now).problem { return problem }
            for shard in shards { shard.endpoint.isInsideBundle = true }
        }
        return nil
    }

    /// Feeds one packet to its shard, which is returned when more of its message may follow.
    private func takePacket(
        _ packet: UnsafeRawBufferPointer, from peer: PeerAddress, at now: Instant
    ) -> (shard: SwarmShard?, problem: String?) {
        guard let header = try? PacketHeader.parse(packet) else { return (nil, nil) }
        let shard = shards[header.common.senderID.shard(of: shards.count)]
        guard case .store(let place) = shard.endpoint.receive(header, from: peer, at: now) else { return (nil, nil) }
        guard case .data(let data) = header.body,
            store(place, UnsafeRawBufferPointer(rebasing: packet[header.byteCount...]))
        else { return (nil, "\(place) for \(header)") }
        return (data.offset + data.payloadLength < data.messageLength ? shard : nil, nil)
    }

    /// The packets behind the first that go on with its message, in one step.
    private func takeFollowers(
        _ train: UnsafeRawBufferPointer, _ segment: Int, _ shard: SwarmShard, from peer: PeerAddress, at now: Instant
    ) -> (count: Int, problem: String?) {
        guard train.count >= 2 * segment, segment > DataFields.byteCount,
            let header = try? PacketHeader.parse(UnsafeRawBufferPointer(rebasing: train[..<segment])),
            case .data(let data) = header.body
        else { return (0, nil) }
        let count = Self.countFollowers(train, segment, data)
        guard count > 0 else { return (0, nil) }
        let followers = shard.endpoint.receiveFollowers(of: header, count: count, from: peer, at: now)
        guard followers.count >= 0, followers.count <= count else { return (0, "\(followers.count) of \(count) taken") }
        var offset = Int(data.offset + data.payloadLength)
        for follower in 0..<followers.count {
            var source = train.baseAddress! + (follower + 1) * segment + DataFields.byteCount
            var rest = segment - DataFields.byteCount
            while rest > 0 {
                let piece = pool.piece(of: followers.lease, at: offset)
                let length = min(rest, piece.byteCount)
                guard isInside(piece.regionOffset, length), length > 0 else { return (0, "\(piece) for followers") }
                memcpy(region + piece.regionOffset, source, length)
                source += length
                offset += length
                rest -= length
            }
        }
        return (followers.count, nil)
    }

    private static func countFollowers(_ train: UnsafeRawBufferPointer, _ segment: Int, _ data: DataFields) -> Int {
        withUnsafeTemporaryAllocation(byteCount: DataFields.byteCount, alignment: 8) { expected in
            expected.copyMemory(from: UnsafeRawBufferPointer(rebasing: train[..<DataFields.byteCount]))
            var offset = data.offset
            var place = segment
            var count = 0
            while place + segment <= train.count {
                offset += data.payloadLength
                PacketHeader.advance(expected.baseAddress!, to: offset)
                guard memcmp(expected.baseAddress!, train.baseAddress! + place, DataFields.byteCount) == 0 else {
                    break
                }
                count += 1
                place += segment
            }
            return count
        }
    }

    /// What a kernel does that was told where the next payload belongs: it puts there whatever comes, before anybody
    /// has looked at it. If it was what had been forecast it lies right, and if not it must do no harm.
    private func scatter(_ datagram: UnsafeRawBufferPointer, segment: Int) -> String? {
        for shard in shards {
            guard let forecast = shard.forecast else { continue }
            shard.forecast = nil
            guard shard.endpoint.stillExpects(forecast) else { continue }
            var offset = Int(forecast.offset)
            var start = 0
            while start + DataFields.byteCount < datagram.count, offset < Int(forecast.length) {
                let end = min(start + segment, datagram.count)
                guard end - start > DataFields.byteCount else { break }
                let count = min(end - start - DataFields.byteCount, Int(forecast.length) - offset)
                let place = shard.endpoint.place(forecast, offset: UInt32(offset), byteCount: UInt32(count))
                let payload = start + DataFields.byteCount
                guard store(place, UnsafeRawBufferPointer(rebasing: datagram[payload..<payload + count])) else {
                    return "\(place) was forecast"
                }
                offset += count
                start = end
            }
            return nil
        }
        return nil
    }
}
