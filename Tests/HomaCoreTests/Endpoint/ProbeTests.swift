// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaWire
import Testing

@testable import HomaCore

/// Packets of 1442 bytes, 9328 bytes unscheduled: six packets and one of 676.
@Suite struct ProbeTests {
    private static let sender = PeerAddress(ipv4: 0x0A00_0001, port: 4000)
    private static let receiver = PeerAddress(ipv4: 0x0A00_0002, port: 4000)
    private static let packet = 1442

    private static func configuration(_ change: (inout EndpointConfiguration) -> Void = { _ in })
        -> EndpointConfiguration
    {
        var configuration = EndpointConfiguration.sigcomm2018(scheduledLevels: 2)
        configuration.maximumRPCs = 64
        configuration.maximumPeers = 16
        configuration.linkRate = nil
        configuration.acknowledgesMessages = true
        configuration.finishedMemory = 1024
        configuration.probesUnscheduled = true
        change(&configuration)
        return configuration
    }

    private static func endpoint(
        _ configuration: EndpointConfiguration = configuration(), life: UInt64 = 1
    ) throws -> Endpoint {
        var endpoint = try Endpoint(
            configuration: configuration, pool: nil, seed: 1, firstRPC: RPCID(rawValue: 2), life: HostLife(seed: life),
            at: .zero)
        try endpoint.openPort(99)
        return endpoint
    }

    private static func message(_ length: Int) -> CallRequest {
        CallRequest(destination: receiver, serverPort: 99, clientPort: 0x8000, length: length, payload: 5, cookie: 7)
    }

    private static func drain(_ endpoint: inout Endpoint, at now: Instant = .zero) -> [OutgoingPacket] {
        var packets: [OutgoingPacket] = []
        while let packet = endpoint.nextPacket(at: now) { packets.append(packet) }
        return packets
    }

    private static func data(_ packet: OutgoingPacket) -> DataFields? {
        if case .data(let data) = packet.header.body { data } else { nil }
    }

    private static func isProbe(_ packet: OutgoingPacket) -> Bool { data(packet)?.payloadLength == 0 }

    /// What is asked for, as ranges.
    private static func asked(_ packets: [OutgoingPacket]) -> [Range<Int>] {
        packets.compactMap { packet in
            guard case .resend(let fields) = packet.header.body else { return nil }
            return Int(fields.offset)..<Int(fields.offset) + Int(fields.length)
        }
    }

    @Test(arguments: [1, 1442, 5000, 9328, 9329, 30_000])
    func `one probe follows the unscheduled packets, at their level`(length: Int) throws {
        var sender = try Self.endpoint()
        _ = try sender.send(Self.message(length), at: .zero)
        let packets = Self.drain(&sender)
        let last = try #require(packets.last)
        let probe = try #require(Self.data(last))
        #expect(packets.filter(Self.isProbe).count == 1)
        #expect(probe.payloadLength == 0)
        #expect(Int(probe.offset) == min(length, 9328))
        #expect(packets.dropLast().reduce(0) { $0 + $1.payloadLength } == min(length, 9328))
        #expect(last.priority == packets[0].priority)
        #expect(sender.statistics.probesSent == 1)
    }

    @Test func `without the setting there is none`() throws {
        var sender = try Self.endpoint(Self.configuration { $0.probesUnscheduled = false })
        _ = try sender.send(Self.message(5000), at: .zero)
        #expect(!Self.drain(&sender).contains(where: Self.isProbe))
    }

