// SPDX-License-Identifier: Apache-2.0

import CHomaPosix
import HomaBase
import HomaPosix
import HomaWire
import Testing

@testable import HomaIO

@Suite("Short packets put together")
struct SendQueueBundleTests {
    private struct Sent: Equatable, CustomStringConvertible {
        var bytes: [UInt8]
        var peer: PeerAddress
        var priority: UInt8
        var description: String { "\(bytes.count) B to \(peer.port) p\(priority)" }
    }

    private static func peer(_ number: UInt16) -> PeerAddress { PeerAddress(ipv4: 0x0A00_0001, port: 4000 + number) }

    /// The first byte of a packet that must go alone, and of one that need not.
    private static func mark(_ bundleBytes: UInt32) -> UInt8 { bundleBytes == 0 ? 0x81 : 0x80 }

    /// Appends a packet of so many bytes, which begin like a packet's.
    private static func append(
        _ count: Int, to queue: inout SendQueue, peer: PeerAddress = peer(0), priority: UInt8 = 7,
        bundleBytes: UInt32 = 1472, mayJoin: Bool = true, seed: Int = 1
    ) -> Sent {
        let packet = Sent(
            bytes: [mark(bundleBytes)] + pattern(seed, count: count - 1), peer: peer, priority: priority)
        let header = min(count, 56)
        queue.nextHeader.copyBytes(from: packet.bytes[..<header])
        queue.append(
            headerByteCount: header, payload: PayloadStore.keep(Array(packet.bytes[header...])),
            payloadByteCount: count - header, to: peer, priority: priority, mayJoin: mayJoin, bundleBytes: bundleBytes)
        return packet
    }

    private static func bytes(_ message: homa_outgoing) -> [UInt8] {
        (0..<Int(message.piece_count)).flatMap { piece in
            Array(UnsafeRawBufferPointer(start: message.pieces[piece].iov_base, count: message.pieces[piece].iov_len))
        }
    }

    /// What the kernel would make of a train.
    private static func datagrams(_ queue: borrowing SendQueue, _ train: Int) -> [[UInt8]] {
        let all = bytes(queue.outgoing[train])
        let size = queue.outgoing[train].segment_size == 0 ? all.count : Int(queue.outgoing[train].segment_size)
        return stride(from: 0, to: all.count, by: size).map { Array(all[$0..<min($0 + size, all.count)]) }
    }

    /// The packets in a datagram.
    private static func packets(_ datagram: [UInt8]) throws -> [[UInt8]] {
        try datagram.withUnsafeBytes { bytes in
            guard PacketBundle.isBundle(bytes) else { return [datagram] }
            var position = PacketBundle.markByteCount
            var result: [[UInt8]] = []
            while let packet = try PacketBundle.next(in: bytes, at: &position) { result.append(Array(packet)) }
            return result
        }
    }

    /// Everything in the queue in the order in which it leaves; checks that the books agree with it.
    private static func content(_ queue: borrowing SendQueue, limit: Int) throws -> [Sent] {
        var result: [Sent] = []
        var datagramCount = 0
        for index in queue.firstTrain..<queue.trainEnd {
            let train = queue.trains[index]
            let datagrams = datagrams(queue, index)
            #expect(datagrams.count == Int(train.packetCount) && datagrams.count <= 64)
            #expect(datagrams.dropLast().allSatisfy { $0.count == Int(train.packetBytes) })
            #expect(datagrams.reduce(0) { $0 + $1.count } == Int(train.byteCount))
            #expect(train.byteCount <= queue.maximumTrainBytes && queue.outgoing[index].piece_count <= 1024)
            let count = queue.explode(index)
            #expect((0..<count).map { bytes(queue.singles[$0]) } == datagrams)
            for datagram in datagrams {
                let packets = try packets(datagram)
                #expect(packets.count == 1 || datagram.count <= limit)
                #expect(packets == [datagram] || packets.allSatisfy { $0[0] == mark(1) }, "some want to go alone")
                result += packets.map { Sent(bytes: $0, peer: train.peer, priority: train.priority) }
            }
            datagramCount += datagrams.count
        }
        #expect(queue.queuedPackets == datagramCount)
        return result
    }

    @Test("packets of many lengths leave in full datagrams and one train, in their order")
    func together() throws {
        var queue = SendQueue(capacity: 512, maximumTrainBytes: 65_000)
        var packets: [Sent] = []
        for index in 0..<60 { packets.append(Self.append(60 + index * 7 % 311, to: &queue, seed: index)) }
        #expect(queue.trainEnd > 50)
        #expect(queue.bundlePackets { _ in true } == 60)
        #expect(queue.trainEnd == 1)
        let datagrams = Self.datagrams(queue, 0)
        #expect(datagrams.dropLast().allSatisfy { $0.count == 1472 })
        let bytes = packets.reduce(0) { $0 + $1.bytes.count }
        #expect(datagrams.count <= bytes * 4 / 3 / 1472 + 1)
        #expect(try Self.content(queue, limit: 1472) == packets)
    }

