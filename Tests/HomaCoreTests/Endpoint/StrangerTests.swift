// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Rule: an address pays for what it is sent and given until it has shown that somebody there hears us.
@Suite("Strangers pay first")
struct StrangerTests {
    static let udp = 28

    /// Bytes of IP packets that would go to an address.
    static func bytes(_ packets: [OutgoingPacket], to address: PeerAddress = LoneHost.client) -> Int {
        packets.filter { $0.peer == address }.reduce(0) {
            $0 + $1.header.byteCount + $1.payloadLength + udp
        }
    }

    static func host(_ configuration: EndpointConfiguration = .small, region: Int = 16 << 20) throws -> LoneHost {
        try LoneHost(configuration, regionLength: region, trusting: false)
    }

    @Test(
        "whatever is forged in its name, an address gets at most three bytes for each",
        arguments: [HeaderExtension(tag: 7), .none], [100, 20_000, 1_000_000])
    func amplification(extensions: HeaderExtension, response: Int) throws {
        let host = try Self.host()
        var (came, went) = (0, 0)
        func forge(_ body: PacketBody, payload: Int = 0) {
            came += body.type.headerByteCount + payload + Self.udp
            host.receive(body, id: 2, extensions: extensions)
        }
        let request = DataFields(messageLength: 100, incoming: 100, offset: 0, payloadLength: 100)
        forge(.data(request), payload: 100)
        went += Self.bytes(host.sent())
        let arrived = try host.requests().first?.rpc
        if let arrived { try host.respond(arrived, length: response) }
        for round in 0..<400 {
            went += Self.bytes(host.sent())
            #expect(went <= 3 * came, "\(went) for \(came)")
            if round % 3 == 0 { forge(.grant(GrantFields(offset: UInt32(response), priority: 7))) }
            if round % 3 == 1 { forge(.resend(ResendFields(offset: 0, length: -1, priority: 7))) }
            host.pass(microseconds: 3_000)
        }
        #expect(went > 0)
    }

    @Test(
        "nor does it get more for packets that came under the same headers",
        arguments: [PeerAddress(ipv4: 0x0A00_0009, port: 5), PeerAddress(high: 1 << 61, low: 9, port: 5)],
        [PacketType.data, .needAck, .resend])
    func bundles(client: PeerAddress, type: PacketType) throws {
        let host = try Self.host()
        let headers = client.isIPv4 ? 28 : 48
        var (came, went) = (0, 0)
        for round in 0..<40 as Range<UInt64> {
            came += headers + 1
            for number in 0..<18 as Range<UInt64> {
                // NEED_ACK comes from servers, whose packets have odd identifiers.
                let id = 2 + 2 * (round * 18 + number) + (type == .needAck ? 1 : 0)
                let body: PacketBody
                switch type {
                case .data:
                    body = .data(DataFields(messageLength: 1, incoming: 1, offset: 0, payloadLength: 1))
                    came += 1
                case .needAck: body = .needAck
                default: body = .resend(ResendFields(offset: 0, length: -1, priority: 7))
                }
                came += 2 + body.type.headerByteCount
                host.receive(body, id: id, from: client, extensions: HeaderExtension(tag: 7))
                host.endpoint.isInsideBundle = true
            }
            host.endpoint.isInsideBundle = false
            for request in try host.requests() { try host.respond(request.rpc, length: 100) }
            for packet in host.sent() where packet.peer == client {
                went += headers + packet.header.byteCount + packet.payloadLength
            }
            #expect(went <= 3 * came, "\(went) for \(came)")
            host.pass(microseconds: 3_000)
        }
        #expect(went > 0)
    }