    @Test func `lost packets are asked for when the probe comes, and at no time before`() throws {
        var sender = try Self.endpoint()
        var receiver = try Self.endpoint()
        _ = try sender.send(Self.message(5 * Self.packet), at: .zero)
        let packets = Self.drain(&sender)
        #expect(packets.count == 6)
        for index in [0, 3, 4] { _ = receiver.receive(packets[index].header, from: Self.sender, at: .zero) }
        #expect(Self.drain(&receiver).isEmpty)
        #expect(receiver.receive(packets[5].header, from: Self.sender, at: .zero) == .consumed)
        let requests = Self.drain(&receiver)
        #expect(Self.asked(requests) == [1442..<2884, 2884..<4326])
        #expect(receiver.statistics.bytesFoundLost == 2884)
        for request in requests { _ = sender.receive(request.header, from: Self.receiver, at: .zero) }
        let again = Self.drain(&sender)
        #expect(again.compactMap(Self.data).map(\.offset) == [1442, 2884])
        #expect(again.allSatisfy { Self.data($0)?.isRetransmission == true })
        for packet in again { _ = receiver.receive(packet.header, from: Self.sender, at: .zero) }
        var arrived: [Int] = []
        while let event = receiver.nextEvent() {
            if case .messageArrived(let message) = event { arrived.append(message.length) }
        }
        #expect(arrived == [5 * Self.packet])
        #expect(receiver.incomingBytes == 0)
    }

    @Test func `a probe after its message is complete changes nothing`() throws {
        var sender = try Self.endpoint()
        var receiver = try Self.endpoint()
        _ = try sender.send(Self.message(2000), at: .zero)
        let packets = Self.drain(&sender)
        for packet in packets { _ = receiver.receive(packet.header, from: Self.sender, at: .zero) }
        #expect(receiver.receive(packets[2].header, from: Self.sender, at: .zero) == .consumed)
        #expect(receiver.rpcCount == 0)
        #expect(receiver.statistics.bytesFoundLost == 0)
        #expect(receiver.statistics.drops(for: .finishedBefore) == 0)
        #expect(Self.asked(Self.drain(&receiver)).isEmpty)
    }

    @Test func `a message of which only the probe came is asked for from the start`() throws {
        var sender = try Self.endpoint()
        var receiver = try Self.endpoint()
        _ = try sender.send(Self.message(20_000), at: .zero)
        let probe = try #require(Self.drain(&sender).last)
        _ = receiver.receive(probe.header, from: Self.sender, at: .zero)
        let requests = Self.drain(&receiver)
        // The window has room for seven packets, of which the last unscheduled one is short, and the rest of it is
        // granted.
        #expect(Self.asked(requests).first == 0..<1442)
        #expect(Self.asked(requests).last == 8652..<9328)
        #expect(Self.asked(requests).count == 7)
        let grants = requests.filter { if case .grant = $0.header.body { true } else { false } }
        #expect(grants.count == 1)
        #expect(receiver.incomingBytes == 10_000)
    }

    @Test func `lost bytes keep within the window`() throws {
        var receiver = try Self.endpoint(Self.configuration { $0.window = 2000 })
        var sender = try Self.endpoint()
        _ = try sender.send(Self.message(5 * Self.packet), at: .zero)
        let probe = try #require(Self.drain(&sender).last)
        _ = receiver.receive(probe.header, from: Self.sender, at: .zero)
        // Whole packets only: the second begins within the window and ends beyond it.
        #expect(Self.asked(Self.drain(&receiver)) == [0..<1442, 1442..<2884])
        #expect(receiver.incomingBytes == 2884)
        _ = sender.receive(Self.resend(0..<1442), from: Self.receiver, at: .zero)
        let again = try #require(Self.drain(&sender).first)
        _ = receiver.receive(again.header, from: Self.sender, at: .zero)
        #expect(Self.asked(Self.drain(&receiver)) == [2884..<4326])
    }

    @Test("lost bytes are asked for in steps no smaller than those of grants")
    func steps() throws {
        var receiver = try Self.endpoint(
            Self.configuration {
                $0.window = 2000
                $0.grantIncrement = Self.packet
            })
        var sender = try Self.endpoint()
        _ = try sender.send(Self.message(5 * Self.packet), at: .zero)
        let probe = try #require(Self.drain(&sender).last)
        _ = receiver.receive(probe.header, from: Self.sender, at: .zero)
        for number in 0..<4 {
            // The window has room for 558 bytes more.
            let range = number * Self.packet..<(number + 1) * Self.packet
            #expect(Self.asked(Self.drain(&receiver)) == [range])
            _ = sender.receive(Self.resend(range), from: Self.receiver, at: .zero)
            let again = try #require(Self.drain(&sender).first)
            _ = receiver.receive(again.header, from: Self.sender, at: .zero)
        }
    }

