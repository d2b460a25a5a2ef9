// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCore
import HomaWire

/// One endpoint on a bench: the test plays every other host and makes their packets by hand.
///
/// Packets pass through their wire form, so a test cannot send what no network could carry.
final class LoneHost {
    static let client = PeerAddress(ipv4: 0x0A00_0001, port: 4000)
    static let server = PeerAddress(ipv4: 0x0A00_0002, port: 4000)
    static let ours = HeaderExtension()

    let pool: BufferPool
    var endpoint: Endpoint
    var now = Instant.zero
    /// What the endpoint said and nobody asked about yet.
    private var packets: [OutgoingPacket] = []
    private var pending: [EndpointEvent] = []

    /// - Parameter trusting: whether every address is taken for what it says it is.
    init(
        _ configuration: EndpointConfiguration = .small, regionLength: Int = 16 << 20, bpageSize: Int = 64 << 10,
        reservedPages: Int = 0, shard: Int = 0, of shards: Int = 1, trusting: Bool = true,
        life: HostLife = HostLife(seed: 1)
    ) throws {
        var configuration = configuration
        if trusting { configuration.amplificationLimit = 0 }
        pool = try BufferPool(
            PoolConfiguration(
                regionLength: regionLength, bpageSize: bpageSize, shards: shards, reservedPages: reservedPages))
        endpoint = try Endpoint(
            configuration: configuration, pool: pool, shard: shard, of: shards, seed: 1,
            firstRPC: RPCID(rawValue: 1000), life: life, at: .zero)
        try endpoint.openPort(99)
    }

    /// Feeds one packet in as its sender would: `id` is the sender's form of the identifier.
    @discardableResult
    func receive(
        _ body: PacketBody, id: UInt64, from address: PeerAddress = client, ports: (UInt16, UInt16)? = nil,
        extensions: HeaderExtension = ours
    ) -> Disposition {
        let (source, destination) = ports ?? (id & 1 == 0 ? (0x8000, 99) : (99, 0x8000))
        let header = PacketHeader(
            sourcePort: source, destinationPort: destination, senderID: RPCID(rawValue: id), extensions: extensions,
            body: body)
        var bytes = [UInt8](repeating: 0, count: header.byteCount)
        if case .data(let data) = body { bytes += [UInt8](repeating: 0, count: Int(data.payloadLength)) }
        bytes.withUnsafeMutableBytes { _ = header.write(into: $0) }
        let parsed = bytes.withUnsafeBytes { try! PacketHeader.parse($0) }
        defer { drain() }
        return endpoint.receive(parsed, from: address, at: now)
    }

    /// Feeds in one DATA packet.
    @discardableResult
    func data(
        _ range: Range<Int>, of length: Int, id: UInt64, incoming: Int? = nil, from address: PeerAddress = client,
        ports: (UInt16, UInt16)? = nil, ack: AckRecord = .none, cutoffs: UInt16 = 1, oldest: UInt16 = 0,
        microseconds: UInt64? = nil, extensions: HeaderExtension = ours
    ) -> Disposition {
        receive(
            .data(
                DataFields(
                    messageLength: UInt32(length), incoming: UInt32(incoming ?? length), ack: ack,
                    cutoffVersion: cutoffs, oldestUnfinishedDistance: oldest,
                    remaining: microseconds.map { RemainingTime(nanoseconds: $0 * 1000) } ?? .unlimited,
                    offset: UInt32(range.lowerBound),
                    payloadLength: UInt32(range.count))),
            id: id, from: address, ports: ports, extensions: extensions)
    }

    /// Starts a call of ours and returns its handle.
    @discardableResult
    func call(
        length: Int, to server: PeerAddress = server, cookie: UInt64 = 1, deadline: Instant = .distantFuture
    ) throws -> RPCHandle {
        defer { drain() }
        return try endpoint.call(
            CallRequest(
                destination: server, serverPort: 99, clientPort: 0x8000, length: length, payload: cookie,
                cookie: cookie, deadline: deadline), at: now)
    }

