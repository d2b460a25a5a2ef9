// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaCore
import HomaPosix
import HomaWire

/// What the protocol core costs for a packet: two endpoints in one process, without sockets and payload.
///
/// The client sends requests, so many at a time, in packets of a 1500-byte path; every packet arrives, in order; each
/// response has 100 bytes. A packet out includes writing its header, a packet in parsing it. The endpoints' time is
/// made up.
public struct CoreBenchmark: ~Copyable {
    /// Nanoseconds for each DATA packet.
    public struct Cost: Sendable {
        /// To make it.
        public var send: Double
        /// To take it into account.
        public var receive: Double
        /// Grants, responses and events, on both sides.
        public var other: Double
    }

    /// Packets between two looks at the clock: a train of a 1500-byte path.
    private static let train = 44
    private static let slot = 1536
    private static let packetBytes = 1472
    private static let clientAddress = PeerAddress(ipv4: 0x0A00_0001, port: 4000)
    private static let serverAddress = PeerAddress(ipv4: 0x0A00_0002, port: 4000)

    private var client: Endpoint
    private var server: Endpoint
    private let clientPool: BufferPool
    private let serverPool: BufferPool
    private let clientPort: UInt16
    private let outgoing: UnsafeMutablePointer<OutgoingPacket>
    private let bytes: UnsafeMutableRawPointer
    private var lengths: [Int]
    private var now: Instant
    private let messageBytes: Int

    /// Two hosts that know each other, with default settings.
    ///
    /// - Parameters:
    ///   - messageBytes: bytes of each request, from 1. With requests of one packet, a packet is an RPC.
    ///   - outstanding: requests under way, from 1.
    public init(messageBytes: Int = 500_000, outstanding: Int = 4) throws {
        precondition(messageBytes > 0 && outstanding > 0, "nothing to measure")
        let now = Instant(nanoseconds: 1_000_000)
        let clientPool = try BufferPool(PoolConfiguration())
        let serverPool = try BufferPool(PoolConfiguration())
        var client = try Endpoint(
            configuration: .default, pool: clientPool, seed: 1, firstRPC: RPCID(rawValue: 1000),
            life: HostLife(seed: 1),
            at: now)
        var server = try Endpoint(
            configuration: .default, pool: serverPool, seed: 2, firstRPC: RPCID(rawValue: 1000),
            life: HostLife(seed: 2),
            at: now)
        try server.openPort(99)
        let clientPort = try client.allocateClientPort()
        _ = client.register(Self.serverAddress, at: now)
        _ = server.register(Self.clientAddress, at: now)
        client.setMaximumPacket(bytes: Self.packetBytes, for: Self.serverAddress)
        server.setMaximumPacket(bytes: Self.packetBytes, for: Self.clientAddress)
        for _ in 0..<outstanding { try Self.startCall(&client, messageBytes, from: clientPort, at: now) }
        self.now = now
        self.messageBytes = messageBytes
        self.client = client
        self.server = server
        self.clientPool = clientPool
        self.serverPool = serverPool
        self.clientPort = clientPort
        outgoing = .allocate(capacity: Self.train)
        bytes = .allocate(byteCount: Self.train * Self.slot, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Self.train * Self.slot)
        lengths = .init(repeating: 0, count: Self.train)
    }

    deinit {
        outgoing.deallocate()
        bytes.deallocate()
    }

    /// Carries at least so many DATA packets from the client to the server. Warm up with a first run.
    public mutating func run(packets: Int) throws -> Cost {
        precondition(packets > 0, "nothing to measure")
        var (carried, idle) = (0, 0)
        var (send, receive, other): (UInt64, UInt64, UInt64) = (0, 0, 0)
        while carried < packets {
            let start = MonotonicClock.nanoseconds()
            let count = drainClient()
            let drained = MonotonicClock.nanoseconds()
            feedServer(count)
            let fed = MonotonicClock.nanoseconds()
            try settle()
            send += drained - start
            receive += fed - drained
            other += MonotonicClock.nanoseconds() - fed
            carried += count
            idle = count == 0 ? idle + 1 : 0
            precondition(idle < 1000, "the endpoints have stopped")
            now = now.advanced(byNanoseconds: UInt64(Self.train) * 1200)
        }
        let scale = Double(carried)
        return Cost(send: Double(send) / scale, receive: Double(receive) / scale, other: Double(other) / scale)
    }

    private static func startCall(
        _ client: inout Endpoint, _ messageBytes: Int, from port: UInt16, at now: Instant
    ) throws {
        _ = try client.call(
            CallRequest(
                destination: serverAddress, serverPort: 99, clientPort: port, length: messageBytes, payload: 1,
                cookie: 1), at: now)
    }

    /// Up to a train of packets in their wire form.
    private mutating func drainClient() -> Int {
        var count = 0
        while count < Self.train, client.nextPacket(at: now, into: outgoing) {
            let room = UnsafeMutableRawBufferPointer(start: bytes + count * Self.slot, count: Self.slot)
            lengths[count] = outgoing.pointee.header.write(into: room) + outgoing.pointee.payloadLength
            count += 1
        }
        return count
    }

    private mutating func feedServer(_ count: Int) {
        for index in 0..<count {
            let packet = UnsafeRawBufferPointer(start: bytes + index * Self.slot, count: lengths[index])
            guard let header = try? PacketHeader.parse(packet) else { preconditionFailure("our own packet is wrong") }
            _ = server.receive(header, from: Self.clientAddress, at: now)
        }
    }

    /// Carries the server's packets to the client and does what both applications would do.
    private mutating func settle() throws {
        while server.nextPacket(at: now, into: outgoing) {
            _ = client.receive(outgoing.pointee.header, from: Self.serverAddress, at: now)
        }
        while let event = server.nextEvent() {
            guard case .requestArrived(let request) = event else { continue }
            try serverPool.release(request.lease)
            _ = try server.respond(to: request.rpc, length: 100, payload: 2, at: now)
        }
        while let event = client.nextEvent() {
            guard case .responseArrived(_, _, let lease, _, _) = event else { continue }
            try clientPool.release(lease)
            try Self.startCall(&client, messageBytes, from: clientPort, at: now)
        }
        if let deadline = client.nextDeadline, deadline <= now { client.expireTimers(at: now) }
        if let deadline = server.nextDeadline, deadline <= now { server.expireTimers(at: now) }
    }
}