    @Test("whole packets of a long message share the train of short ones")
    func beforeLong() throws {
        var queue = SendQueue(capacity: 512, maximumTrainBytes: 65_000)
        var packets = (0..<5).map { Self.append(280 + $0, to: &queue, seed: $0) }
        packets += (0..<10).map { Self.append(1472, to: &queue, seed: $0) }
        _ = queue.bundlePackets { _ in true }
        #expect(queue.trainEnd == 1 && queue.trains[0].packetCount == 11)
        #expect(try Self.content(queue, limit: 1472) == packets)
    }

    @Test("one packet alone, packets of one length, and those who want to go alone stay as they are")
    func untouched() throws {
        var queue = SendQueue(capacity: 512, maximumTrainBytes: 65_000)
        var packets = [Self.append(100, to: &queue)]
        #expect(queue.bundlePackets { _ in true } == 0)
        packets += (0..<20).map { Self.append(100, to: &queue, seed: $0) }
        #expect(queue.bundlePackets { _ in true } == 0)
        #expect(queue.trainEnd == 1)
        packets += (0..<5).map { Self.append(200 + $0, to: &queue, peer: Self.peer(UInt16($0 + 1)), seed: $0) }
        packets += (0..<5).map { Self.append(200 + $0, to: &queue, bundleBytes: 0, seed: $0) }
        packets += (0..<5).map { Self.append(200 + $0, to: &queue, priority: UInt8($0), seed: $0) }
        #expect(queue.bundlePackets { _ in true } == 0)
        #expect(queue.trainEnd == 16)
        #expect(try Self.content(queue, limit: 1472) == packets)
    }

    @Test("every packet leaves once, in its order, whatever there is to send", arguments: 0..<60 as Range<UInt64>)
    func anything(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let limit = [1472, 1452, 8972, 300, 65_000][Int(seed % 5)]
        let sizes: [ClosedRange<Int>] = [
            [28...28, 60...60], [57...200], [57...1472], [100...100, 1472...1472, 8972...8972], [1465...1472],
            [57...600, 1472...1472],
        ][Int(seed % 6)]
        let capacity = [64, 512][Int(seed % 2)]
        var queue = SendQueue(capacity: capacity, maximumTrainBytes: 65_000)
        var packets: [Sent] = []
        for _ in 0..<3 {
            let several = seed % 7 != 0
            for index in 0..<Int.random(in: 1...capacity / 3, using: &random) {
                let size = Int.random(in: sizes.randomElement(using: &random)!, using: &random)
                let copies = Int.random(in: 0..<8, using: &random) == 0 ? 5 : 1
                for _ in 0..<copies where !queue.isFull {
                    packets.append(
                        Self.append(
                            min(size, max(limit, 100)), to: &queue,
                            peer: Self.peer(several ? .random(in: 0..<2, using: &random) : 0),
                            priority: several ? .random(in: 5..<7, using: &random) : 7,
                            bundleBytes: Int.random(in: 0..<9, using: &random) == 0 ? 0 : UInt32(limit),
                            mayJoin: seed % 4 != 0, seed: index))
                }
            }
            let count = queue.bundlePackets { _ in seed % 4 != 0 }
            #expect(count <= packets.count)
            #expect(try Self.content(queue, limit: limit) == packets)
            // Some of it leaves, the rest must wait.
            while queue.firstTrain < queue.trainEnd, Int.random(in: 0..<4, using: &random) > 0 {
                let datagrams = Self.datagrams(queue, queue.firstTrain)
                packets.removeFirst(try datagrams.reduce(0) { $0 + (try Self.packets($1).count) })
                queue.queuedPackets -= datagrams.count
                queue.firstTrain += 1
            }
            queue.rewindIfEmpty()
        }
    }

    @Test("bundles arrive through real sockets as they were, with trains and without", arguments: [false, true])
    func sockets(usesTrains: Bool) throws {
        var options = UDPSocketOptions.loopback()
        options.gso = usesTrains ? .automatic : .off
        var sender = try UDPDriver(options)
        var receiver = try UDPDriver(.loopback())
        let packets = (0..<100).map { [0x80] + pattern($0, count: 60 + $0 * 13 % 400) }
        for bytes in packets {
            sender.reserveHeader().copyBytes(from: bytes[..<56])
            let payload = Array(bytes[56...])
            sender.append(
                headerByteCount: 56, payload: PayloadStore.keep(payload), payloadByteCount: payload.count,
                to: receiver.localAddress, priority: 7, bundleBytes: 1472)
        }
        let datagramCount = sender.flush().sentPackets
        #expect(datagramCount < 30)
        #expect(sender.statistics.bundledPackets > 90)
        #expect(sender.statistics.sendCalls == 1)
        let received = receiver.collect(datagramCount)
        #expect(try received.flatMap { try Self.packets($0.bytes) } == packets)
    }
}