    @discardableResult
    func respond(_ handle: RPCHandle, length: Int) throws -> Bool {
        defer { drain() }
        return try endpoint.respond(to: handle, length: length, payload: 77, at: now)
    }

    /// Answers with so many bytes that the application failed.
    @discardableResult
    func fail(_ handle: RPCHandle, length: Int) throws -> Bool {
        defer { drain() }
        return try endpoint.fail(handle, length: length, payload: 77, at: now)
    }

    @discardableResult
    func abort(_ handle: RPCHandle) -> Bool {
        defer { drain() }
        return endpoint.abort(handle, failure: .aborted, at: now)
    }

    func information(_ handle: RPCHandle) -> RPCInformation? { endpoint.information(about: handle, at: now) }

    func drain() {
        while let packet = endpoint.nextPacket(at: now) { packets.append(packet) }
        while let event = endpoint.nextEvent() { pending.append(event) }
    }

    /// Moves the clock on, doing what falls due on the way.
    func pass(microseconds: UInt64) {
        let end = now.advanced(byNanoseconds: microseconds * 1000)
        while let due = endpoint.nextDeadline, due <= end {
            now = max(now, due)
            endpoint.expireTimers(at: now)
            drain()
        }
        now = end
    }

    /// Packets sent since the last question.
    func sent() -> [OutgoingPacket] {
        drain()
        defer { packets = [] }
        return packets
    }

    /// Packets sent since the last question, in words short enough for an expectation.
    func said() -> [String] { sent().map(\.summary) }

    func events() -> [EndpointEvent] {
        drain()
        defer { pending = [] }
        return pending
    }

    /// Requests delivered since the last question; their buffers go back at once.
    func requests() throws -> [ArrivedRequest] {
        try events().compactMap {
            guard case .requestArrived(let request) = $0 else { return nil }
            _ = try pool.release(request.lease)
            endpoint.buffersReturned(at: now)
            return request
        }
    }

    func failures() -> [RPCFailure] {
        events().compactMap { if case .callFailed(_, _, let failure) = $0 { failure } else { nil } }
    }

    /// Lets a client run one whole RPC here, acknowledgement included.
    func serve(id: UInt64, from address: PeerAddress = client, extensions: HeaderExtension = ours) throws -> Bool {
        data(0..<100, of: 100, id: id, from: address, extensions: extensions)
        guard let request = try requests().first else { return false }
        try respond(request.rpc, length: 100)
        receive(.ack(AckFields()), id: id, from: address, extensions: extensions)
        return true
    }

    func dropped(_ reason: DropReason) -> UInt64 { endpoint.statistics.drops(for: reason) }
}

extension OutgoingPacket {
    /// Such as `DATA 0..<1416`, `GRANT 70000 p3`, `RESEND 0 all`.
    var summary: String {
        switch header.body {
        case .data: "DATA \(payloadOffset)..<\(payloadOffset + payloadLength)"
        case .grant(let grant): "GRANT \(grant.offset) p\(grant.priority)"
        case .resend(let resend):
            resend.length == ResendFields.everything
                ? "RESEND \(resend.offset) all"
                : "RESEND \(resend.offset)..<\(Int(resend.offset) + Int(resend.length))"
        case .ack(let ack): "ACK +\(ack.count)"
        default: "\(header.common.type)"
        }
    }
}

extension EndpointConfiguration {
    /// The defaults with small tables, so that a test does not spend its time reserving memory.
    static var small: Self {
        var configuration = Self.default
        configuration.maximumRPCs = 256
        configuration.maximumServerRPCsPerHost = 256
        configuration.maximumPeers = 64
        configuration.finishedMemory = 1024
        // It has been there for long.
        configuration.memoryProbation = .zero
        // What is kept for clients that fell silent is a matter of `RetentionTests`.
        configuration.responseRetention = .zero
        return configuration
    }
}
