// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase
import HomaBuffers
import HomaCore
import HomaWire

/// Bytes that every test message is cut from, so that content can be checked without keeping copies.
enum Pattern {
    static let length = HomaLimits.maximumMessageLength + 4096
    nonisolated(unsafe) static let bytes: UnsafeMutableRawPointer = {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 64)
        var random = SeededRandom(seed: 99)
        for word in 0..<length / 8 { memory.storeBytes(of: random.next(), toByteOffset: word * 8, as: UInt64.self) }
        return memory
    }()

    /// The message with this key starts here.
    static func start(_ key: UInt64) -> UnsafeRawPointer { UnsafeRawPointer(bytes) + Int(key * 37 % 4096) }
}

/// One host of the test network: an endpoint, memory for its region, and what its application saw.
final class TestHost {
    let address: PeerAddress
    let pool: BufferPool
    let region: UnsafeMutableRawPointer
    var endpoint: Endpoint
    /// Outcome of each call, by cookie.
    var responses: [UInt64: Int] = [:]
    var failures: [UInt64: RPCFailure] = [:]
    /// Calls that were answered by a failure.
    var failedAnswers: Set<UInt64> = []
    /// Cookies of calls in the order of their responses.
    var order: [UInt64] = []
    /// How often each request ran here, by client address and id.
    var executions: [String: Int] = [:]
    /// One-way messages that are over, by cookie, and how often each was delivered here, by client address and id.
    var completions: [UInt64: Int] = [:]
    var deliveries: [String: Int] = [:]
    /// Payload tokens handed to the endpoint and not yet released.
    var payloadsHeld: [UInt64: Int] = [:]
    /// A call's cookie, or one of another call with the same bytes, by payload token.
    var cookies: [UInt64: UInt64] = [:]
    var corruptions = 0
    var abandoned = 0
    /// Largest number of bytes ever counted as incoming.
    var incomingHighWater = 0
    /// The largest limit for them that was in force.
    var incomingLimitHighWater = 0

    init(
        number: Int, configuration: EndpointConfiguration = .default, regionLength: Int = 16 << 20, seed: UInt64,
        firstRPC: UInt64 = 2, lifeNumber: UInt64 = 1, at now: Instant = .zero,
        startsAnew: Bool = false
    ) throws {
        // Hosts of most tests have been there for long.
        var configuration = configuration
        if !startsAnew { configuration.memoryProbation = .zero }
        address = PeerAddress(ipv4: 0x0A00_0000 + UInt32(number), port: 4000)
        var layout = PoolConfiguration()
        layout.regionLength = regionLength
        layout.reservedPages = 1
        pool = try BufferPool(layout)
        region = .allocate(byteCount: regionLength, alignment: 4096)
        endpoint = try Endpoint(
            configuration: configuration, pool: pool, shard: 0, seed: seed, firstRPC: RPCID(rawValue: firstRPC),
            life: HostLife(seed: UInt64(number) << 32 | lifeNumber), at: now)
        try endpoint.openPort(99)
    }

    deinit { region.deallocate() }

    @discardableResult
    func call(
        _ server: PeerAddress, length: Int, cookie: UInt64, deadline: Instant = .distantFuture, at now: Instant
    ) throws -> RPCHandle {
        let token = UInt64(UInt(bitPattern: Pattern.start(cookie)))
        let handle = try endpoint.call(
            CallRequest(
                destination: server, serverPort: 99, clientPort: 0x8000, length: length, payload: token,
                cookie: cookie, deadline: deadline), at: now)
        payloadsHeld[token, default: 0] += 1
        cookies[token] = cookie
        return handle
    }

    @discardableResult
    func send(
        _ receiver: PeerAddress, length: Int, cookie: UInt64, deadline: Instant = .distantFuture, at now: Instant
    ) throws -> RPCHandle {
        let token = UInt64(UInt(bitPattern: Pattern.start(cookie)))
        let handle = try endpoint.send(
            CallRequest(
                destination: receiver, serverPort: 99, clientPort: 0x8000, length: length, payload: token,
                cookie: cookie, deadline: deadline), at: now)
        payloadsHeld[token, default: 0] += 1
        cookies[token] = cookie
        return handle
    }

    func respond(_ rpc: RPCHandle, key: UInt64, length: Int, at now: Instant) throws -> Bool {
        let token = UInt64(UInt(bitPattern: Pattern.start(key)))
        let taken = try endpoint.respond(to: rpc, length: length, payload: token, at: now)
        if taken { payloadsHeld[token, default: 0] += 1 }
        return taken
    }

    func store(_ placement: Placement, _ payload: UnsafeRawBufferPointer) {
        precondition(placement.byteCount + placement.secondByteCount == payload.count)
        memcpy(region + placement.regionOffset, payload.baseAddress!, placement.byteCount)
        if placement.secondByteCount > 0 {
            memcpy(
                region + placement.secondRegionOffset, payload.baseAddress! + placement.byteCount,
                placement.secondByteCount)
        }
    }

    /// Compares a received message with what was sent under `key`, and returns its buffers.
    func checkAndRelease(_ lease: BufferLease, length: Int, key: UInt64) throws {
        var offset = 0
        while offset < length {
            let piece = pool.piece(of: lease, at: offset)
            let count = min(piece.byteCount, length - offset)
            if memcmp(region + piece.regionOffset, Pattern.start(key) + offset, count) != 0 { corruptions += 1 }
            offset += count
        }
        _ = try pool.release(lease)
    }

    func payloadReleased(_ token: UInt64) {
        payloadsHeld[token]! -= 1
        if payloadsHeld[token] == 0 { payloadsHeld[token] = nil }
    }
}
