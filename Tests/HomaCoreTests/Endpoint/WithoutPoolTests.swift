// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers
import HomaWire
import Testing

@testable import HomaCore

/// Endpoints as a simulator uses them: headers are handed over as values, and nothing has content.
@Suite("An endpoint without a pool")
struct WithoutPoolTests {
    static let one = LoneHost.client
    static let other = LoneHost.server

    static func endpoint(_ configuration: EndpointConfiguration = .long) throws -> Endpoint {
        var endpoint = try Endpoint(
            configuration: configuration, pool: nil, seed: 1, firstRPC: RPCID(rawValue: 2), life: HostLife(seed: 1),
            at: .zero)
        try endpoint.openPort(99)
        return endpoint
    }

    static func request(length: Int) -> CallRequest {
        CallRequest(destination: other, serverPort: 99, clientPort: 0x8000, length: length, payload: 5, cookie: 7)
    }

    /// Hands packets over until both are silent; returns what either application heard, and the largest placement.
    static func ferry(_ client: inout Endpoint, _ server: inout Endpoint) throws -> [Int] {
        var heard: [Int] = []
        var moved = true
        while moved {
            moved = false
            while let packet = client.nextPacket(at: .zero) {
                let disposition = server.receive(packet.header, from: one, at: .zero)
                if packet.payloadLength > 0 {
                    #expect(disposition == .store(Placement(regionOffset: 0, byteCount: packet.payloadLength)))
                }
                moved = true
            }
            while let event = server.nextEvent() {
                guard case .requestArrived(let request) = event else { continue }
                heard.append(request.length)
                _ = try server.respond(to: request.rpc, length: request.length / 2, payload: 6, at: .zero)
                moved = true
            }
            while let packet = server.nextPacket(at: .zero) {
                _ = client.receive(packet.header, from: other, at: .zero)
                moved = true
            }
            while let event = client.nextEvent() {
                if case .responseArrived(_, 7, _, let length, _) = event { heard.append(length) }
            }
        }
        return heard
    }

    @Test("takes messages far longer than a carriage can name, there and back", arguments: [1, 1_000_001, 30_000_000])
    func longMessages(length: Int) throws {
        var client = try Self.endpoint()
        var server = try Self.endpoint()
        _ = try client.call(Self.request(length: length * 2), at: .zero)
        #expect(try Self.ferry(&client, &server) == [length * 2, length])
        #expect(client.rpcCount == 0 && client.incomingBytes == 0 && server.incomingBytes == 0)
        #expect(server.statistics.bytesReceived == UInt64(length * 2))
    }

    @Test("the longest message has 2³¹ − 1 bytes, and every offset in it can be granted and asked for")
    func longest() throws {
        var client = try Self.endpoint()
        let longest = Int(Int32.max)
        _ = try client.call(Self.request(length: longest), at: .zero)
        while client.nextPacket(at: .zero) != nil {}
        func control(_ body: PacketBody) -> PacketHeader {
            PacketHeader(
                sourcePort: 99, destinationPort: 0x8000, senderID: RPCID(rawValue: 3),
                extensions: HeaderExtension(), body: body)
        }
        let last = UInt32(longest)
        #expect(
            client.receive(control(.grant(GrantFields(offset: last, priority: 1))), from: Self.other, at: .zero)
                == .consumed)
        var end = 0
        for _ in 0..<1000 { if let packet = client.nextPacket(at: .zero) { end = packet.payloadOffset } }
        #expect(end > 1_000_000)
        #expect(throws: EndpointError.messageLength(longest + 1, limit: longest)) {
            try client.call(Self.request(length: longest + 1), at: .zero)
        }
    }

    @Test("a message longer than the receiver's own limit is dropped")
    func limit() throws {
        var configuration = EndpointConfiguration.long
        configuration.maximumMessageBytes = 2_000_000
        var server = try Self.endpoint(configuration)
        func data(_ length: UInt32, id: UInt64) -> PacketHeader {
            PacketHeader(
                sourcePort: 0x8000, destinationPort: 99, senderID: RPCID(rawValue: id),
                body: .data(DataFields(messageLength: length, incoming: 1000, offset: 0, payloadLength: 1000)))
        }
        #expect(server.receive(data(2_000_001, id: 2), from: Self.one, at: .zero) == .dropped(.tooLong))
        #expect(
            server.receive(data(2_000_000, id: 4), from: Self.one, at: .zero)
                == .store(Placement(regionOffset: 0, byteCount: 1000)))
    }

    @Test("with a pool no message may be longer than 1 000 000 bytes, and the pool need hold no longer one than that")
    func withPool() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumMessageBytes = 1_000_001
        #expect(throws: ConfigurationError.self) { try LoneHost(configuration) }
        configuration.maximumMessageBytes = 100_000
        let host = try LoneHost(configuration, regionLength: 2 << 16)
        #expect(throws: EndpointError.messageLength(100_001, limit: 100_000)) { try host.call(length: 100_001) }
        #expect(host.data(0..<1000, of: 100_001, id: 2) == .dropped(.tooLong))
        #expect(throws: ConfigurationError.self) { try LoneHost(configuration, regionLength: 1 << 16) }
    }

    @Test("levels that take every message of a real carriage take the longer ones of a simulation as well")
    func cutoffs() throws {
        let tuning = Tuning(.long)
        #expect(tuning.cutoffs.cutoffs[4] == UInt32(Int32.max))
        #expect(tuning.cutoffs.cutoffs[5] == 15_000)
        #expect(tuning.maximumScheduledPriority == 3)
    }
}

extension EndpointConfiguration {
    /// Small tables and messages up to the longest.
    static var long: Self {
        var configuration = Self.small
        configuration.maximumMessageBytes = Int(Int32.max)
        return configuration
    }
}