    /// A part of a request, which is asked for; a response that nobody acknowledges; one that is held back.
    @Test("nor is it asked again and again for what one packet began", arguments: [(50, 0), (100, 100), (100, 50_000)])
    func silence(arrives: Int, response: Int) throws {
        for extensions in [HeaderExtension(tag: 7), .none] {
            let host = try Self.host()
            host.data(0..<arrives, of: 100, id: 2, extensions: extensions)
            if response > 0 { try host.respond(try #require(try host.requests().first).rpc, length: response) }
            var went = 0
            for _ in 0..<500 {
                went += Self.bytes(host.sent())
                host.pass(microseconds: 1_000)
            }
            #expect(went > 0 && went <= 3 * (DataFields.byteCount + arrives + Self.udp))
            #expect(host.endpoint.statistics.packetsWithheld > 0)
            #expect(host.endpoint.rpcCount == 0, "it is given up all the same")
        }
    }

    @Test("long requests of few strangers have an eighth of the memory as well")
    func memory() throws {
        let host = try Self.host()
        for number in 0..<7 as Range<UInt32> {
            host.data(
                0..<1000, of: 900_000, id: 2, incoming: 60_000, from: PeerStoreTests.address(number),
                extensions: HeaderExtension(tag: UInt64(number) + 1))
        }
        #expect(host.endpoint.peers.strangers.heldBytes == 1_800_000, "of 16 MB")
        #expect(host.dropped(.unprovenClient) == 5)
    }

    @Test("the response to a short request goes at once, if it is short, and all of it after proof if not")
    func proof() throws {
        let host = try Self.host()
        let ours = HeaderExtension(tag: 7)
        host.data(0..<100, of: 100, id: 2, extensions: ours)
        try host.respond(try #require(try host.requests().first).rpc, length: 300)
        #expect(host.sent().contains { $0.summary == "DATA 0..<300" })
        host.data(0..<100, of: 100, id: 4, extensions: ours)
        try host.respond(try #require(try host.requests().first).rpc, length: 50_000)
        let asked = host.sent()
        #expect(asked.filter { $0.payloadLength > 0 }.isEmpty)
        let challenge = try #require(asked.first { $0.summary == "RESEND 99..<100" })
        // A guess is no proof.
        for token in [challenge.header.common.extensions.token &+ 1, challenge.header.common.extensions.token] {
            var marked = ours
            marked.marks = .proof
            host.receive(
                .data(
                    DataFields(
                        messageLength: 100, incoming: 100, proof: token, isRetransmission: true, offset: 0,
                        payloadLength: 100)), id: 4, extensions: marked)
            let went = host.sent().reduce(0) { $0 + $1.payloadLength }
            #expect(went == (token == challenge.header.common.extensions.token ? 50_000 : 0))
        }
        #expect(host.endpoint.statistics.addressesValidated == 1)
        host.data(0..<100, of: 100, id: 6, extensions: ours)
        try host.respond(try #require(try host.requests().first).rpc, length: 50_000)
        #expect(host.sent().reduce(0) { $0 + $1.payloadLength } == 50_000, "known peers wait for nothing")
    }

    @Test("a kernel client proves itself by the version of the CUTOFFS it was sent, and not by guessing")
    func kernel() throws {
        let host = try Self.host()
        host.data(0..<100, of: 100, id: 2, cutoffs: 0, extensions: .none)
        let told = try #require(host.sent().first { $0.header.common.type == .cutoffs })
        guard case .cutoffs(let table) = told.header.body else { return }
        for guess in 1...15 as ClosedRange<UInt16> where guess != table.version {
            host.data(0..<100, of: 100, id: 100 + 2 * UInt64(guess), cutoffs: guess, extensions: .none)
        }
        #expect(host.endpoint.statistics.addressesValidated == 0)
        host.data(0..<100, of: 100, id: 4, cutoffs: table.version, extensions: .none)
        #expect(host.endpoint.statistics.addressesValidated == 1)

        let other = try Self.host()
        for guess in 1...40 as ClosedRange<UInt16> {
            other.data(0..<100, of: 100, id: 2 * UInt64(guess), cutoffs: 1000 + guess, extensions: .none)
        }
        other.data(0..<100, of: 100, id: 200, cutoffs: table.version, extensions: .none)
        #expect(other.endpoint.statistics.addressesValidated == 0, "who has guessed so often is not believed")

        let former = try Self.host()
        for number in 1...40 as ClosedRange<UInt64> {
            former.data(0..<100, of: 100, id: 2 * number, cutoffs: 1001, extensions: .none)
        }
        former.data(0..<100, of: 100, id: 200, cutoffs: table.version, extensions: .none)
        #expect(former.endpoint.statistics.addressesValidated == 1, "to repeat what is known of before is no guessing")
    }

    @Test("strangers share an eighth of records, requests and memory; who proves itself is served beside them")
    func eighth() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumPeers = 64
        let host = try Self.host(configuration)
        for number in 0..<200 as Range<UInt32> {
            host.data(
                0..<1000, of: 100_000, id: 2, incoming: 60_000, from: PeerStoreTests.address(number),
                extensions: HeaderExtension(tag: UInt64(number) + 1))
        }
        #expect(host.endpoint.peers.strangers.records == 8)
        #expect(host.endpoint.peers.strangers.heldBytes <= 2 << 20)
        #expect(host.dropped(.unprovenClient) > 190)
        // Each of those has been told how to get in.
        let told = host.sent().filter { $0.header.common.type == .rpcUnknown && $0.peer == PeerStoreTests.address(150) }
        let token = try #require(told.first).header.common.extensions.token
        var marked = HeaderExtension(tag: 151)
        marked.marks = .proof
        host.receive(
            .data(
                DataFields(
                    messageLength: 100_000, incoming: 1000, proof: token, isRetransmission: true, offset: 0,
                    payloadLength: 1000)), id: 2, from: PeerStoreTests.address(150), extensions: marked)
        let asked = host.sent().filter { $0.peer == PeerStoreTests.address(150) }.map(\.summary)
        #expect(asked.contains("RESEND 1000..<60000"), "it is kept, and the rest asked for")
        host.endpoint.checkInvariants()
    }

    @Test("many clients that come once and go do not keep the next one out")
    func shortLived() throws {
        var configuration = EndpointConfiguration.small
        configuration.maximumPeers = 64
        let host = try Self.host(configuration)
        for number in 0..<500 as Range<UInt32> {
            let address = PeerStoreTests.address(number)
            host.data(0..<100, of: 100, id: 2, from: address, cutoffs: 0, extensions: .none)
            let request = try #require(try host.requests().first, "client \(number)")
            try host.respond(request.rpc, length: 100)
            #expect(host.sent().contains { $0.summary == "DATA 0..<100" })
            host.receive(.ack(AckFields()), id: 2, from: address, extensions: .none)
            host.pass(microseconds: 13_000)
        }
    }
}