    private static func resend(_ range: Range<Int>) -> PacketHeader {
        PacketHeader(
            sourcePort: 99, destinationPort: 0x8000, senderID: RPCID(rawValue: 3),
            extensions: HeaderExtension(),
            body: .resend(
                ResendFields(offset: UInt32(range.lowerBound), length: Int32(range.count), priority: 0)))
    }

    @Test func `lost bytes wait for their turn, and a packet that comes late after all is not asked for`() throws {
        var receiver = try Self.endpoint(Self.configuration { $0.overcommitment = 1 })
        let other = PeerAddress(ipv4: 0x0A00_0003, port: 4000)
        var one = try Self.endpoint()
        var two = try Self.endpoint(life: 2)
        _ = try one.send(Self.message(2 * Self.packet), at: .zero)
        _ = try two.send(Self.message(4 * Self.packet), at: .zero)
        let short = Self.drain(&one)
        let long = Self.drain(&two)
        _ = receiver.receive(long[0].header, from: other, at: .zero)
        _ = receiver.receive(short[2].header, from: Self.sender, at: .zero)
        _ = receiver.receive(long[4].header, from: other, at: .zero)
        // Both packets of the short message, none of the long one.
        let first = Self.drain(&receiver)
        #expect(Self.asked(first) == [0..<1442, 1442..<2884])
        #expect(first.allSatisfy { $0.peer == Self.sender })
        // One packet of the long message was only late; the others' turn comes when the short one is complete.
        _ = receiver.receive(long[2].header, from: other, at: .zero)
        _ = one.receive(first[0].header, from: Self.receiver, at: .zero)
        _ = one.receive(first[1].header, from: Self.receiver, at: .zero)
        let again = Self.drain(&one)
        _ = receiver.receive(again[0].header, from: Self.sender, at: .zero)
        #expect(Self.drain(&receiver).isEmpty)
        _ = receiver.receive(again[1].header, from: Self.sender, at: .zero)
        let second = Self.drain(&receiver).filter { $0.peer == other }
        #expect(Self.asked(second) == [1442..<2884, 4326..<5768])
        #expect(receiver.statistics.bytesFoundLost == 2884 + 3 * 1442)
    }

    @Test func `a message of which all is granted makes room for others as soon as its lost bytes have come`() throws {
        var receiver = try Self.endpoint(Self.configuration { $0.overcommitment = 1 })
        let other = PeerAddress(ipv4: 0x0A00_0003, port: 4000)
        var one = try Self.endpoint()
        var two = try Self.endpoint(life: 2)
        _ = try one.send(Self.message(9328 + 1000), at: .zero)
        _ = try two.send(Self.message(30_000), at: .zero)
        for packet in Self.drain(&one).dropFirst() { _ = receiver.receive(packet.header, from: Self.sender, at: .zero) }
        let requests = Self.drain(&receiver)
        #expect(Self.asked(requests) == [0..<1442])
        for packet in Self.drain(&two) { _ = receiver.receive(packet.header, from: other, at: .zero) }
        #expect(Self.drain(&receiver).isEmpty, "the lost bytes keep the place")
        for request in requests { _ = one.receive(request.header, from: Self.receiver, at: .zero) }
        let first = try #require(Self.drain(&one).first { $0.payloadOffset == 0 })
        _ = receiver.receive(first.header, from: Self.sender, at: .zero)
        // A thousand bytes of the first message are still on their way.
        #expect(receiver.rpcCount == 2)
        #expect(Self.drain(&receiver).contains { $0.peer == other }, "the other message is granted to")
    }

    @Test func `requests that are lost themselves are left to the timer`() throws {
        var sender = try Self.endpoint()
        var receiver = try Self.endpoint()
        _ = try sender.send(Self.message(5 * Self.packet), at: .zero)
        let packets = Self.drain(&sender)
        for index in [0, 2, 4, 5] { _ = receiver.receive(packets[index].header, from: Self.sender, at: .zero) }
        #expect(Self.asked(Self.drain(&receiver)).count == 2)
        let deadline = receiver.nextDeadline
        let late = try #require(deadline)
        #expect(late >= Instant(nanoseconds: 5_000_000))
        receiver.expireTimers(at: late)
        #expect(Self.asked(Self.drain(&receiver, at: late)) == [1442..<2884, 4326..<5768])
        #expect(receiver.incomingBytes == 0)
    }

    @Test func `what the timer has asked for is not asked for once more when some of it comes`() throws {
        var receiver = try Self.endpoint(Self.configuration { $0.window = 2000 })
        var sender = try Self.endpoint()
        _ = try sender.send(Self.message(5 * Self.packet), at: .zero)
        let packets = Self.drain(&sender)
        for index in [4, 5] { _ = receiver.receive(packets[index].header, from: Self.sender, at: .zero) }
        #expect(Self.asked(Self.drain(&receiver)) == [0..<1442, 1442..<2884])
        let deadline = receiver.nextDeadline
        let late = try #require(deadline)
        receiver.expireTimers(at: late)
        #expect(Self.asked(Self.drain(&receiver, at: late)) == [0..<5768])
        _ = receiver.receive(packets[0].header, from: Self.sender, at: late)
        #expect(Self.asked(Self.drain(&receiver, at: late)).isEmpty)
    }

    @Test func `a carriage has no such packets, and a sender that forgets cannot send again`() {
        #expect(throws: ConfigurationError.self) { try LoneHost(Self.configuration()) }
        #expect(throws: ConfigurationError.self) {
            _ = try Self.endpoint(Self.configuration { $0.adaptsUnscheduled = true })
        }
        #expect(throws: ConfigurationError.self) {
            _ = try Self.endpoint(Self.configuration { $0.acknowledgesMessages = false })
        }
    }

    // MARK: Any loss, any order

    @Test(arguments: 1...60)
    func `whatever is lost of unscheduled packets, in whatever order, no timer is needed`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let configuration = Self.configuration {
            $0.overcommitment = 1 + Int(random.next() % 3)
            $0.window = 1 + Int(random.next() % 20_000)
        }
        var sender = try Self.endpoint(configuration)
        var receiver = try Self.endpoint(configuration)
        var lengths: [Int] = []
        for _ in 0..<12 {
            lengths.append(1 + Int(random.next() % 30_000))
            _ = try sender.send(Self.message(lengths.last!), at: .zero)
        }
        let loss = random.nextUnit()
        var inFlight: [(packet: OutgoingPacket, isToReceiver: Bool)] = []
        var arrived: [Int] = []
        while true {
            for packet in Self.drain(&sender) {
                let isDroppable =
                    packet.payloadLength > 0 && Self.data(packet)?.isRetransmission == false
                    && packet.payloadOffset < 9328
                if !isDroppable || random.nextUnit() >= loss { inFlight.append((packet, true)) }
            }
            inFlight += Self.drain(&receiver).map { ($0, false) }
            guard !inFlight.isEmpty else { break }
            let next = inFlight.remove(at: Int(random.next() % UInt64(min(inFlight.count, 8))))
            if next.isToReceiver {
                _ = receiver.receive(next.packet.header, from: Self.sender, at: .zero)
            } else {
                _ = sender.receive(next.packet.header, from: Self.receiver, at: .zero)
            }
            while let event = receiver.nextEvent() {
                if case .messageArrived(let message) = event { arrived.append(message.length) }
            }
            while sender.nextEvent() != nil {}
        }
        #expect(arrived.sorted() == lengths.sorted())
        #expect(receiver.incomingBytes == 0)
        #expect(receiver.rpcCount == 0 && sender.rpcCount == 0)
        #expect(receiver.ranges.used == 0 && sender.ranges.used == 0)
    }
}
